"""cmbound: convergence guarantees of consistency models, exact, certified and comparable.

>>> import cmbound
>>> bound = cmbound.theorem("explicit-one-step").evaluate(
...     eps_sc="1e-3", eps_cm="1e-3", L_f=1, d=2, m2="1.2", T=5, delta="1e-4", h="1e-4", profile="universal"
... )
>>> float(bound) < 1.2
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from cmbound.analysis.comparison import Comparison, compare
    from cmbound.analysis.complexity import complexities, verdicts
    from cmbound.analysis.corollaries import check_corollary, corollaries
    from cmbound.analysis.orders import orders
    from cmbound.analysis.phase import phase
    from cmbound.analysis.records import Corollary
    from cmbound.analysis.sensitivity import dominance, dominating, elasticities, elasticity
    from cmbound.catalogue import catalogue, theorem
    from cmbound.errors import (
        CmboundError,
        DomainError,
        InputError,
        MissingParameterError,
        UndecidedError,
        UnknownNameError,
    )
    from cmbound.grids import Grid
    from cmbound.output.table import Table
    from cmbound.planning.budget import Budget, solve
    from cmbound.planning.schedule import Schedule, schedule
    from cmbound.presets import preset
    from cmbound.profiles import PROFILES, Profile
    from cmbound.records import Approximation, Assumption, Evaluation, Reference, Term, Theorem
    from cmbound.sweeps import sweep
    from cmbound.tables import table
    from cmbound.verification.campaign import check
    from cmbound.verification.falsify import falsify
    from cmbound.verification.planted import planted
    from cmbound.verification.simulation import simulate
    from cmbound.worlds import Atoms, Gaussian, Mixture

_HOMES = {
    "analysis.comparison": ("Comparison", "compare"),
    "analysis.complexity": ("complexities", "verdicts"),
    "analysis.corollaries": ("check_corollary", "corollaries"),
    "analysis.orders": ("orders",),
    "analysis.phase": ("phase",),
    "analysis.records": ("Corollary",),
    "analysis.sensitivity": ("dominance", "dominating", "elasticities", "elasticity"),
    "catalogue": ("catalogue", "theorem"),
    "errors": (
        "CmboundError",
        "DomainError",
        "InputError",
        "MissingParameterError",
        "UndecidedError",
        "UnknownNameError",
    ),
    "grids": ("Grid",),
    "output.table": ("Table",),
    "planning.budget": ("Budget", "solve"),
    "planning.schedule": ("Schedule", "schedule"),
    "presets": ("preset",),
    "profiles": ("PROFILES", "Profile"),
    "records": ("Approximation", "Assumption", "Evaluation", "Reference", "Term", "Theorem"),
    "sweeps": ("sweep",),
    "tables": ("table",),
    "verification.campaign": ("check",),
    "verification.falsify": ("falsify",),
    "verification.planted": ("planted",),
    "verification.simulation": ("simulate",),
    "worlds": ("Atoms", "Gaussian", "Mixture"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "PROFILES",
    "Approximation",
    "Assumption",
    "Atoms",
    "Budget",
    "CmboundError",
    "Comparison",
    "Corollary",
    "DomainError",
    "Evaluation",
    "Gaussian",
    "Grid",
    "InputError",
    "MissingParameterError",
    "Mixture",
    "Profile",
    "Reference",
    "Schedule",
    "Table",
    "Term",
    "Theorem",
    "UndecidedError",
    "UnknownNameError",
    "__version__",
    "catalogue",
    "check",
    "check_corollary",
    "compare",
    "complexities",
    "corollaries",
    "dominance",
    "dominating",
    "elasticities",
    "elasticity",
    "falsify",
    "orders",
    "phase",
    "planted",
    "preset",
    "schedule",
    "simulate",
    "solve",
    "sweep",
    "table",
    "theorem",
    "verdicts",
]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used: ``import cmbound`` alone imports no numerical library."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(f"cmbound.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
