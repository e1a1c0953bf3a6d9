"""The rungs, from sampled paths to bounds: the probability of an error is shared out among all means (theory 5.1, 5.4)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from cmbound.certification.apriori import a_priori
from cmbound.certification.bounds import CONDITIONAL, Root, Weighed, added, exact, firm_sum, root, summed
from cmbound.certification.certificate import Rung
from cmbound.certification.request import Request
from cmbound.certification.telescope import SUMMED, TINY, Sampled, Setup, roots
from cmbound.distances.samples import ASYMPTOTIC, GUARANTEED
from cmbound.worlds.base import Array
from cmbound.worlds.process import time_of

LOCAL = ("score", "discretisation")
"""Errors of the teacher's step, which the model passes on."""


def tail_of(request: Request, alpha: float) -> float:
    """What is shared out among what is printed: the direct rung of every evaluation, and one of each other rung."""
    return alpha / (len(request.times) + 1 + 4)


class Ladder:
    """The rungs, with the probability of an error shared out among all means."""

    def __init__(
        self, request: Request, setup: Setup, paths: Sampled, alpha: float, most: float | None, refuted: set[str],
        outer: Sequence[float],
    ) -> None:  # fmt: skip
        """``outer``: where paths do not show the law, for each evaluation an upper bound of W2 that rests on none; else empty."""
        self.outer = outer
        self.request, self.setup, self.paths, self.most = request, setup, paths, most
        self.tail = tail_of(request, alpha)
        self.rounding = TINY * setup.law.sd2
        self.ode_error = 2 * float(roots(paths.apart)) if len(paths.apart) else 0.0
        low = request.sigmas[0]
        self.steps = {name: [float(roots(x)) for x in paths.steps[name]] for name in SUMMED}
        self.terms = {name: float(roots(x)) for name, x in paths.terms.items()}
        self.early = low * math.sqrt(setup.law.d)
        self.local = [
            (float(roots(a)), float(roots(b))) for a, b in zip(paths.local_score, paths.local_discretisation, strict=True)
        ]
        self.claimed = "L_f" in dict(request.claims) and "L_f" not in refuted
        self.lipschitz = self._lipschitz()

    def _root(self, values: Array, most: float | None) -> Root:
        return root(values, self.tail, None if most is None else math.sqrt(most))

    def _lipschitz(self) -> Array:
        """A Lipschitz constant at every noise level: claimed and not refuted, or the largest that was seen."""
        if self.claimed:
            given: Array = np.array(dict(self.request.claims)["L_f"])
            return given
        seen = np.array([x.quotient for x in self.paths.pairs])
        for j, pair in enumerate(self.local):
            for name, local in zip(LOCAL, pair, strict=True):
                if local > self.rounding:  # what the proof needs is the root mean square quotient
                    seen[j] = max(seen[j], self.steps[name][j] / local)
        moved = float(roots(self.paths.x0))
        if moved > self.rounding:
            seen[-1] = max(seen[-1], self.terms["initialisation"] / moved)
        return np.asarray(np.maximum(seen, np.finfo(np.float64).tiny))

    def rungs(self) -> tuple[dict[str, Rung], list[str]]:
        """The rungs that can be had, and why others cannot."""
        paths, wider = self.paths, exact(self.ode_error)
        outer: list[Weighed] = [(paths.terms[x], 1.0) for x in ("initialisation", "boundary")]
        found = {
            "direct": added([self._root(paths.direct, self.most), wider]),
            "attributed": self._sum([*outer, *((paths.terms[x], 1.0) for x in SUMMED)], True),
            "stepwise": self._sum([*outer, *((y, 1.0) for x in SUMMED for y in paths.steps[x])], True),
        }
        local = self._local()
        rungs = {}
        # a bound of what is larger is a bound of what is smaller; all hold jointly
        low, low_firm = math.inf, math.inf
        for name in reversed(found):
            x = found[name]
            low = min(low, x.upper)
            low_firm = min(low_firm, math.inf if x.guaranteed is None else x.guaranteed)
            trusted = math.isfinite(low_firm)
            normal = self._normal(low, 1)
            rungs[name] = Rung(x.estimate, low_firm if trusted else normal, GUARANTEED if trusted else ASYMPTOTIC, normal)
        rungs = {name: rungs[name] for name in found}
        above = rungs["stepwise"]
        normal = max(local.upper, above.asymptotic)
        rungs["local"] = Rung(local.estimate, max(normal, above.upper), CONDITIONAL, normal)
        last, reason = a_priori(self.request, self.setup, self.local_errors(False), self.terms["boundary"])
        if last is None:
            return rungs, [f"no a priori rung: {reason}"]
        upper, _ = a_priori(self.request, self.setup, self.local_errors(True), self.terms["boundary"])
        assert upper is not None
        # the other rungs hold the error of trajectories, and an early stopping that was sampled and may be a little too large
        more = max(0.0, self.terms["early_stopping"] - self.early) + self.ode_error
        top = max(upper, last + more, local.estimate, normal)
        # where the profile is exact, local errors that were sampled may be a little above it
        rungs["a_priori"] = Rung(max(last + more, local.estimate), max(top, rungs["local"].upper), CONDITIONAL, top)
        return rungs, [f"a priori: {reason}"] if reason else []

    def _sum(self, terms: list[Weighed], bounded: bool = False) -> Root:
        """A sum of root mean squares, with the early stopping, which is known, and the error of the trajectories."""
        seen = summed(terms, self.tail)
        firm = None
        if bounded and self.most is not None:
            # without the early stopping the terms add up to a difference of points of the box
            rest = self.paths.moved
            firm = firm_sum(terms, rest, self._box(), self.tail)
        early = Root(self.terms["early_stopping"], self.early, None if firm is None else self.early)
        return added([Root(seen.estimate, seen.upper, firm), early, exact(self.ode_error)])

    def _box(self) -> float:
        """The largest squared distance of two points of the box."""
        assert self.request.clip is not None
        low, high = self.request.clip
        return self.setup.law.d * (high - low) ** 2

    def _local(self) -> Root:
        paths = self.paths
        terms: list[Weighed] = [(x, 1.0) for x in (paths.terms["boundary"], *paths.steps["consistency"])]
        moved = (paths.local_score, paths.local_discretisation)
        for j, pair in enumerate(self.local):
            constant = float(self.lipschitz[j])
            for name, x, values in zip(LOCAL, pair, moved, strict=True):
                # what is rounding before the model says nothing of a quotient: it is taken as it comes out of the model
                terms.append((values[j], constant) if x > self.rounding else (paths.steps[name][j], 1.0))
        return added([exact(float(self.lipschitz[-1]) * self._moment), self._sum(terms)])

    @property
    def _moment(self) -> float:
        """What the initialisation moves: m2, or what was seen if that is more."""
        return max(self.setup.law.m2, float(roots(self.paths.x0)))

    def local_errors(self, upper: bool) -> dict[str, Any]:
        """What the a priori statement takes: L_f, eps_sc and eps_cm of every step, from the lowest on."""

        def picked(values: Array) -> Array:
            if not upper:
                return roots(values)
            return np.array([root(x, self.tail / (2 * len(values)), None).upper for x in values])

        nodes = time_of(np.array(self.request.sigmas))
        return {
            "L_f": self.lipschitz[1:],
            "eps_sc": picked(self.paths.score_error) / np.square(self.request.sigmas[1:]),
            "eps_cm": picked(self.paths.steps["consistency"]) / np.diff(nodes),
            "m2": self._moment,
        }

    def _normal(self, upper: float, evaluation: int) -> float:
        """An asymptotic end: that of the paths, if they show the law."""
        return max(upper, self.outer[evaluation - 1]) if self.outer else upper

    def direct_of(self, values: Array, evaluation: int) -> Rung:
        """The direct rung of a further evaluation."""
        x = added([self._root(values, self.most), exact(self.ode_error)])
        firm = x.guaranteed is not None
        normal = self._normal(x.upper, evaluation)
        return Rung(x.estimate, normal if x.guaranteed is None else x.guaranteed, GUARANTEED if firm else ASYMPTOTIC, normal)
