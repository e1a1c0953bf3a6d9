"""The model that is judged: any callable f(x, sigma) on arrays, asked in batches, its answers checked and clipped.

The protocol: x is a float array (n, d), sigma a number (or, where the model asks for it, an array (n,)), the result (n, d). The
model must be a function: the same row gives the same answer, whatever stands beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from cmbound.certification.user import array_of
from cmbound.errors import InputError
from cmbound.frozen import FrozenDict
from cmbound.worlds.base import LARGEST, Array
from cmbound.worlds.process import signal, time_of

Call = Callable[[Any, Any], Any]

SAME = 1e-3
"""Difference of two answers to one row, relative to their size, that is still rounding: half precision gives some 1e-3."""
COARSE = 1e-6  # relative rounding: single precision is below
UNITS = 16  # in the last place of x: answers that are nothing beside x are differences of numbers of its size
PROBED = 16  # rows of the first batch: enough to see a dependence on the batch, few enough to cost nothing
REPEATED = 512
"""Rows that are asked for once more in another order: a part of a thousand that is random is seen at some noise level."""
OUTPUTS = ("denoiser", "score", "noise", "velocity")
"""What a teacher returns: the denoiser D = E[x_0 | x], the score (D - x)/sigma^2, the predicted noise (x - D)/sigma, or the
velocity (noise - sigma D)/(1 + sigma^2)^{1/2} of v-prediction (Salimans and Ho 2022). In the clock ``ou`` a score is that of
p_t."""


@dataclass(frozen=True)
class Asking:
    """How a model is asked for a point x = x_0 + sigma z: the factor of x, and the number it is given for the noise level."""

    scale: Callable[[float], float]
    level: Callable[[float], float]


ASKINGS: Mapping[str, Asking] = FrozenDict(
    {
        "ve": Asking(lambda s: 1.0, lambda s: s),
        "ou": Asking(lambda s: float(signal(time_of(s))), lambda s: float(time_of(s))),
        "(x/(1 + sigma^2)^{1/2}, sigma)": Asking(lambda s: float(signal(time_of(s))), lambda s: s),
        "(x/(1 + sigma), sigma/(1 + sigma))": Asking(lambda s: 1 / (1 + s), lambda s: s / (1 + s)),
        "(x, sigma^2)": Asking(lambda s: 1.0, lambda s: s * s),
        "(x, log(sigma))": Asking(lambda s: 1.0, lambda s: float(np.log(s))),
        "(x, log(sigma)/4)": Asking(lambda s: 1.0, lambda s: float(np.log(s)) / 4),
    }
)
"""The two clocks, and other ways that are met (among them flow matching and the c_noise of EDM), by what a model is given."""


class Model:
    """A callable on noised points, asked in batches.

    Args:
        call: the protocol above, in units of the clock.
        d: dimension.
        name: what messages call it.
        batch: most rows of one call.
        clip: every coordinate of an answer is clipped to this interval (None: not at all).
        clock: ``ve``, where the model is asked at (x, sigma); or ``ou``, where it is asked at (x/(1 + sigma^2)^{1/2}, t) with
            t = log(1 + sigma^2)/2, and its answer is multiplied by ``factor``; or another one of :data:`ASKINGS`.
        factor: from the units of an answer to those of the data.
        dtype: of the array it is asked with.
    """

    def __init__(
        self,
        call: Call,
        d: int,
        name: str,
        *,
        batch: int = 4096,
        clip: tuple[float, float] | None = None,
        clock: str = "ve",
        factor: float = 1.0,
        dtype: str = "float64",
    ) -> None:
        self.call, self.d, self.name, self.batch, self.clip = call, d, name, batch, clip
        self.clock, self.factor, self.dtype = clock, factor, dtype
        self.by_row = False
        """Whether it wants a noise level for each row."""
        self.remembered: list[tuple[Array, float, Array]] = []
        """Points (m, d), noise levels and answers of the probe, which the end of a run must find again."""
        self.returned: np.dtype[Any] = np.dtype(dtype)
        """Type of its answers."""

    def __call__(self, x: Array, sigma: float) -> Array:
        """Answers (n, d) in float64, in the units of the data.

        Raises:
            InputError: an exception of the model, a wrong shape, a wrong type, or values that are not finite; the message says
                at which noise level, and in which row.
        """
        out = np.empty(x.shape)
        for i in range(0, len(x), self.batch):
            out[i : i + self.batch] = self._answer(x[i : i + self.batch], sigma, i)
        return out

    def _answer(self, x: Array, sigma: float, first: int) -> Array:
        where = f"the {self.name} at noise level {sigma:g}"
        asking, points = ASKINGS[self.clock], np.array(x, dtype=self.dtype)
        level, scale = asking.level(sigma), asking.scale(sigma)
        if scale != 1:
            points *= points.dtype.type(scale)
        given = np.full(len(x), level, dtype=self.dtype) if self.by_row else level
        rows = f"{where}, rows {first} to {first + len(x) - 1},"
        values: Array = array_of(rows, lambda: self.call(points, given))
        if values.shape != x.shape:
            raise InputError(f"{where} returned shape {values.shape}; the shape of its argument, {x.shape}, is needed")
        if values.dtype.kind not in "fiu":
            raise InputError(f"{where} returned an array of {values.dtype}; real numbers are needed")
        answer, self.returned = values.astype(np.float64), values.dtype
        size = float(np.abs(answer).max())  # NaN where there is one
        if not math.isfinite(size):
            finite = np.isfinite(answer).all(axis=1)
            row = first + int(np.argmin(finite))
            raise InputError(f"{where} returned values that are not finite, first in row {row} ({int((~finite).sum())} rows)")
        if size > LARGEST:
            raise InputError(f"{where} returned a value of size {size:.3g}; at most {LARGEST:g} is allowed")
        if self.factor != 1:
            answer *= self.factor
        if self.clip is not None:
            np.minimum(np.maximum(answer, self.clip[0], out=answer), self.clip[1], out=answer)
        return answer

    def alike(self, **changed: Any) -> Model:
        """The same model with some of its attributes changed."""
        other = copy(self)
        other.remembered = []
        for name, value in changed.items():
            setattr(other, name, value)
        return other

    def probe(self, x0: Array, z: Array, sigmas: Sequence[float]) -> None:
        """Ask at every noise level for a batch, for few of its rows, one row alone, and many of them in another order.

        Args:
            x0, z: points and noise (n, d); n is the size of a batch of the run. The model is asked at x0 + sigma z.
            sigmas: the noise levels it will be asked at.

        Raises:
            InputError: what is wrong with the answers, with the noise level and the row.
        """
        for sigma in sigmas:
            x = x0 + sigma * z
            few, given = x[:PROBED], x[:PROBED].copy()
            first = self._asked_once(few, sigma)
            if not np.array_equal(given, few):
                raise InputError(f"the {self.name} changes its argument (at noise level {sigma:g})")
            self._compare(few, first, self(few, sigma), sigma, "is asked twice: it must not be random")
            other = "is asked in another batch: it must not depend on other rows"
            self._compare(few[:1], first[:1], self(few[:1], sigma), sigma, other)
            self.remembered.append((few.copy(), sigma, first))
            whole = self(x, sigma)
            self._compare(few, first, whole[:PROBED], sigma, other)
            again = self(x[:REPEATED][::-1].copy(), sigma)[::-1]
            both = "is asked twice: it must not be random, nor depend on the order of rows"
            self._compare(x[:REPEATED], whole[:REPEATED], again, sigma, both)

    def confirm(self) -> None:
        """Ask once more for what the probe was answered.

        Raises:
            InputError: an answer has changed since.
        """
        for x, sigma, answer in self.remembered:
            self._compare(x, answer, self(x, sigma), sigma, "is asked again at the end: it must not change while it is used")

    def rounding(self) -> list[tuple[str, float]]:
        """What is rounded more than single precision rounds, and by how much: known after the probe."""
        found = []
        top, level, _ = max(self.remembered, key=lambda probed: probed[1])
        unit = float(np.finfo(self.dtype).eps) / 2
        if unit > COARSE:
            off = unit * float(np.abs(top).max())
            found.append(
                (f"the {self.name} is asked in {self.dtype}: at noise level {level:g} x is rounded by up to {off:.2g}", off)
            )
        sizes = [(float(np.abs(answer).max()), sigma) for _, sigma, answer in self.remembered]
        size, level = max(sizes)
        whole = self.returned.kind in "iu"
        off = 0.5 * abs(self.factor) if whole else float(np.finfo(self.returned).eps) / 2 * size
        if whole or off > COARSE * size:
            told = f"the {self.name} returns {self.returned}: at noise level {level:g} answers up to {size:.3g}"
            found.append((f"{told} are rounded by up to {off:.2g}", off))
        return found

    def _asked_once(self, x: Array, sigma: float) -> Array:
        """The answer to the first question; a model that wants a noise level for each row is found out here."""
        try:
            return self(x, sigma)
        except InputError as error:
            if self.by_row or " failed: " not in str(error):
                raise
            self.by_row = True
            try:
                return self(x, sigma)
            except InputError:
                self.by_row = False
                raise error from None

    def _compare(self, x: Array, first: Array, second: Array, sigma: float, when: str) -> None:
        rounding = UNITS * float(np.finfo(self.dtype).eps) * float(np.abs(x).max()) * abs(self.factor)
        apart = np.abs(first - second).max(axis=1)
        row = int(apart.argmax())
        if apart[row] > max(SAME * float(np.abs(first).max()), rounding, 1e-33):
            raise InputError(
                f"the {self.name} at noise level {sigma:g} gives other values when it {when} (row {row}, by {apart[row]:.3g})"
            )


class Denoiser:
    """A teacher's E[x_0 | x_0 + sigma z = x], whatever it returns.

    Args:
        model: the teacher.
        output: one of :data:`OUTPUTS`; in the clock ``ou`` a score is that of p_t.
    """

    def __init__(self, model: Model, output: str) -> None:
        self.model, self.output = model, output

    def __call__(self, x: Array, sigma: float) -> Array:
        """Shape (n, d)."""
        return read(self.output, self.model(x, sigma), x, sigma, self.model.clock)


def read(output: str, raw: Array, x: Array, sigma: float, clock: str) -> Array:
    """The denoiser (n, d) behind the answer ``raw`` at x, if that is an ``output`` of a model asked in this clock."""
    c = 1 / np.hypot(1, sigma)
    if output == "denoiser":
        return raw
    if output == "score":
        return np.asarray(x + sigma**2 * (raw * ASKINGS[clock].scale(sigma)))
    if output == "noise":
        return np.asarray(x - sigma * raw)
    return np.asarray(c * c * x - sigma * c * raw)
