"""``cmbound certify``, ``convert`` and ``grid``: files, formats, replay, the page in a browser."""

from __future__ import annotations

import html
import json
import math
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import cache, partial
from pathlib import Path
from typing import Any

import jsonschema
import mpmath
import numpy as np
import pytest

import cmbound
from cmbound.__main__ import _leave
from cmbound.certification import certificate, distance
from cmbound.certification.laws import law_of
from cmbound.certification.nodes import local_errors
from cmbound.certification.replay import misfit
from cmbound.certification.teachers import SOLVERS
from cmbound.certification.user import asked
from cmbound.cli import certify as shell
from cmbound.cli.certify import certified
from cmbound.errors import EndedError, InputError
from cmbound.evaluation.defining import from_file
from cmbound.numbers import rounded
from cmbound.papers.certificates import command, page
from tests.helpers import call, fails, fine, process, strict
from tests.latex import compiled, missing_tex

MODEL = """
import numpy as np

X = np.load({data!r})


def denoiser(x, sigma):
    logits = -((x - X.T) ** 2) / (2 * sigma**2)
    weights = np.exp(logits - logits.max(1, keepdims=True))
    return weights / weights.sum(1, keepdims=True) @ X


def student(x, sigma):
    return x if sigma <= 0.05 else denoiser(x, sigma / 2)


def renoise(y, tau, z):
    return y + tau * z
"""


def written(*arguments: str) -> None:
    """A command that writes a file."""
    outcome = call(*arguments)
    assert (outcome.status, outcome.out) == (0, ""), outcome


FEW = ("-n", "150", "--batches", "3")
CLAIMED = ("--clip", "-1,1", "--times", "1", "--L-f", "9")


@pytest.fixture(autouse=True, scope="module")
def few_steps() -> Iterator[None]:
    """A short ascent on the lower side: what is looked at here is how a certificate is asked for, written and read."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(distance, "ASCENT_STEPS", 30)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("certify")
    np.save(place / "data.npy", np.random.default_rng(0).uniform(-1, 1, (40, 1)))
    np.save(place / "fresh.npy", np.random.default_rng(1).uniform(-1, 1, (30, 1)))
    (place / "model.py").write_text(MODEL.format(data=str(place / "data.npy")))
    return place


def options(folder: Path, *more: str) -> tuple[str, ...]:
    taught = ("--teacher", f"{folder}/model.py:denoiser", "--data", f"{folder}/data.npy")
    return (
        "certify",
        f"{folder}/model.py:student",
        *taught,
        "--sigma-min",
        "0.05",
        "--sigma-max",
        "20",
        "--steps",
        "6",
        *FEW,
        *more,
    )


@cache
def printed(folder: Path, *more: str) -> str:
    """What the command prints as JSON."""
    return fine(*options(folder, *more), "--format", "json")


@cache
def written_page(folder: Path) -> str:
    """The page that the command writes."""
    written(*options(folder, *CLAIMED), "-o", str(folder / "report.html"))
    return (folder / "report.html").read_text(encoding="utf-8")


def schema() -> Any:
    return json.loads(Path(certificate.__file__).with_name("certificate.schema.json").read_text(encoding="utf-8"))


# --- the command ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more", [(), ("--clip", "-1,1", "--times", "1,0.3", "--held-out", "0.25"), ("--solver", "heun", "--L-f", "9")]
)
def test_json_follows_the_schema(folder: Path, more: tuple[str, ...]) -> None:
    data = strict(printed(folder, *more))
    jsonschema.Draft202012Validator(schema()).validate(data)
    assert len(data["levels"]) == 6
    assert len(data["evaluations"]) == (3 if "--times" in more else 1)
    assert data["distance"]["trust"] == ("guaranteed" if "--clip" in more else "asymptotic")
    assert ("a_priori" in data["rungs"]) == ("heun" not in more)
    assert data["rungs"]["local"]["trust"] == "conditional"
    assert any("L_f <= 9, claimed by the user" in x for x in data["notes"]) == ("--L-f" in more)


def test_the_schema_can_fail(folder: Path) -> None:
    validator = jsonschema.Draft202012Validator(schema())
    validator.check_schema(schema())
    data = strict(printed(folder))
    for name in schema()["required"]:
        assert not validator.is_valid({k: v for k, v in data.items() if k != name}), name
    for name, value in {"upper": -1, "levels": [], "rungs": {}, "schema_version": "2", "unknown": 1}.items():
        assert not validator.is_valid({**data, name: value}), name


def test_the_format_follows_the_name_of_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert written_page(folder).startswith("<!DOCTYPE html>")
    made: list[cmbound.Certificate] = []  # the same certificate in every form

    def once(call: dict[str, Any]) -> cmbound.Certificate:
        made.extend([] if made else [certified(call)])
        return made[0]

    monkeypatch.setattr(shell, "certified", once)
    for suffix, beginning in {
        "json": "{",
        "md": "**certificate",
        "tex": "% cmbound",
        "csv": "sigma_from",
    }.items():
        target = folder / f"report.{suffix}"
        written(*options(folder), "-o", str(target))
        assert target.read_text(encoding="utf-8").startswith(beginning)


def test_a_replay_finds_every_number_and_a_change(folder: Path) -> None:
    target = folder / "replay.json"
    more = ("--times", "1", "--renoise", f"{folder}/model.py:renoise", "--held-out", f"{folder}/fresh.npy", "--clip", "-1,1")
    written(*options(folder, *more), "-o", str(target))
    assert "numbers, 0 differ" in fine("certify", "--replay", str(target))
    data = json.loads(target.read_text(encoding="utf-8"))
    data["levels"][2]["consistency"] *= 1.01
    target.write_text(json.dumps(data), encoding="utf-8")
    again = call("certify", "--replay", str(target))
    assert again.status == 1
    assert "levels[2].consistency" in again.out
    data["request"]["fingerprint"] = "0" * 64
    target.write_text(json.dumps(data), encoding="utf-8")
    again = call("certify", "--replay", str(target))
    assert (again.status, "not those of the report" in again.err) == (2, True)


def test_a_replay_reads_every_word_and_survives_a_damaged_report(folder: Path) -> None:
    target = folder / "damaged.json"
    written(*options(folder), "-o", str(target))
    data = json.loads(target.read_text(encoding="utf-8"))

    def replayed(changed: dict[str, Any], *more: str) -> Any:
        target.write_text(json.dumps(changed), encoding="utf-8")
        return call("certify", "--replay", str(target), *more)

    for name, value in {"verdict": "0 <= W2 <= 0", "findings": ["all is well"], "notes": [], "upper": 1e-3}.items():
        again = replayed({**data, name: value})
        assert (again.status, f"{name}" in again.out) == (1, True), name
    again = replayed({**data, "versions": {**data["versions"], "numpy": "0.1"}})
    assert (again.status, "warning: the report was made with numpy 0.1" in again.out) == (0, True)
    request = data["request"]
    elsewhere = replayed({**data, "request": {**request, "model": "elsewhere/model.py:student"}})
    assert (elsewhere.status, "relative to the folder it was made in" in elsewhere.err.replace("\n", " ")) == (2, True)
    damaged: dict[str, dict[str, Any]] = {
        "it has no levels": {k: v for k, v in data.items() if k != "levels"},
        "request.n is no integer": {**data, "request": {**request, "n": "abc"}},
        "request.sigmas[1] is no number": {**data, "request": {**request, "sigmas": [1, None]}},
        "its request is not complete": {**data, "request": {**request, "claims": [["L_f"]]}},
        "rungs has odd, which is unknown": {**data, "rungs": {**data["rungs"], "odd": 1}},
    }
    for says, changed in damaged.items():
        again = replayed(changed)
        assert (again.status, says in again.err.replace("\n", " ")) == (2, True), again.err
    for more in (("--seed", "3"), ("--format", "json"), ("-n", "20")):
        again = replayed(data, *more)
        assert (again.status, f"leave {more[0]} out" in again.err) == (2, True)


def test_the_validator_is_that_of_the_schema(folder: Path) -> None:
    """Whatever entry is dropped or replaced: the same judgement as jsonschema."""
    data = strict(printed(folder, *CLAIMED))
    rules = schema()
    assert misfit(data, rules) == misfit({"more": 1}, {"type": "object"}) == ""
    checked = refused = 0
    values: tuple[Any, ...] = (None, -1, 0.5, "x", [], {}, True)

    def judging(rule: Mapping[str, Any]) -> Callable[[Any], None]:
        reference = jsonschema.Draft202012Validator({**rule, "$defs": rules["$defs"]})

        def both(changed: Any) -> None:
            nonlocal checked, refused
            valid = reference.is_valid(changed)
            assert (misfit(changed, rule) == "") == valid
            checked, refused = checked + 1, refused + (not valid)

        return both

    def walk(x: Any, both: Callable[[Any], None]) -> None:
        def within(name: str, value: Any) -> None:
            both({**x, name: value})

        for value in values:
            both(value)
        if isinstance(x, dict):
            both({**x, "odd": 1})
            for name in x:
                both({k: v for k, v in x.items() if k != name})
                walk(x[name], partial(within, name))
        elif isinstance(x, list) and x:
            both(x[1:])
            both([*x, *x])
            walk(x[0], lambda v: both([v, *x[1:]]))

    whole = judging(rules)
    for value in values:
        whole(value)
    for name, part in {**data, "levels": data["levels"][:2]}.items():  # a report is right where all its parts are
        whole({k: v for k, v in data.items() if k != name})
        whole({**data, name: None})
        whole({**data, name: part})
        walk(part, judging(rules["properties"][name]))
    assert refused > checked / 2 > 100  # both answers occur, often


def test_files_beside_a_report_are_found(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    given = ("model.py:student", "--data", "data.npy", "--teacher", "model.py:denoiser", "--sigmas", "0.05,1,20")
    written("certify", *given, *FEW, "-o", "beside.json")
    monkeypatch.chdir(tmp_path)
    assert "numbers, 0 differ" in fine("certify", "--replay", str(folder / "beside.json"))


def test_the_budget_in_seconds_is_replayed_as_batches(folder: Path) -> None:
    target = folder / "budget.json"
    written(*options(folder)[:-4], "-n", "150", "--budget", "0.1", "-o", str(target))
    assert "numbers, 0 differ" in fine("certify", "--replay", str(target))


def test_a_refuted_claim_ends_with_status_1_and_its_pair_is_saved(folder: Path) -> None:
    saved = folder / "pair.npz"
    outcome = call(*options(folder, "--L-f", "1.5", "--counterexample", str(saved)))
    assert outcome.status == 1
    assert "REFUTED: L_f = 1.5 at noise level" in outcome.out
    assert "refuted" not in outcome.err
    report = folder / "refuted.txt"
    told = call(*options(folder, "--L-f", "1.5"), "-o", str(report))
    assert (told.status, told.out) == (1, "")
    assert re.search(rf"^cmbound: refuted: L_f = 1.5 at noise level .*; saved in {report}$", told.err, re.MULTILINE)
    assert told.err.endswith("cmbound: --counterexample FILE.npz saves the points at which a claim does not hold\n")
    assert "L_f <= 1.5, claimed by the user" in report.read_text()
    with np.load(saved) as pair:
        namespace: dict[str, Any] = {}
        exec((folder / "model.py").read_text(), namespace)
        x, y, sigma = pair["L_f_0_x"], pair["L_f_0_y"], float(pair["L_f_0_sigma"])
        moved = namespace["student"](x[None], sigma) - namespace["student"](y[None], sigma)
        assert np.linalg.norm(moved) / np.linalg.norm(x - y) == pytest.approx(float(pair["L_f_0_replayed"]))
        assert float(pair["L_f_0_replayed"]) > 1.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("certify",), "certify needs a MODEL"),
        (("certify", "model.py:f"), "certify needs --data FILE"),
        (("certify", "m.py:f", "--data", "x.npy", "--sigma-min", "1"), "give either --sigmas NUMBERS, or all of"),
        (("certify", "m.py:f", "--data", "x.npy", "--sigmas", "1,2"), "x.npy: no such file"),
        (("certify", "mooons"), "did you mean 'moons'?"),
        (("certify", "m.py:f", "--data", "x.npy", "--sigmas", "1,x"), "sigmas is 'x', which is not a number"),
        (("certify", "m.py:f", "--data", "x.npy", "--sigmas", "1,2", "-n", "1.5"), "n is '1.5'; an integer is needed"),
        (("certify", "m.py:f", "--replay", "x.json"), "leave MODEL out"),
        (("convert", "-d", "2", "--sigma", "1"), "give exactly one of rmse and loss"),
        (("convert", "-d", "2", "--sigma", "1", "--loss", "1"), "a loss needs sigma_to"),
        (("convert", "-d", "2", "--sigma", "0", "--rmse", "1"), "sigma is 0; it must be > 0"),
        (("convert", "-d", "2", "--sigma", "1", "--rmse", "1", "--mmse", "3"), "no denoiser is better than it"),
        (("convert", "-d", "2", "--sigma", "1", "--loss", "1", "--sigma-to", "2"), "it must be below sigma"),
        (("convert", "-d", "2", "--sigma", "2", "--loss", "1", "--sigma-to", "1", "--clock", "ou"), "needs sigma_min"),
        (("grid", "--data", "x.npy"), "x.npy: no such file"),
    ],
)
def test_bad_input_is_one_line(arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fails(3 if "must be" in message or "no denoiser" in message else 2, *arguments, says=(message,))


def test_a_report_that_is_none(tmp_path: Path) -> None:
    target = tmp_path / "x.json"
    for text in ("[]", "{}", '{"schema_version": "1", "request": {}}'):
        target.write_text(text)
        fails(2, "certify", "--replay", str(target), says=("is no report of certify",))


# --- the page ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def found(folder: Path) -> cmbound.Certificate:
    data = np.random.default_rng(0).uniform(-1, 1, (30, 16))
    return cmbound.certify(
        lambda x, s: np.tanh(x / (1 + s)),
        data=data,
        sigmas=[0.1, 1, 10],
        n=100,
        batches=3,
        times=[1.0],
        clip=(-1, 1),
        L_f=[0.1, 1, 1],
    )


@pytest.fixture(scope="module")
def shown(found: cmbound.Certificate) -> str:
    return page(found)


def test_the_page_says_everything_and_needs_nothing(shown: str) -> None:
    text = shown
    assert text.count("<figure>") == text.count("data:image/svg+xml;base64,") == 4
    assert not re.findall(r"(?:src|href)=\"(?!data:)", text)
    assert "<script" not in text
    for word in (
        "guaranteed:",
        "conditional:",
        "refuted",
        "cmbound certify",
        "numpy",
        "seed 0",
        "does not hold",
        "L_f &lt;= 0.1, 1, 1 (from the lowest noise level on), claimed by the user",
    ):
        assert word in text, word
    assert text.index('class="verdict"') < text.index("<figure>") < text.index("Noise levels")


def test_the_command_on_the_page_computes_it_again(folder: Path) -> None:
    first = strict(printed(folder, *CLAIMED))
    text = re.search(r"<code>(.*?)</code>", written_page(folder))
    assert text is not None
    again = strict(fine(*shlex.split(html.unescape(text[1]))[1:], "--format", "json"))
    assert certificate.measured_numbers(again) == pytest.approx(certificate.measured_numbers(first), rel=1e-9)


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDTHS = (400, 500, 1200)
"""Of frames: a telephone and two windows."""
PROBE = """<script>
addEventListener("error", e => { document.title = "error: " + e.message });
addEventListener("load", () => {
  const images = [...document.images];
  const wide = document.documentElement.scrollWidth > innerWidth + 1;
  const small = images.filter(x => !x.complete || x.naturalWidth < 50 || x.getBoundingClientRect().width < 250).length;
  const asked = performance.getEntriesByType("resource").filter(x => !x.name.startsWith("data:")).length;
  const hidden = [...document.querySelectorAll(".wide")].filter(x => x.scrollWidth > x.clientWidth + 1).length;
  frameElement.dataset.probe = JSON.stringify({images: images.length, wide, small, asked, hidden, width: innerWidth});
});
</script></body>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_the_page_in_a_browser(shown: str, tmp_path: Path) -> None:
    """Every figure is shown, nothing is asked of the network, and nothing is wider than the window."""
    target = tmp_path / "frames.html"
    inner = shown.replace("</body>", PROBE).replace("&", "&amp;").replace('"', "&quot;")
    frames = "".join(f'<iframe width="{x}" height="800" frameborder="0" srcdoc="{inner}"></iframe>' for x in WIDTHS)
    target.write_text(f"<!DOCTYPE html><body>{frames}</body>", encoding="utf-8")
    arguments = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile", "--window-size=1300,900"]
    out = subprocess.run(
        [str(CHROMIUM), *arguments, "--virtual-time-budget=5000", "--dump-dom", target.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    probes = [json.loads(html.unescape(x)) for x in re.findall(r'data-probe="(.*?)"', out)]
    expected = {"images": 4, "wide": False, "small": 0, "asked": 0, "hidden": 0}
    assert probes == [{**expected, "width": x} for x in WIDTHS], out[-500:]


# --- the shipped examples -------------------------------------------------------------------------------------------------


def test_a_shipped_example(tmp_path: Path) -> None:
    """The enclosure is far below the best constant, and a replay finds every number."""
    target = tmp_path / "moons.json"
    written("certify", "moons", "-n", "200", "--steps", "6", "--batches", "3", "--distance-batch", "200", "-o", str(target))
    data = json.loads(target.read_text(encoding="utf-8"))
    constant = data["baselines"]["constant"]
    assert data["distance"]["asymptotic"][1] < 0.5 * constant
    sums = [data["rungs"][x]["upper"] for x in ("direct", "attributed", "stepwise", "local")]
    assert sums == sorted(sums)
    assert "numbers, 0 differ" in fine("certify", "--replay", str(target))
    fails(2, "certify", "moons", "--data", "x.npy", says=("--data is not for the example moons",))


def test_a_trained_model_has_guaranteed_rungs_that_say_something() -> None:
    """Sums of many terms stay below the best constant."""
    found = cmbound.certify("moons", n=1500, batches=3, distance_batch=100)
    for name in ("direct", "attributed", "stepwise"):
        assert found.rungs[name].trust == "guaranteed"
        assert found.rungs[name].upper < found.baselines.constant, name
    text = found.report().render("text")
    assert "conditional, vacuous" in text
    assert "guaranteed, vacuous" not in text


# --- logged numbers, and nodes for a data set ----------------------------------------------------------------------------


def test_conversions_are_those_of_the_definitions() -> None:
    """A denoiser that is off by e in every coordinate, and the score it gives, in both clocks."""
    law = cmbound.Gaussian([0.0, 0.0, 0.0], 1.0)
    sigma, off = 2.0, 0.1
    mmse = 3 * sigma**2 / (1 + sigma**2)
    rng = np.random.default_rng(0)
    x0 = law.sample(400_000, seed=rng)
    x = x0 + sigma * rng.standard_normal(x0.shape)
    answer = x / (1 + sigma**2) + off
    rmse = float(np.sqrt(np.mean((answer - x0) ** 2)))
    expected = off * math.sqrt(3) / sigma**2
    assert cmbound.convert(rmse=rmse, d=3, sigma=sigma, mmse=mmse).value == pytest.approx(expected, rel=0.05)
    exact = cmbound.convert(rmse=math.sqrt(off**2 + mmse / 3), d=3, sigma=sigma, mmse=mmse)
    assert exact.value == pytest.approx(expected)
    assert cmbound.convert(rmse=rmse, d=3, sigma=sigma).value > expected
    over = cmbound.convert(rmse=math.sqrt(off**2 + mmse / 3), d=3, sigma=sigma, mmse=mmse, clock="ou")
    assert over.value == pytest.approx(expected * math.sqrt(1 + sigma**2))


def test_conversions_are_rounded_up() -> None:
    """Half of them were a rounding error below, and more where noise levels are close."""
    rng = np.random.default_rng(0)
    with mpmath.workdps(50):
        for i in range(100):
            x, sigma = Fraction(int(rng.integers(1, 9999)), 10**6), Fraction(int(rng.integers(1, 9999)), 100)
            root = cmbound.convert(rmse=x, d=3 + i, sigma=sigma).value
            wanted = Fraction(3 + i) * x**2 / sigma**4
            assert wanted <= Fraction(root) ** 2 <= wanted * (1 + Fraction(1, 10**15))
            low = sigma * (1 - Fraction(1, 10 ** int(rng.integers(1, 9))))
            step = mpmath.log(_one_plus_square(sigma) / _one_plus_square(low)) / 2
            rate = cmbound.convert(loss=x, d=3, sigma=sigma, sigma_to=low).value
            wanted = mpmath.sqrt(3 * mpmath.mpf(x.numerator) / x.denominator) / step
            assert wanted * (1 - mpmath.mpf(10) ** -30) <= rate <= wanted * (1 + 1e-15)


def _one_plus_square(x: Fraction) -> Any:
    return 1 + (mpmath.mpf(x.numerator) / x.denominator) ** 2


def test_a_loss_is_the_consistency_error_of_a_certificate() -> None:
    """The mean square of C_n over the coordinates, as a training loop logs it, gives the eps_cm that certify reports."""
    data = np.random.default_rng(0).uniform(-1, 1, (30, 2))
    model = lambda x, s: np.tanh(x / (1 + s))  # noqa: E731
    found = cmbound.certify(model, data=data, sigmas=[0.1, 1, 10], n=100, batches=3, distance_batch=100)
    for level in found.levels:
        loss = 4 * level.consistency**2 / 2  # weight 4, mean over 2 coordinates
        made = cmbound.convert(loss=loss, d=2, sigma=level.sigma_from, sigma_to=level.sigma_to, weight=4)
        assert made.value == pytest.approx(level.eps_cm, rel=1e-9)
    data = strict(fine("convert", "--loss", "0.5", "-d", "2", "--sigma", "2", "--sigma-to", "1", "--format", "json"))
    assert data["name"] == "eps_cm"


@pytest.mark.parametrize("solver", SOLVERS)
def test_nodes_share_the_local_errors_out(solver: str) -> None:
    points = np.random.default_rng(0).standard_normal((50, 2))
    found = cmbound.measured_grid(points, sigma_min=0.05, sigma_max=20, steps=12, solver=solver, n=300)
    assert found.sums["equidistributed"] <= min(found.sums["edm"], found.sums["geometric"])
    errors = found.errors["equidistributed"]
    assert errors.max() < 2.5 * np.median(errors)  # the other grids: from 5 to 40 times
    assert max(x.max() / np.median(x) for name, x in found.errors.items() if name != "equidistributed") > 1.5
    assert found.grid.N == 12
    again = local_errors(law_of(points), found.grids["edm"], SOLVERS[solver], 300, 0)
    np.testing.assert_allclose(again, found.errors["edm"])


def test_local_errors_are_those_of_a_certificate() -> None:
    points = np.random.default_rng(0).standard_normal((50, 1))
    grid = cmbound.measured_grid(points, sigma_min=0.05, sigma_max=20, steps=6, n=100)
    law = cmbound.Atoms(points)

    def denoise(x: Any, sigma: float) -> Any:
        return law.denoiser(x / math.hypot(1, sigma), math.log1p(sigma**2) / 2)

    found = cmbound.certify(lambda x, s: x, teacher=denoise, data=points, sigmas=list(grid.grids["edm"]), n=100, batches=3)
    np.testing.assert_allclose([x.local_discretisation for x in found.levels[::-1]], grid.errors["edm"], rtol=0.3)


def test_grid_command(folder: Path) -> None:
    target = folder / "nodes.svg"
    given = ("grid", "--data", f"{folder}/data.npy", "--steps", "6", "--sigma-min", "0.05", "-n", "50", "--plot", str(target))
    data = strict(fine(*given, "--format", "json"))
    assert len(data["grids"]["equidistributed"]) == 7
    assert target.read_text(encoding="utf-8").startswith("<?xml")
    assert "estimates, not bounds" in fine(*given)


def test_words_on_the_page_are_those_of_the_shell(found: cmbound.Certificate) -> None:
    assert command(found).startswith("cmbound certify 'a callable' --data ndarray --sigmas 0.1,1.0,10.0 --clip -1.0,1.0 -n 100")


# --- what the user's code does, and what has no effect ---------------------------------------------------------------------

NOISY = """
import os

print("loaded")


def student(x, sigma):
    print("asked")
    return 0.1 * x


def past_python(x, sigma):
    os.write(1, b"asked")
    return 0.1 * x


def ends(x, sigma):
    raise SystemExit(0)
"""


def plain(folder: Path, name: str, *more: str) -> tuple[str, ...]:
    (folder / "noisy.py").write_text(NOISY)
    return ("certify", f"{folder}/noisy.py:{name}", "--data", f"{folder}/data.npy", "--sigmas", "0.1,1,10", *more)


def test_what_a_model_prints_does_not_stand_among_the_results(folder: Path) -> None:
    outcome = call(*plain(folder, "student", *FEW, "--format", "json"))
    assert outcome.status == 0
    strict(outcome.out)
    assert outcome.err.startswith("loaded\nasked\n")


def test_what_a_model_writes_past_python_does_not_either(folder: Path) -> None:
    found = process(*plain(folder, "past_python", *FEW, "--format", "json"))
    assert found.returncode == 0
    strict(found.stdout)
    assert "asked" in found.stderr


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("-o", "x.pdf"), "the name must end in .html, .json, .tex, .md, .csv or .txt"),
        (("--grid", "edm"), "--grid has no effect beside --sigmas"),
        (("--steps", "4", "--sigma-min", "1"), "--sigma-min has no effect beside --sigmas"),
        (("--solver", "heun"), "solver is 'heun', but there is no teacher"),
        (("--teacher-output", "score"), "teacher_output is 'score', but there is no teacher"),
        (("--renoise", "noisy.py:student"), "renoise is given, but no times"),
        (("--profile", "nosuch"), "unknown profile 'nosuch'"),
        (("--budget", "-1"), "budget is -1.0; a number of seconds > 0 is needed"),
        (("--budget", "1", "--batches", "3"), "give either budget or batches"),
    ],
)
def test_options_without_effect_are_refused(folder: Path, more: tuple[str, ...], message: str) -> None:
    fails(3 if "seconds > 0" in message else 2, *plain(folder, "student", *more), says=(message,))
    assert not Path("x.pdf").exists()


def test_a_model_cannot_end_the_program(folder: Path) -> None:
    outcome = call(*plain(folder, "ends"))
    assert (outcome.status, outcome.out) == (2, "")
    assert "the model at noise level 0.1, rows 0 to 15, tried to end the program (SystemExit: 0)" in outcome.err


def test_a_signal_to_end_is_no_mistake_of_the_model(tmp_path: Path) -> None:
    """SIGTERM while the user's code runs: exit status 143, not 2 and "the model failed"."""
    (tmp_path / "own.py").write_text("from cmbound.errors import EndedError\nraise EndedError(143)", encoding="utf-8")
    with pytest.raises(InputError, match="tried to end the program"):
        asked("the model", sys.exit, 1)
    with pytest.raises(EndedError):
        asked("the model", _leave, signal.SIGTERM, None)
    with pytest.raises(EndedError):
        from_file(str(tmp_path / "own.py"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--rmse", "1", "--sigma-to", "1"), "sigma_to is given, but belongs to a loss"),
        (("--rmse", "1", "--sigma-min", "1"), "sigma_min is given, but belongs to a loss"),
        (("--rmse", "1", "--weight", "2"), "weight is given, but belongs to a loss"),
        (("--rmse", "1", "--reduction", "sum"), "reduction is given, but belongs to a loss"),
        (("--loss", "1", "--sigma-to", "1", "--mmse", "1"), "mmse is given, but belongs to an rmse"),
        (("--loss", "1", "--sigma-to", "1", "--sigma-min", "1"), "only the clock ou depends on it"),
    ],
)
def test_arguments_of_convert_without_effect_are_refused(arguments: tuple[str, ...], message: str) -> None:
    fails(2, "convert", "-d", "2", "--sigma", "2", *arguments, says=(message,))


def test_the_lowest_noise_level_of_a_conversion_is_the_lowest() -> None:
    given = ("convert", "--loss", "1e-4", "-d", "4", "--clock", "ou", "--sigma", "2", "--sigma-to", "1")
    assert "eps_cm" in fine(*given, "--sigma-min", "1")
    told = call(*given, "--sigma-min", "1.5")
    assert told.status == 3
    assert "sigma_min is 1.5; the lowest noise level of all is at most sigma_to = 1" in told.err


@pytest.mark.parametrize("first", [("grid",), ("certify", "m.py:f")])
def test_ends_of_a_grid_in_the_wrong_order_are_named(first: tuple[str, ...], folder: Path) -> None:
    given = ("--data", f"{folder}/data.npy", "--sigma-min", "10", "--sigma-max", "1", "--steps", "4")
    fails(3, *first, *given, says=("sigma_min is 10 and sigma_max is 1; 0 < sigma_min < sigma_max is needed",))


def test_help_says_what_a_teacher_returns_and_the_least_numbers() -> None:
    text = " ".join(fine("certify", "--help").split())
    for said in ("velocity (noise - sigma D)/(1 + sigma^2)^{1/2}", "at least 20", "at least 3"):
        assert said in text


@pytest.mark.parametrize("width", [30, 40, 60])
def test_a_narrow_terminal_breaks_no_number(found: cmbound.Certificate, width: int) -> None:
    text = found.report().text(width)
    assert max(map(len, text.splitlines())) <= width
    for rung in found.rungs.values():
        assert rounded(rung.upper, 4) in text
    for value in found.terms.values():
        assert re.search(rf"\b{re.escape(rounded(value, 4, 'nearest'))}\b", text)


@pytest.mark.skipif(missing_tex() != "", reason="LaTeX is needed")
@pytest.mark.parametrize("siunitx", [False, True])
def test_latex_fits_the_default_page(found: cmbound.Certificate, siunitx: bool, tmp_path: Path) -> None:
    assert compiled(found.report().render("latex", siunitx=siunitx), tmp_path) == []
