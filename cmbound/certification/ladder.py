"""The rungs, from sampled paths to bounds: the probability of an error is shared out among all means (theory 5.1, 5.4)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cmbound.certification.apriori import a_priori
from cmbound.certification.bounds import CONDITIONAL, Root, added, exact, root
from cmbound.certification.certificate import Rung
from cmbound.certification.request import Request
from cmbound.certification.telescope import SUMMED, TINY, Sampled, Setup, roots
from cmbound.distances.samples import ASYMPTOTIC, GUARANTEED
from cmbound.worlds.base import Array
from cmbound.worlds.process import time_of

LOCAL = ("score", "discretisation")
"""Errors of the teacher's step, which the model passes on."""


class Ladder:
    """The rungs, with the probability of an error shared out among all means."""

    def __init__(self, request: Request, setup: Setup, paths: Sampled, alpha: float, most: float | None) -> None:
        self.request, self.setup, self.paths, self.most = request, setup, paths, most
        n = request.steps
        self.tail = alpha / (len(request.times) + 1 + 5 + 6 * n)
        self.box = None if request.clip is None else setup.law.d * (request.clip[1] - request.clip[0]) ** 2
        self.rounding = TINY * setup.law.sd2
        self.ode_error = 2 * float(roots(paths.apart)) if len(paths.apart) else 0.0
        low = request.sigmas[0]
        root_of = self._root
        self.steps = {name: [root_of(x, self.box) for x in paths.steps[name]] for name in SUMMED}
        # a sum of n differences of clipped outputs has norm at most n times the diameter
        wide = None if self.box is None else n * n * self.box
        self.terms = {name: root_of(paths.terms[name], wide) for name in SUMMED}
        self.terms |= {name: root_of(paths.terms[name], self.box) for name in ("initialisation", "boundary")}
        spread = exact(low * math.sqrt(setup.law.d))
        self.terms["early_stopping"] = Root(float(roots(paths.terms["early_stopping"])), spread.upper, spread.guaranteed)
        self.local = [
            (root_of(a, None), root_of(b, None)) for a, b in zip(paths.local_score, paths.local_discretisation, strict=True)
        ]
        self.lipschitz, self.claimed = self._lipschitz()

    def _root(self, values: Array, most: float | None) -> Root:
        return root(values, self.tail, None if most is None else math.sqrt(most))

    def _lipschitz(self) -> tuple[Array, bool]:
        """A Lipschitz constant at every noise level: claimed, or the largest that was seen."""
        claims = dict(self.request.claims)
        if "L_f" in claims:
            return np.array(claims["L_f"]), True
        seen = np.array([x.quotient for x in self.paths.pairs])
        for j, pair in enumerate(self.local):
            for name, local in zip(LOCAL, pair, strict=True):
                if local.estimate > self.rounding:  # what the proof needs is the root mean square quotient
                    seen[j] = max(seen[j], self.steps[name][j].estimate / local.estimate)
        moved = float(roots(self.paths.x0))
        if moved > self.rounding:
            seen[-1] = max(seen[-1], self.terms["initialisation"].estimate / moved)
        return np.maximum(seen, np.finfo(np.float64).tiny), False

    def rungs(self, refuted: set[str]) -> tuple[dict[str, Rung], list[str]]:
        """The rungs that can be had, and why others cannot."""
        ends = [self.terms["boundary"], self.terms["early_stopping"]]
        early = self.request.sigmas[0] * math.sqrt(self.setup.law.d)
        start = self.terms["initialisation"]
        wider = exact(self.ode_error)
        direct = added([self._root(self.paths.direct, self.most), wider])
        attributed = added([start, *(self.terms[x] for x in SUMMED), *ends, wider])
        stepwise = added([start, *(y for x in SUMMED for y in self.steps[x]), *ends, wider])
        found = {"direct": direct, "attributed": attributed, "stepwise": stepwise}
        firm = not self.claimed or "L_f" in refuted
        local = self._local([*ends, wider])
        rungs = {}
        # a bound of what is larger is a bound of what is smaller; all hold jointly
        low, low_firm = math.inf, math.inf
        for name in reversed(found):
            x = found[name]
            low = min(low, x.upper)
            low_firm = min(low_firm, math.inf if x.guaranteed is None else x.guaranteed)
            trusted = math.isfinite(low_firm)
            rungs[name] = Rung(x.estimate, low_firm if trusted else low, GUARANTEED if trusted else ASYMPTOTIC, low)
        rungs = {name: rungs[name] for name in found}
        trust = CONDITIONAL if firm else ASYMPTOTIC
        above = rungs["stepwise"].asymptotic
        rungs["local"] = Rung(local.estimate, max(local.upper, above), trust, max(local.upper, above))
        last, reason = a_priori(self.request, self.setup, self.local_errors(False), self.terms["boundary"].estimate)
        if last is None:
            return rungs, [f"no a priori rung: {reason}"]
        upper, _ = a_priori(self.request, self.setup, self.local_errors(True), self.terms["boundary"].estimate)
        assert upper is not None
        # the other rungs hold the error of trajectories, and an early stopping that was sampled and may be a little too large
        more = max(0.0, ends[1].estimate - early) + self.ode_error
        top = max(upper, last + more, rungs["local"].upper)
        rungs["a_priori"] = Rung(last + more, top, trust, top)
        return rungs, [f"a priori: {reason}"] if reason else []

    def _local(self, ends: list[Root]) -> Root:
        parts = [exact(float(self.lipschitz[-1]) * self._moment), *self.steps["consistency"], *ends]
        for j, pair in enumerate(self.local):
            constant = float(self.lipschitz[j])
            for name, x in zip(LOCAL, pair, strict=True):
                # what is rounding before the model says nothing of a quotient: it is taken as it comes out of the model
                seen = x.estimate > self.rounding
                parts.append(Root(constant * x.estimate, constant * x.upper) if seen else self.steps[name][j])
        return added(parts)

    @property
    def _moment(self) -> float:
        """What the initialisation moves: m2, or what was seen if that is more."""
        return max(self.setup.law.m2, float(roots(self.paths.x0)))

    def local_errors(self, upper: bool) -> dict[str, Any]:
        """What the a priori statement takes: L_f, eps_sc and eps_cm of every step, from the lowest on."""

        def pick(x: Root) -> float:
            return x.upper if upper else x.estimate

        nodes = time_of(np.array(self.request.sigmas))
        error = [self._root(x, None) for x in self.paths.score_error]
        return {
            "L_f": self.lipschitz[1:],
            "eps_sc": np.array([pick(x) for x in error]) / np.square(self.request.sigmas[1:]),
            "eps_cm": np.array([pick(x) for x in self.steps["consistency"]]) / np.diff(nodes),
            "m2": self._moment,
        }

    def direct_of(self, values: Array) -> Rung:
        """The direct rung of a further evaluation."""
        x = added([self._root(values, self.most), exact(self.ode_error)])
        firm = x.guaranteed is not None
        return Rung(x.estimate, x.upper if x.guaranteed is None else x.guaranteed, GUARANTEED if firm else ASYMPTOTIC, x.upper)
