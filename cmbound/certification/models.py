"""The model that is judged: any callable f(x, sigma) on arrays, asked in batches, its answers checked and clipped.

The protocol: x is a float array (n, d), sigma a number (or, where the model asks for it, an array (n,)), the result (n, d). The
model must be a function: the same row gives the same answer, whatever stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cmbound.errors import DomainError, InputError
from cmbound.worlds.base import LARGEST, Array
from cmbound.worlds.process import signal, time_of

Call = Callable[[Any, Any], Any]

SAME = 1e-3
"""Difference of two answers to one row, relative to their size, that is still rounding: half precision gives some 1e-3."""
PROBED = 16  # rows of the first batch: enough to see a dependence on the batch, few enough to cost nothing
OUTPUTS = ("denoiser", "score", "noise", "velocity")
"""What a teacher returns: E[x_0 | x], the score, the predicted noise, or v = c noise - s x_0 with c^2 + s^2 = 1, s = sigma c."""


class Model:
    """A callable on noised points, asked in batches.

    Args:
        call: the protocol above, in units of the clock.
        d: dimension.
        name: what messages call it.
        batch: most rows of one call.
        clip: every coordinate of an answer is clipped to this interval (None: not at all).
        clock: ``ve``, where the model is asked at (x, sigma); or ``ou``, where it is asked at (x/(1 + sigma^2)^{1/2}, t) with
            t = log(1 + sigma^2)/2, and its answer is multiplied by ``factor``.
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
        level, points = sigma, np.array(x, dtype=self.dtype)
        if self.clock == "ou":
            level = float(time_of(sigma))
            points *= points.dtype.type(signal(level))
        try:
            raw = self.call(points, np.full(len(x), level, dtype=self.dtype) if self.by_row else level)
            values = np.asarray(raw)
        except (InputError, DomainError, KeyboardInterrupt, MemoryError):
            raise
        except Exception as error:
            text = " ".join(str(error).split())[:200]
            raise InputError(f"{where} failed for rows {first} to {first + len(x) - 1}: {type(error).__name__}: {text}") from None
        if values.shape != x.shape:
            raise InputError(f"{where} returned shape {values.shape}; the shape of its argument, {x.shape}, is needed")
        if values.dtype.kind not in "fiu":
            raise InputError(f"{where} returned an array of {values.dtype}; real numbers are needed")
        answer = values.astype(np.float64)
        finite = np.isfinite(answer).all(axis=1)
        if not finite.all():
            row = first + int(np.argmin(finite))
            raise InputError(f"{where} returned values that are not finite, first in row {row} ({int((~finite).sum())} rows)")
        size = float(np.abs(answer).max())
        if size > LARGEST:
            raise InputError(f"{where} returned a value of size {size:.3g}; at most {LARGEST:g} is allowed")
        if self.factor != 1:
            answer *= self.factor
        return answer if self.clip is None else np.clip(answer, *self.clip)

    def probe(self, x: Array, sigmas: Sequence[float]) -> None:
        """Ask for a few rows at several noise levels, twice and in another batch.

        Raises:
            InputError: what is wrong with the answers, with the noise level and the row.
        """
        rows = np.ascontiguousarray(x[:PROBED])
        for sigma in sigmas:
            scaled = rows * (sigma / max(sigmas))
            given = scaled.copy()
            first = self._asked_once(scaled, sigma)
            if not np.array_equal(given, scaled):
                raise InputError(f"the {self.name} changes its argument (at noise level {sigma:g})")
            self._compare(first, self(scaled, sigma), sigma, "is asked twice: it must not be random")
            alone = np.concatenate([self(scaled[i : i + 1], sigma) for i in range(len(scaled))])
            self._compare(first, alone, sigma, "is asked in another batch: it must not depend on other rows")

    def _asked_once(self, x: Array, sigma: float) -> Array:
        """The answer to the first question; a model that wants a noise level for each row is found out here."""
        try:
            return self(x, sigma)
        except InputError as error:
            if self.by_row or "failed for rows" not in str(error):
                raise
            self.by_row = True
            try:
                return self(x, sigma)
            except InputError:
                self.by_row = False
                raise error from None

    def _compare(self, first: Array, second: Array, sigma: float, when: str) -> None:
        size = max(float(np.abs(first).max()), 1e-30)
        apart = np.abs(first - second).max(axis=1)
        row = int(apart.argmax())
        if apart[row] > SAME * size:
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
        return self.read(self.model(x, sigma), x, sigma)

    def read(self, raw: Array, x: Array, sigma: float) -> Array:
        """The denoiser's answer that an answer of the teacher at (x, sigma) stands for."""
        c = 1 / np.hypot(1, sigma)
        if self.output == "denoiser":
            return raw
        if self.output == "score":
            return np.asarray(x + sigma**2 * (raw * (c if self.model.clock == "ou" else 1.0)))
        if self.output == "noise":
            return np.asarray(x - sigma * raw)
        return np.asarray(c * c * x - sigma * c * raw)
