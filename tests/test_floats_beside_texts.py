"""A float beside an exact text is the binary number it is; where only that stands in the way the error offers the text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cmbound
from cmbound.errors import CmboundError, DomainError

BASE: dict[str, Any] = {"d": 4, "m2": 3, "T": "5.833", "delta": "0.01", "L_f": 2, "eps_sc": "0.01", "eps_cm": "0.01"}
STEP = {**BASE, "h": "0.01"}
NODES = {name: x for name, x in BASE.items() if name not in ("T", "delta")}


@pytest.mark.parametrize(
    ("id", "given", "name", "text"),
    [
        ("explicit-map-error", {**STEP, "t": 5.833}, "t", "5.833"),
        ("explicit-map-error", {**STEP, "t": np.float64(5.833)}, "t", "5.833"),
        ("explicit-map-error", {**STEP, "t": np.float32(5.833)}, "t", "5.833"),
        ("explicit-multistep", {**STEP, "times": np.array([5.833, 1], dtype=np.float32)}, "times", "5.833"),
        ("explicit-one-step", {**STEP, "T": "0.11", "h": 0.1}, "h", "0.1"),
        ("explicit-one-step", {**STEP, "T": "0.11", "h": 0.1, "grid": "two-stage"}, "h", "0.1"),
        ("explicit-multistep", {**STEP, "k": 2, "t_hat": 5.833}, "t_hat", "5.833"),
        ("explicit-multistep", {**STEP, "times": [5.833, "1"]}, "times", "5.833"),
        ("explicit-multistep", {**STEP, "times": np.array([5.833, 1.0])}, "times", "5.833"),
        ("explicit-one-step", {**NODES, "T": "5.833", "grid": ["0.01", "1", 5.833]}, "grid", "5.833"),
        ("explicit-one-step", {**NODES, "T": 5.833, "grid": ["0.01", "1", "5.833"]}, "T", "5.833"),
        ("explicit-one-step", {**NODES, "delta": "0.01", "grid": np.array([0.01, 1, 5])}, "grid", "0.01"),
        ("explicit-one-step", {**STEP, "t_star": 0.01, "L_s": 400}, "t_star", "0.01"),
        ("explicit-tv-smoothing", {**STEP, "T": "0.11", "delta": "0.01", "u": 0.1, "L_s": 3}, "u", "0.1"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_the_error_offers_the_text(id: str, given: dict[str, Any], name: str, text: str) -> None:
    with pytest.raises(CmboundError) as caught:
        cmbound.theorem(id).evaluate(**given)
    message = str(caught.value)
    assert "\n" not in message
    assert f"{name} was given as a float" in message
    number = message.partition("the binary number ")[2].split()[0]
    assert number.startswith(text)
    assert number != text
    assert f" {text}: write it as text, {text!r}" in message


def test_nothing_is_offered_where_it_would_not_help() -> None:
    theorem = cmbound.theorem("explicit-map-error")
    for given in ({"t": 6.1}, {"t": "5.9"}, {"t": 0.01}, {"t": 5.833, "m2": -1}):
        with pytest.raises(DomainError) as caught:
            theorem.evaluate(**{**STEP, **given})
        assert "float" not in str(caught.value)
    assert theorem.evaluate(**{**STEP, "t": "5.833"}).value == theorem.evaluate(**STEP).value


def test_compared_numbers_look_different() -> None:
    """Whatever the two numbers of a violated comparison are, the message shows them apart, in their order."""
    rows: tuple[tuple[str, dict[str, Any], tuple[str, str]], ...] = (
        ("explicit-map-error", {**STEP, "t": "5.8330001"}, ("T = 5.833", "t = 5.8330001")),
        ("explicit-one-step", {**STEP, "delta": "5.83300001", "T": "5.833"}, ("delta = 5.83300001", "T = 5.833")),
        ("explicit-one-step", {**STEP, "T": "0.0200000001", "h": "0.0100000002"}, ("T = 0.0200000001", "h = 0.0100000002")),
        (
            "explicit-one-step",
            {**STEP, "T": "1.00000001", "delta": "0.1", "h": "0.90000002"},
            ("T = 1", "h = 0.90000002"),
        ),
        ("explicit-one-step", {**STEP, "sd2": "3.00000001"}, ("sd2 = 3.00000001", "m2 = 3")),
        ("explicit-one-step", {**STEP, "sd2": "1.00000001", "R": 1}, ("sd2 = 1.00000001", "R = 1")),
    )
    for id, given, texts in rows:
        with pytest.raises(DomainError) as caught:
            cmbound.theorem(id).evaluate(**given)
        assert all(x in str(caught.value) for x in texts), str(caught.value)
