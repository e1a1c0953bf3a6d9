"""Models of every framework as callables: a Python file, an ONNX file, a PyTorch module; images of a stated shape."""

from __future__ import annotations

import math
import os
import re
import runpy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cmbound.certification.user import asked
from cmbound.checks import shown
from cmbound.errors import InputError
from cmbound.numbers import counted

Call = Callable[[Any, Any], Any]
_ONNX = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16"}


def runs_code(given: Any) -> bool:
    """Whether a model is named by a Python file, which is run."""
    return isinstance(given, str) and re.search(r"\.py:\w+$", given) is not None


def loaded(given: Any, what: str, shape: tuple[int, ...] | None = None) -> Call:
    """The callable f(x, sigma) on arrays (n, d).

    Args:
        given: a callable, a PyTorch module, or text: ``FILE.py:NAME`` (the file is run, with all that stands in it) or
            ``FILE.onnx`` (onnxruntime, extra ``onnx``; its two inputs are x and sigma).
        what: what it is called in messages.
        shape: of one point, such as (3, 32, 32), where the model wants points of more than one dimension.

    Raises:
        InputError: no such file or name, a library that is missing, or something that cannot be called.
    """
    if isinstance(given, str | os.PathLike):
        name = os.fspath(given)
        call = _onnx(name, what) if name.lower().endswith(".onnx") else _from_file(name, what)
    else:
        call = given
    if any(x.__module__.partition(".")[0] == "torch" for x in type(call).__mro__):
        call = _torch(call)
    if not callable(call):
        raise InputError(f"{what} is {shown(given)}; a callable f(x, sigma), FILE.py:NAME or FILE.onnx is needed")
    return call if shape is None else _shaped(call, shape)


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


def _onnx(path: str, what: str) -> Call:
    if not Path(path).is_file():
        raise InputError(f"{what}: {path}: no such file")
    try:
        import onnxruntime
    except ImportError:
        raise InputError("an ONNX model needs onnxruntime: pip install 'cmbound[onnx]'") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise InputError(f"{what}: {path} is no ONNX model that can be run: {text}") from None
    inputs = session.get_inputs()
    if len(inputs) != 2 or any(x.type not in _ONNX for x in inputs):
        kinds = ", ".join(f"{x.name} {x.type}" for x in inputs)
        raise InputError(f"{what}: {path} has the inputs {kinds}; two of real numbers, x and sigma, are needed")
    first, second = sorted(inputs, key=lambda x: x.name.lower() in ("sigma", "sigmas", "t", "noise"))
    rank, rows = len(second.shape), _fixed(first)
    width = _fixed(second) if rank else None

    def call(x: Any, sigma: Any) -> Any:
        level = (
            np.broadcast_to(np.asarray(sigma), (len(x),) if width in (None, rows) else (width,)) if rank else np.asarray(sigma)
        )
        level = level.reshape(-1, *(1,) * (rank - 1)) if rank else level
        given = {first.name: x.astype(_ONNX[first.type]), second.name: np.ascontiguousarray(level, dtype=_ONNX[second.type])}
        return session.run(None, given)[0]

    return call if rows is None else _padded(call, rows)


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


def loaded_renoise(given: Any) -> Callable[[Any, Any, Any], Any]:
    """A callable renoise(y, tau, z), given as such or as ``FILE.py:NAME``."""
    call = _from_file(given, "renoise") if isinstance(given, str) else given
    if not callable(call):
        raise InputError(f"renoise is {shown(given)}; a callable renoise(y, tau, z) or FILE.py:NAME is needed")
    found: Callable[[Any, Any, Any], Any] = call
    return found
