"""Trains the shipped examples: ``python -m cmbound.certification.train moons`` (or ``digits``); extra ``train``.

First a denoiser, by regression on the mean of x_0 given x_0 + sigma z under the empirical law. (Denoising score matching
regresses on single draws of x_0, whose mean this is; Xu et al. 2023, arXiv:2302.00670, take a part of the data.) Then a student,
started from the denoiser's weights, by consistency distillation along Heun steps of the denoiser (Song et al. 2023,
arXiv:2303.01469, algorithm 2): squared errors, moving averages as target and as result, and a grid that becomes finer.

The same seed gives the same weights on the same machine with the same versions of JAX and optax, and about the same on another.
"""

from __future__ import annotations

import io
import json
import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cmbound.certification.examples import EXAMPLES, FOLDER, ORIGINS, RECORD, Origin, checksum
from cmbound.certification.networks import FREQUENCIES, HIDDEN, Array, perceptron, position, preconditioning
from cmbound.checks import checked_name
from cmbound.errors import CmboundError, InputError
from cmbound.files import read_text, write_files
from cmbound.frozen import FrozenDict

SEED = 0
"""Of weights and batches."""
BATCH = 512
"""Points in each gradient step."""
CHUNK = 100
"""Gradient steps compiled into one loop."""
RHO = 7.0
"""Exponent of the scale on which the student's noise levels are uniform (EDM)."""
LONGEST = 1.0  # gradients with a larger norm are shortened to it: the first steps of the student are wild otherwise
KEPT = 7  # bits kept of the ten of a float16 fraction: 0.4 % of a weight, unseen in any error, and a file smaller by a fifth


@dataclass(frozen=True)
class Plan:
    """How one example is trained.

    Attributes:
        data: the numbers to store, made anew.
        width: units of each hidden layer.
        denoiser_steps, student_steps: gradient steps, multiples of ``CHUNK``.
        rate: largest learning rate of Adam, reached after a warm-up and then lowered to 0 along a cosine.
        weight: the squared errors of the denoiser are weighted by c_out^(weight - 2); 0 is EDM's choice, and 2 weighs all alike.
        coarse, fine: steps in which the student crosses the noise levels at first, and in the last part of its training.
        substeps: Heun steps of the denoiser in one of them.
        target_decay, decay: of the moving averages that are the student's target, and the result.
    """

    data: Callable[[], npt.NDArray[Any]]
    width: int
    denoiser_steps: int
    student_steps: int
    rate: float
    weight: float
    coarse: float
    fine: float
    substeps: int
    target_decay: float
    decay: float = 0.9995


def moons() -> Array:
    """Scikit-learn's two moons, about the origin, with a root second moment of about 1.5."""
    from sklearn.datasets import make_moons

    points: Array = 1.5 * (make_moons(2000, noise=0.05, random_state=0)[0] - [0.5, 0.25])
    return points


def digits() -> npt.NDArray[np.uint8]:
    """Scikit-learn's handwritten digits: pixels 0..16, shape (1797, 64)."""
    from sklearn.datasets import load_digits

    pixels: npt.NDArray[np.uint8] = load_digits().data.astype(np.uint8)
    return pixels


PLANS: Mapping[str, Plan] = FrozenDict(
    {
        "moons": Plan(moons, 128, 20000, 20000, 3e-3, 1.0, coarse=4, fine=18, substeps=2, target_decay=0.9),
        "digits": Plan(digits, 256, 12000, 5000, 4e-3, 2.0, coarse=2, fine=6, substeps=3, target_decay=0.5),
    }
)


# --- the networks in JAX ------------------------------------------------------------------------------------------------


def initial(width: int, d: int, rng: np.random.Generator) -> dict[str, Array]:
    """Weights to begin with: a network of value 0, whose layers depend a little on the noise level."""
    weights: dict[str, Array] = {}
    for i in range(HIDDEN):
        inputs = d if i == 0 else width
        weights[f"W{i}"] = rng.normal(size=(inputs, width)) * math.sqrt(2.0 / inputs)
        weights[f"S{i}"] = 0.1 * rng.normal(size=(FREQUENCIES, width))
        weights[f"S{i}"][0] = 1.0
        weights[f"B{i}"] = 0.5 * rng.normal(size=(FREQUENCIES, width))
    return weights | {"W": np.zeros((width, d)), "b": np.zeros(d)}


def applied(kind: str, origin: Origin, weights: Any, x: Any, sigma: Any) -> Any:
    """A network in JAX at x (n, d) and sigma (n, 1)."""
    import jax.numpy as jnp

    skip, out, scale = preconditioning(kind, sigma, origin.sigma_data, origin.sigma_min, jnp.sqrt)
    place = position(sigma, origin.sigma_min, origin.sigma_max, jnp.log)
    return skip * x + out * perceptron(weights, scale * x, place, jnp)


# --- what is minimised --------------------------------------------------------------------------------------------------


def posterior_mean(data: Any, x: Any, sigma: Any) -> Any:
    """E[x_0 | x_0 + sigma z = x] for x_0 uniform on the rows of data; x (n, d), sigma (n, 1)."""
    import jax

    logits = (x @ data.T - 0.5 * (data * data).sum(axis=1)) / (sigma * sigma)
    return jax.nn.softmax(logits, axis=1) @ data


def noised(data: Any, key: Any, level: Callable[[Any], Any]) -> tuple[Any, Any, Any]:
    """Places in (0, 1), one in each of ``BATCH`` equal cells; the noise levels there, (n, 1); and data with as much noise."""
    import jax
    import jax.numpy as jnp

    first, second, third = jax.random.split(key, 3)
    place = ((jnp.arange(BATCH) + jax.random.uniform(first, (BATCH,))) / BATCH)[:, None]
    clean = data[jax.random.randint(second, (BATCH,), 0, len(data))]
    sigma = level(place)
    return place, sigma, clean + sigma * jax.random.normal(third, clean.shape)


def denoiser_loss(data: Any, origin: Origin, weight: float) -> Callable[..., Any]:
    """Mean of c_out^(weight - 2) times the squared error of the denoiser, sigma uniform on a logarithmic scale."""
    import jax.numpy as jnp

    ratio = math.log(origin.sigma_max / origin.sigma_min)

    def loss(weights: Any, target: Any, key: Any, progress: Any) -> Any:
        _, sigma, x = noised(data, key, lambda place: origin.sigma_min * jnp.exp(ratio * place))
        _, out, _ = preconditioning("denoiser", sigma, origin.sigma_data, origin.sigma_min, jnp.sqrt)
        error = applied("denoiser", origin, weights, x, sigma) - posterior_mean(data, x, sigma)
        return (error**2 * out ** (weight - 2.0)).mean()

    return loss


def heun(slope: Callable[[Any, Any], Any], x: Any, high: Any, low: Any) -> Any:
    """One Heun step of dx/dsigma = slope(x, sigma) from high to low."""
    first = slope(x, high)
    second = slope(x + (low - high) * first, low)
    return x + (low - high) * (first + second) / 2


def student_loss(data: Any, origin: Origin, plan: Plan, teacher: Any) -> Callable[..., Any]:
    """Mean squared consistency error in units of the data, between noise levels a step of a grid apart."""
    import jax
    import jax.numpy as jnp

    low, high = origin.sigma_min ** (1 / RHO), origin.sigma_max ** (1 / RHO)

    def level(place: Any) -> Any:
        return jnp.maximum((low + place * (high - low)) ** RHO, origin.sigma_min)

    def slope(x: Any, sigma: Any) -> Any:
        return (x - applied("denoiser", origin, teacher, x, sigma)) / sigma

    def loss(weights: Any, target: Any, key: Any, progress: Any) -> Any:
        place, upper, x = noised(data, key, level)
        # the grid is finest for the last 30 % of the training
        steps = plan.coarse * (plan.fine / plan.coarse) ** jnp.minimum(1.0, progress / 0.7)
        lower = level(jnp.maximum(place - 1.0 / steps, 0.0))
        nodes = [upper + (lower - upper) * i / plan.substeps for i in range(plan.substeps)] + [lower]
        before = x
        for i in range(plan.substeps):
            before = heun(slope, before, nodes[i], nodes[i + 1])
        wanted = jax.lax.stop_gradient(applied("student", origin, target, before, lower))
        return ((applied("student", origin, weights, x, upper) - wanted) ** 2).mean() / origin.sigma_data**2

    return loss


def minimised(loss: Callable[..., Any], start: Any, steps: int, plan: Plan, seed: int) -> Any:
    """The averaged weights after Adam on loss(weights, target, key, progress)."""
    import jax
    import optax

    schedule = optax.warmup_cosine_decay_schedule(0.0, plan.rate, steps // 20, steps)
    rule = optax.chain(optax.clip_by_global_norm(LONGEST), optax.adam(schedule, b2=0.99))

    def averaged(decay: float, mean: Any, weights: Any) -> Any:
        return jax.tree.map(lambda a, b: decay * a + (1 - decay) * b, mean, weights)

    def step(state: Any, key: Any) -> Any:
        weights, target, mean, memory, count = state
        value, gradient = jax.value_and_grad(loss)(weights, target, key, count / steps)
        change, memory = rule.update(gradient, memory)
        weights = optax.apply_updates(weights, change)
        target, mean = averaged(plan.target_decay, target, weights), averaged(plan.decay, mean, weights)
        return (weights, target, mean, memory, count + 1), value

    chunk = jax.jit(lambda state, keys: jax.lax.scan(step, state, keys))
    state, key = (start, start, start, rule.init(start), 0), jax.random.key(seed)
    for i in range(steps // CHUNK):
        state, values = chunk(state, jax.random.split(jax.random.fold_in(key, i), CHUNK))
        last = float(values.mean())
        if not math.isfinite(last):
            raise InputError(f"the loss is {last} after {(i + 1) * CHUNK} steps; a smaller rate is needed")
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{(i + 1) * CHUNK} of {steps} steps, loss {last:.5f} ")
    return state[2]


def mean_loss(loss: Callable[..., Any], weights: Any) -> float:
    """The loss of stored weights, to four digits: on average over ``CHUNK`` new batches, on the last grid, without target."""
    import jax

    single = jax.tree.map(jax.numpy.float32, weights)
    keys = jax.random.split(jax.random.key(SEED + 2), CHUNK)
    return float(f"{float(jax.lax.map(jax.jit(lambda key: loss(single, single, key, 1.0)), keys).mean()):.4g}")


# --- one example --------------------------------------------------------------------------------------------------------


def half(weights: Mapping[str, Any]) -> dict[str, npt.NDArray[np.float16]]:
    """Weights as they are stored: float16, rounded to ``KEPT`` bits of the fraction, so that they can be compressed."""
    cut = 10 - KEPT
    bits = {key: np.asarray(x, dtype=np.float16).view(np.uint16) for key, x in weights.items()}
    return {key: ((x + (1 << cut >> 1)) >> cut << cut).astype(np.uint16).view(np.float16) for key, x in bits.items()}


def train(name: str, folder: str | Path) -> dict[str, Any]:
    """Train an example and write its data, its weights and the record of its training to a folder.

    Raises:
        UnknownNameError: there is no example of this name.
        InputError: JAX, optax or scikit-learn is not installed, the training diverged, or a file cannot be written.
    """
    plan, origin = PLANS[checked_name("example", name, EXAMPLES)], ORIGINS[name]
    try:
        import jax
        import jax.numpy as jnp

        versions = {x: metadata.version(x) for x in ("jax", "optax", "scikit-learn", "numpy")}
    except ImportError as error:
        raise InputError(f"{error.name} is not installed: pip install 'cmbound[train]'") from None
    raw = plan.data()
    data = jnp.float32(origin.stored(raw))
    start = jax.tree.map(jnp.float32, initial(plan.width, data.shape[1], np.random.default_rng(SEED)))
    began = time.process_time()
    first = denoiser_loss(data, origin, plan.weight)
    teacher = half(minimised(first, start, plan.denoiser_steps, plan, SEED))
    steady = jax.tree.map(jnp.float32, teacher)  # the student learns from what is stored
    second = student_loss(data, origin, plan, steady)
    pupil = half(minimised(second, steady, plan.student_steps, plan, SEED + 1))
    seconds = round(time.process_time() - began)
    arrays = {"data": {"data": raw}, "denoiser": teacher, "student": pupil}
    record = {
        "width": plan.width,
        "denoiser_steps": plan.denoiser_steps,
        "student_steps": plan.student_steps,
        "denoiser_loss": mean_loss(first, teacher),
        "student_loss": mean_loss(second, pupil),
        "seconds": seconds,
        "seed": SEED,
        "versions": versions,
        "sha256": {kind: checksum(x) for kind, x in arrays.items()},
    }
    _write(name, Path(folder), arrays, record)
    return record


def _write(name: str, folder: Path, arrays: Mapping[str, Any], record: Mapping[str, Any]) -> None:
    file = folder / RECORD
    others = json.loads(read_text(file)) if file.is_file() else {}
    text = json.dumps(others | {name: record}, indent=2, sort_keys=True) + "\n"
    write_files([(folder / f"{name}-{kind}.npz", _packed(x)) for kind, x in arrays.items()] + [(file, text.encode())])


def _packed(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **arrays)
    return stream.getvalue()


def main(arguments: list[str]) -> int:
    """Train the examples that are named; the folder is this package's own, or what stands behind ``--to``."""
    folder = Path(__file__).with_name(FOLDER)
    if len(arguments) >= 2 and arguments[-2] == "--to":
        folder, arguments = Path(arguments[-1]), arguments[:-2]
    if not arguments:
        sys.stderr.write(f"python -m cmbound.certification.train EXAMPLE... [--to FOLDER], of {', '.join(EXAMPLES)}\n")
        return 2
    try:
        for name in arguments:
            sys.stdout.write(json.dumps({name: train(name, folder)}) + "\n")
    except CmboundError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
