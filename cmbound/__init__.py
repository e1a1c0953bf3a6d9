"""cmbound: convergence guarantees of consistency models, exact, certified and comparable.

>>> import cmbound
>>> bound = cmbound.theorem("explicit-one-step").evaluate(
...     eps_sc="1e-3", eps_cm="1e-3", L_f=1, d=2, m2="1.2", T=5, delta="1e-4", h="1e-4", profile="universal"
... )
>>> float(bound) < 1.2
True
"""

from __future__ import annotations

import ast
import importlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmbound.catalogue import catalogue as catalogue
from cmbound.evaluation import above

__version__ = "0.1.0"

if TYPE_CHECKING:
    from cmbound.analysis.corollaries import check_corollary as check_corollary, corollaries as corollaries
    from cmbound.analysis.orders import orders as orders
    from cmbound.analysis.sensitivity import (
        dominance as dominance,
        dominating as dominating,
        elasticities as elasticities,
        elasticity as elasticity,
    )
    from cmbound.catalogue.presets import preset as preset
    from cmbound.certification.certificate import Certificate as Certificate
    from cmbound.certification.certify import certify as certify
    from cmbound.certification.convert import convert as convert
    from cmbound.certification.examples import Example as Example, example as example
    from cmbound.certification.measured import measured_profile as measured_profile
    from cmbound.certification.nodes import measured_grid as measured_grid
    from cmbound.comparison.complexity import complexities as complexities, verdicts as verdicts
    from cmbound.comparison.phase import phase as phase
    from cmbound.comparison.records import Comparison as Comparison
    from cmbound.errors import (
        CmboundError as CmboundError,
        DomainError as DomainError,
        InputError as InputError,
        MissingParameterError as MissingParameterError,
        UndecidedError as UndecidedError,
        UnknownNameError as UnknownNameError,
    )
    from cmbound.evaluation.records import Approximation as Approximation, Evaluation as Evaluation
    from cmbound.evaluation.statement import Statement as Statement, register as register, theorem as theorem
    from cmbound.evaluation.sweeps import sweep as sweep
    from cmbound.papers.explorer.explorer import Explorer as Explorer, explore as explore
    from cmbound.papers.tables import table as table
    from cmbound.planning.budget import solve as solve
    from cmbound.planning.records import Budget as Budget, Schedule as Schedule
    from cmbound.planning.schedule import schedule as schedule
    from cmbound.reports.table import Table as Table
    from cmbound.theory.grids import Grid as Grid
    from cmbound.theory.notation import symbol as symbol
    from cmbound.theory.profiles import PROFILES as PROFILES
    from cmbound.theory.records import (
        Assumption as Assumption,
        Corollary as Corollary,
        Reference as Reference,
        Term as Term,
        Theorem as Theorem,
    )
    from cmbound.theory.rules import Profile as Profile
    from cmbound.verification.campaign import check as check
    from cmbound.verification.falsify import falsify as falsify
    from cmbound.verification.measured import compare as compare
    from cmbound.verification.planted import planted as planted
    from cmbound.verification.simulation import simulate as simulate
    from cmbound.worlds import Atoms as Atoms, Gaussian as Gaussian, Mixture as Mixture


@cache
def _home() -> dict[str, str]:
    """The public names, each with the module it is in: read off the imports above, so that they are listed once."""
    tree = ast.parse(Path(__file__).read_text(encoding="utf-8"))
    imports = (x for x in ast.walk(tree) if isinstance(x, ast.ImportFrom))
    return {x.name: str(node.module) for node in imports for x in node.names if x.asname}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used: ``import cmbound`` alone imports no numerical library."""
    if name == "__all__":
        return ["__version__", *sorted(_home())]
    if name.startswith("_") or name not in _home():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_home()[name]), name)
    globals()[name] = value
    return value


def _statement(record: Any) -> Any:
    return __getattr__("theorem")(record)


def _explore(*args: Any, **params: Any) -> Any:
    return __getattr__("explore")(*args, **params)


catalogue.present, above.explore = _statement, _explore


def __dir__() -> list[str]:
    return sorted(__getattr__("__all__"))
