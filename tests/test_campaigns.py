"""Long campaigns: ``python -m pytest -m slow``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cmbound.verification.campaign import check
from cmbound.verification.planted import explicit_ids, planted

JOBS = os.cpu_count() or 1
PLANTED = Path(__file__).parent.parent / "paper_tables" / "planted.json"


@pytest.mark.slow
def test_ten_thousand_exact_instances() -> None:
    reports = [check(id, instances=1500, world="gaussian", seed=2026, jobs=JOBS) for id in explicit_ids()]
    assert all(x.violations == 0 for x in reports)
    assert sum(x.passed + x.undecided for x in reports) >= 10_000


@pytest.mark.slow
def test_two_thousand_instances_on_mixtures_and_data_sets() -> None:
    reports = [
        check(id, instances=120, world=world, seed=2026, jobs=JOBS) for id in explicit_ids() for world in ("mixture", "atoms")
    ]
    assert all(x.violations == 0 for x in reports)
    assert sum(x.passed + x.undecided for x in reports) >= 1200  # some laws have no density, or lack what a profile needs


@pytest.mark.slow
def test_no_new_mistake_survives() -> None:
    report = json.loads(PLANTED.read_text(encoding="utf-8"))
    known = {(x["theorem"], x["component"], x["change"]) for x in report["survived"]}
    found = planted(known=report, jobs=JOBS).having("survived")
    assert {(x.plant.theorem, x.plant.component, x.plant.change) for x in found} <= known
