"""Models of every framework as callables: a Python file, an ONNX file, a PyTorch module; images of a stated shape."""

from __future__ import annotations

import inspect
import math
import os
import re
import runpy
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cmbound.certification.user import asked
from cmbound.checks import shown
from cmbound.errors import InputError
from cmbound.numbers import counted

Call = Callable[[Any, Any], Any]
ONNX_FILE = re.compile(r"\.onnx(:.+)?$", re.IGNORECASE)
_ONNX = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16"}


def runs_code(given: Any) -> bool:
    """Whether a model is named by a Python file, which is run."""
    return isinstance(given, str) and re.search(r"\.py:\w+$", given) is not None


def loaded(
    given: Any,
    what: str,
    shape: tuple[int, ...] | None = None,
    d: int = 1,
    tell: Callable[[str], object] = lambda x: None,
) -> Call:
    """The callable f(x, sigma) on arrays (n, d).

    Args:
        given: a callable, a PyTorch module, or text: ``FILE.py:NAME`` (the file is run, with all that stands in it) or
            ``FILE.onnx`` (onnxruntime, extra ``onnx``). Its two inputs are told apart by their shapes, else by their names, and
            of several outputs the only one that fits is taken; ``FILE.onnx:X,SIGMA`` and ``FILE.onnx:X,SIGMA,OUTPUT`` name them.
        what: what it is called in messages.
        shape: of one point, such as (3, 32, 32), where the model wants points of more than one dimension.
        d: numbers of a point.
        tell: called with what must be said of how the model is asked.

    Raises:
        InputError: no such file or name, a library that is missing, or something that cannot be called.
    """
    if isinstance(given, str | os.PathLike):
        name = os.fspath(given)
        if ONNX_FILE.search(name):
            call, own = _onnx(name, what, d, shape, tell)
            shape = own if shape is None else shape
        else:
            call = _from_file(name, what)
    else:
        call = given
    if any(x.__module__.partition(".")[0] == "torch" for x in type(call).__mro__):
        call = _torch(call)
    if not callable(call):
        raise InputError(f"{what} is {shown(given)}; a callable f(x, sigma), FILE.py:NAME or FILE.onnx is needed")
    _checked_signature(call, what)
    return call if shape is None else _shaped(call, shape)


def _checked_signature(call: Call, what: str) -> None:
    """Refuse what cannot be called as f(x, sigma): a class, or a function of other arguments."""
    name = getattr(call, "__name__", type(call).__name__)
    if isinstance(call, type):
        raise InputError(f"{what}: {name} is a class; an instance of it that can be called, or a function f(x, sigma), is needed")
    try:
        signature = inspect.signature(call)
    except (TypeError, ValueError):  # what is not written in Python may tell none
        return
    try:
        signature.bind(None, None)
    except TypeError:
        raise InputError(f"{what}: {name}{signature} is given; it is called as f(x, sigma)") from None


def _from_file(name: str, what: str) -> Any:
    path, colon, attribute = name.rpartition(":")
    if not colon or not path.endswith(".py"):
        raise InputError(f"{what} is {name!r}; FILE.py:NAME or FILE.onnx is needed")
    if not Path(path).is_file():
        raise InputError(f"{what}: {path}: no such file")
    found = asked(f"{what}: {path}", runpy.run_path, path)
    if attribute not in found:
        raise InputError(f"{what}: {path} has no {attribute}")
    return found[attribute]


X_NAME = re.compile(r"(noisy_)?(x|z|sample|latent|image|img|input|data|point)s?(_?t|_sigma|_noisy|_in)?")
SIGMA_NAME = re.compile(r"(sigma|noise_?(level|scale|label|std)|std|t|time(_?step)?|level)s?(_?t)?|c_noise")
"""What the inputs of an ONNX file are called, as whole words. Not ``noise``, which is said of either."""


def _word(name: str) -> str:
    """The name of an input without the parts that exporters add: ``module/x:0``, ``sigma.1``."""
    return re.sub(r"[.:_-]\d+$", "", name.rpartition("/")[2]).lower()


def _declared(ports: Iterable[Any]) -> str:
    """Inputs or outputs in words, with their shapes."""
    return ", ".join(f"{x.name} {tuple(x.shape)}".replace("'", "").replace(",)", ")") for x in ports)


@dataclass
class _Roles:
    """What the inputs and outputs of an ONNX file are.

    Attributes:
        x, sigma, y: the ports.
        shape: of one point, where the file says that it is no vector (None: it is one, or the user said its shape).
        told: what they are, for the notes.
    """

    x: Any
    sigma: Any
    y: Any
    shape: tuple[int, ...] | None
    told: str


def _roles(file: str, names: Sequence[str], ports: tuple[Any, Any], d: int, shape: tuple[int, ...] | None) -> _Roles:
    """Which input is x and which is sigma, and which output is the answer: by the names given, by shapes, by their own names.

    Args:
        file: what is said in front of a message.
        names: of x, sigma and the output, as far as they are given.
        ports: inputs and outputs.
        d: numbers of a point.
        shape: of a point, if the user said so.

    Raises:
        InputError: what leaves it open, or fits in no way.
    """
    inputs, outputs = ports
    say = "say which is which: FILE.onnx:X,SIGMA or FILE.onnx:X,SIGMA,OUTPUT"
    if len(inputs) != 2 or any(x.type not in _ONNX for x in inputs):
        kinds = ", ".join(f"{x.name} {x.type}" for x in inputs)
        raise InputError(f"{file} has the inputs {kinds}; two of real numbers, x and sigma, are needed: wrap it in FILE.py:NAME")
    pairs = [(inputs[0], inputs[1]), (inputs[1], inputs[0])]
    if names:
        pairs = [(x, s) for x, s in pairs if [x.name, s.name] == list(names[:2])]
        if not pairs:
            raise InputError(f"{file} has the inputs {_declared(inputs)}, not {' and '.join(names[:2])}")
    points = [(x, s, _point_of(x, d, shape)) for x, s in pairs if _one_number(s)]
    fits = [(x, s, y) for x, s, y in points if y is not None]
    fits = fits or [(x, s, shape or (d,)) for x, s, _ in points if not x.shape]  # its shape is not declared
    if not fits:
        size = f"points of {counted(d, 'number')}" if shape is None else f"points of shape {','.join(map(str, shape))}"
        image = any(len(x.shape) > 2 for x in inputs)
        advice = ": give shape, the sizes of a point, such as 3,32,32" if image and shape is None else ""
        raise InputError(f"{file} has the inputs {_declared(inputs)}; none fits {size} beside a noise level as the other{advice}")
    by = "as named" if names else "by their shapes"
    if len(fits) > 1:
        named = [z for z in fits if _named(z[0], z[1]) and not _named(z[1], z[0])]
        if len(named) != 1:
            raise InputError(f"{file} has the inputs {_declared(inputs)}: either may be x, and the other one sigma; {say}")
        fits, by = named, "by their names"
    x, sigma, point = fits[0]
    y = _output(file, outputs, names[2] if len(names) > 2 else None, point, say)
    told = f"its input {x.name} is taken for x and {sigma.name} for sigma, {by}; its output {y.name} is used"
    own = point if shape is None and len(point) > 1 else None
    more = f"; a point has the shape {','.join(map(str, own))}, as the file says" if own else ""
    return _Roles(x, sigma, y, own, f"{file}: {told}{more}")


def _named(x: Any, sigma: Any) -> bool:
    """Whether one of the names says that these are x and sigma."""
    return bool(X_NAME.fullmatch(_word(x.name)) or SIGMA_NAME.fullmatch(_word(sigma.name)))


def _point_of(port: Any, d: int, shape: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """The shape of a point, if an input of this declared shape can be x; None if it cannot."""
    sizes = tuple(port.shape[1:])
    if shape is None and len(sizes) > 1 and all(isinstance(x, int) and x > 0 for x in sizes) and math.prod(sizes) == d:
        return sizes
    wanted = shape or (d,)
    return wanted if port.shape and _alike(sizes, wanted) else None


def _alike(sizes: Sequence[Any], shape: Sequence[int]) -> bool:
    """Whether declared sizes, of which some are left open, allow a shape."""
    return len(sizes) == len(shape) and all(not isinstance(a, int) or a in (b, 0, -1) for a, b in zip(sizes, shape, strict=True))


def _one_number(port: Any) -> bool:
    """Whether an input can be a noise level: a number, or one for each row."""
    return _alike(tuple(port.shape[1:]), (1,) * max(0, len(port.shape) - 1))


def _output(file: str, outputs: Sequence[Any], name: str | None, point: tuple[int, ...], say: str) -> Any:
    """The output of that name, the only one, or the only one that has the shape of x."""
    if name is not None:
        found = [y for y in outputs if y.name == name]
        if not found:
            raise InputError(f"{file} has the outputs {_declared(outputs)}, not {name}")
        return found[0]
    if len(outputs) == 1:
        return outputs[0]
    fit = [y for y in outputs if _alike(tuple(y.shape[1:]), point)]
    if len(fit) != 1:
        raise InputError(
            f"{file} has the outputs {_declared(outputs)}: {'several have' if fit else 'none has'} the shape of x; {say}"
        )
    return fit[0]


def _onnx(
    given: str, what: str, d: int, shape: tuple[int, ...] | None, tell: Callable[[str], object]
) -> tuple[Call, tuple[int, ...] | None]:
    """The model of an ONNX file, and the shape of a point where the file says it and the user does not."""
    path, names = _split_onnx(given)
    file = f"{what}: {path}"
    if not Path(path).is_file():
        raise InputError(f"{file}: no such file")
    try:
        import onnxruntime
    except ImportError:
        raise InputError("an ONNX model needs onnxruntime: pip install 'cmbound[onnx]'") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # what is wrong is said here, in one line
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise InputError(f"{file} is no ONNX model that can be run: {text}") from None
    roles = _roles(file, names, (session.get_inputs(), session.get_outputs()), d, shape)
    tell(roles.told)
    first, second = roles.x, roles.sigma
    rank, rows = len(second.shape), _fixed(first)
    width = _fixed(second) if rank else None

    def call(x: Any, sigma: Any) -> Any:
        level = (
            np.broadcast_to(np.asarray(sigma), (len(x),) if width in (None, rows) else (width,)) if rank else np.asarray(sigma)
        )
        level = level.reshape(-1, *(1,) * (rank - 1)) if rank else level
        given = {first.name: x.astype(_ONNX[first.type]), second.name: np.ascontiguousarray(level, dtype=_ONNX[second.type])}
        return session.run([roles.y.name], given)[0]

    return call if rows is None else _padded(call, rows), roles.shape


def _split_onnx(given: str) -> tuple[str, list[str]]:
    """``FILE.onnx`` or ``FILE.onnx:X,SIGMA[,OUTPUT]``: the path, and the names.

    Raises:
        InputError: a number of names that says nothing.
    """
    path, names = given[: given.lower().rindex(".onnx") + 5], given[given.lower().rindex(".onnx") + 5 :].lstrip(":").split(",")
    if names == [""]:
        return path, []
    if len(names) not in (2, 3) or not all(names):
        raise InputError(f"{given} names {counted(len(names), 'port')}; FILE.onnx:X,SIGMA or FILE.onnx:X,SIGMA,OUTPUT is needed")
    return path, names


def _fixed(port: Any) -> int | None:
    """The number of rows an input of an ONNX model must have; None: any."""
    size = port.shape[0] if port.shape else None
    return size if isinstance(size, int) and size > 0 else None


def _padded(call: Call, rows: int) -> Call:
    """A model that takes so many rows at once, no more and no fewer: asked piece by piece, the last row repeated."""

    def asked_in_pieces(x: Any, sigma: Any) -> Any:
        level = np.asarray(sigma)
        out = []
        for i in range(0, len(x), rows):
            index = np.minimum(np.arange(i, i + rows), len(x) - 1)
            answer = call(x[index], level[index] if level.ndim else sigma)
            out.append(answer[: len(x) - i] if np.ndim(answer) else answer)
        return np.concatenate(out)

    return asked_in_pieces


def _torch(module: Any) -> Call:
    """A module asked with tensors of the type of its weights, where these are; in evaluation mode, without gradients.

    Its noise level is a tensor of no dimension, or (n,) where it wants one for each row.
    """
    import torch

    weights = (x for part in ("parameters", "buffers") if hasattr(module, part) for x in getattr(module, part)())
    first = next((x for x in weights if x.is_floating_point()), torch.zeros((), dtype=torch.float32))
    if hasattr(module, "eval"):
        module.eval()  # dropout and batch normalisation would depend on the batch

    def tensor(x: Any) -> Any:
        return torch.as_tensor(np.asarray(x), dtype=first.dtype, device=first.device)

    def call(x: Any, sigma: Any) -> Any:
        with torch.no_grad():
            return module(tensor(x), tensor(sigma)).double().cpu().numpy()

    return call


@contextmanager
def evaluating(*given: Any) -> Iterator[None]:
    """While the block runs, PyTorch modules among those given may be set to evaluate; then each of their parts is as it was."""
    modules = [x for one in given if hasattr(one, "modules") and hasattr(one, "training") for x in one.modules()]
    modes = [x.training for x in modules]
    try:
        yield
    finally:
        for x, mode in zip(modules, modes, strict=True):
            x.training = mode


def _shaped(call: Call, shape: tuple[int, ...]) -> Call:
    """The same on flattened points."""
    size = math.prod(shape)

    def flat(x: Any, sigma: Any) -> Any:
        if x.shape[1] != size:
            raise InputError(f"shape {shape} has {counted(size, 'number')}, but a point of the data has {x.shape[1]}")
        out = np.asarray(call(x.reshape(len(x), *shape), sigma))
        return out.reshape(len(x), -1) if out.shape == (len(x), *shape) else out

    return flat


def loaded_function(given: Any, what: str, form: str) -> Callable[..., Any]:
    """A callable of another form than a model's, such as renoise(y, tau, z), given as such or as ``FILE.py:NAME``."""
    call = _from_file(given, what) if isinstance(given, str) else given
    if not callable(call):
        raise InputError(f"{what} is {shown(given)}; a callable {form} or FILE.py:NAME is needed")
    found: Callable[..., Any] = call
    return found
