"""Files and streams, for every command there is: what is written whole or not at all, and one line for what cannot be.

The commands and their options are read from the program: a new one without an example fails the first test.
"""

from __future__ import annotations

import html
import io
import json
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click
import pytest

from cmbound.cli import cli, main
from cmbound.cli.files import OutputFile
from cmbound.errors import InputError
from cmbound.files import Output, check_writable, csv_columns, csv_text, given_or_read, read_text, toml_of, write_files, writing
from tests.helpers import call, one_line, with_option

G = ("--preset", "gaussian-2d")
ID = "explicit-one-step"
FOLDER = Path(tempfile.mkdtemp(prefix="cmbound-"))
"""A model and data for the commands that read them."""
(FOLDER / "model.py").write_text("def student(x, sigma):\n    return 0 * x\n")
(FOLDER / "data.csv").write_text("1\n2\n4\n")
DATA = ("--data", str(FOLDER / "data.csv"))
EXAMPLES: dict[str, tuple[str, ...]] = {
    "guide": (),
    "list": (),
    "show": (ID,),
    "cite": (),
    "evaluate": (ID, *G),
    "check": ("explicit-map-error", "--instances", "2", "--world", "gaussian"),
    "simulate": ("--world", "gaussian", "--cov", "1", "--grid-steps", "3", "-n", "20"),
    "certify": (f"{FOLDER}/model.py:student", *DATA, "--sigmas", "1,2", "-n", "20", "--batches", "3"),
    "convert": ("--rmse", "1", "-d", "2", "--sigma", "1"),
    "grid": (*DATA, "--steps", "2", "-n", "20"),
    "sweep": (ID, *G, "-p", "eps_sc=0.1,0.2"),
    "analyse": ("explicit-training",),
    "solve": (ID, *G, "--target", "20", "--for", "eps_sc"),
    "schedule": (*G, "--steps", "1"),
    "compare": (*G, "--statement", ID),
    "table": ("statements",),
    "plot terms": (ID, *G, "--over", "eps_sc=0.1,0.2"),
    "plot ratios": (ID, "--instances", "2", "--world", "gaussian"),
    "plot multistep": (*G, "--steps", "1"),
    "plot phase": (ID, "explicit-multistep", *G, "-p", "k=2", "-p", "t_hat=1", "-x", "L_f=1,2", "-y", "m2=1,2"),
    "plot tightness": (ID, "--instances", "2", "--dimensions", "1"),
    "plot grids": (ID, *G, "--over", "N=2,3"),
    "explore": (ID,),
    "profiles": (),
    "presets": (),
    "completion": ("bash",),
}  # fmt: skip
FIGURES = [x for x in EXAMPLES if x.startswith("plot")]
NEEDED = dict.fromkeys(FIGURES, ("-o", "-"))
"""What a command needs besides its example to print something."""


def commands(group: click.Group = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every command by its name."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


ALL = dict(commands())
OUTPUTS = [
    (name, max(x.opts, key=len), x.type.suffixes) for name, y in ALL.items() for x in y.params if isinstance(x.type, OutputFile)
]
INPUTS = [
    (name, max(x.opts, key=len))
    for name, y in ALL.items()
    for x in y.params
    if isinstance(x, click.Option) and "FILE" in str(x.metavar) and not isinstance(x.type, OutputFile)
]


def arguments(name: str, *more: str) -> list[str]:
    """An example of a command with more options."""
    needed: tuple[str, ...] = () if "-o" in more or "--output" in more else NEEDED.get(name, ())
    if name == "compare" and "--plot" in more:
        more = ("--statement", "explicit-multistep", "-p", "k=2", "-p", "t_hat=1", *more)
        needed = ("--sweep", "L_f=2:3:log:2", "--sweep", "m2=2:3:log:2")
    return [*name.split(), *EXAMPLES[name], *needed, *more]


WRITTEN: dict[tuple[str, ...], list[tuple[Callable[..., None], tuple[Any, ...]]]] = {}
"""What each command wrote in full, by its arguments: several tests write the same again."""


def computed_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command computes when it is first called so; after that it only writes again what it wrote then."""
    command, callback = ALL[name], ALL[name].callback
    assert callback is not None
    module = sys.modules[callback.__module__]
    written: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
    if name in ("sweep", "completion"):  # they write in their own way
        return

    def kept(write: Callable[..., None]) -> Callable[..., None]:
        def first(*what: Any) -> None:
            written.append((write, what))
            write(*what)

        return first

    for writer in ("emit", "write", "write_all"):
        if hasattr(module, writer):
            monkeypatch.setattr(module, writer, kept(getattr(module, writer)))

    def again(*args: Any, **options: Any) -> None:
        asked = tuple(sys.argv)
        if asked not in WRITTEN and not written:
            callback(*args, **options)
            assert written
            WRITTEN[asked] = written
            return
        for write, what in WRITTEN.get(asked, written):
            write(*what)

    monkeypatch.setattr(command, "callback", again)


def named(folder: Path, option: str, suffixes: tuple[str, ...]) -> Path:
    """The name of a file that this option takes."""
    return folder / f"out{suffixes[0] if suffixes else '.txt'}"


@pytest.fixture(autouse=True)
def silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """No line on standard error says on a slow machine what is computed."""
    for module in ("cmbound.cli", "cmbound.cli.progress"):
        monkeypatch.setattr(f"{module}.PATIENCE", 3600)


def test_every_command_has_an_example() -> None:
    assert set(ALL) == set(EXAMPLES)


def test_every_file_that_is_written_is_an_output() -> None:
    for name, command in ALL.items():
        for x in command.params:
            if x.name in ("output", "plot", "save") or (x.name == "data" and name.startswith("plot")):
                assert isinstance(x.type, OutputFile), (name, x.opts)
    assert len(OUTPUTS) > 25
    assert len(INPUTS) > 15


# --- outputs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "option", "suffixes"), OUTPUTS, ids=lambda x: str(x))
def test_what_cannot_be_written_is_refused_before_any_work(
    name: str, option: str, suffixes: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ALL[name], "callback", lambda **_: pytest.fail("work began"))
    suffix = suffixes[0] if suffixes else ""
    folder = tmp_path / f"folder{suffix}"
    folder.mkdir()
    (tmp_path / "file").write_text("", encoding="utf-8")
    loop = tmp_path / f"loop{suffix}"
    loop.symlink_to(loop)
    for target in (folder, tmp_path / "missing" / f"x{suffix}", tmp_path / "file" / f"x{suffix}", loop, "x" * 300 + suffix):
        outcome = call(*arguments(name, option, str(target)))
        message = one_line(outcome.err)
        short = next(x for y in ALL[name].params for x in y.opts if option in y.opts)
        assert outcome.status == 2, message
        assert message.startswith(f"{short}: cannot write {target}: "), message
        assert outcome.out == ""
    assert sorted(x.name for x in tmp_path.iterdir()) == sorted([folder.name, "file", loop.name])


@pytest.mark.parametrize(("name", "option", "suffixes"), OUTPUTS, ids=lambda x: str(x))
def test_an_old_file_is_replaced_as_a_whole_or_not_at_all(
    name: str, option: str, suffixes: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through a symbolic link, with its permissions, unless writing is interrupted or fails; nothing else is left."""
    target, link = named(tmp_path, option, suffixes), tmp_path / f"link{suffixes[0] if suffixes else ''}"
    target.write_text("old", encoding="utf-8")
    target.chmod(0o640)
    link.symlink_to(target.name)
    computed_once(name, monkeypatch)

    def interrupted(self: Any, data: Any) -> int:
        raise KeyboardInterrupt

    def full(self: Any, data: Any) -> int:
        raise InputError("no space")

    for broken, status in ((interrupted, 130), (full, 2)):
        with monkeypatch.context() as context:
            context.setattr("cmbound.files._File.write", broken)
            outcome = call(*arguments(name, option, str(link)))
        assert outcome.status == status, outcome.err
        one_line(outcome.err)
        assert target.read_text(encoding="utf-8") == "old"
        assert sorted(tmp_path.iterdir()) == sorted([target, link])
    outcome = call(*arguments(name, option, str(link)))
    assert (outcome.status, outcome.err) == (0, "")
    assert link.is_symlink()
    assert target.stat().st_size > 3
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert sorted(tmp_path.iterdir()) == sorted([target, link])


@pytest.mark.parametrize("name", ["plot terms", "simulate", "sweep", "schedule"])
def test_two_outputs_to_one_place(name: str, tmp_path: Path) -> None:
    figure = {"plot terms": "-o"}.get(name, "--plot")
    other = {"plot terms": "--csv"}.get(name, "-o")
    outcome = call(*arguments(name, figure, "-", other, "-"))
    assert "both write to standard output" in one_line(outcome.err)
    if name != "plot terms":
        target = str(tmp_path / "x.png")
        outcome = call(*arguments(name, figure, target, other, target))
        assert "both write to" in one_line(outcome.err)


def test_a_figure_on_standard_output() -> None:
    outcome = call(*arguments("plot terms", "-o", "-"))
    assert outcome.status == 0
    assert outcome.out.startswith("<?xml")


def test_no_file_is_replaced_before_all_are_written(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.write_text("kept", encoding="utf-8")
    with pytest.raises(InputError, match="No space left"):
        write_files([(old, b"new"), ("/dev/full", b"new")])
    assert old.read_text(encoding="utf-8") == "kept"
    assert list(tmp_path.iterdir()) == [old]


def test_a_failure_in_the_block_and_in_the_renaming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "old"
    old.write_text("kept", encoding="utf-8")

    def broken() -> None:
        with writing(old) as stream:
            stream.write(b"x" * 10**6)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refused)
    with (
        pytest.raises(InputError, match=r"--plot: cannot write .*: Permission denied"),
        writing(Output(str(old), "--plot")) as stream,
    ):
        stream.write(b"new")
    assert old.read_text(encoding="utf-8") == "kept"
    assert list(tmp_path.iterdir()) == [old]


def test_a_new_file_has_the_permissions_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with writing(tmp_path / "new") as stream:
            stream.write(b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


def test_names_of_every_length_that_a_file_may_have(tmp_path: Path) -> None:
    with writing(tmp_path / ("x" * 255)) as stream:
        stream.write(b"x")
    with pytest.raises(InputError, match="File name too long"):
        check_writable(tmp_path / ("x" * 256))
    for name in ("", "a\0b", str(tmp_path / "new") + "/"):
        with pytest.raises(InputError, match="cannot write"):
            check_writable(name)


def test_a_pipe_and_an_open_file_are_written_directly(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    with writing(fifo) as stream:
        stream.write(b"text")
    assert os.read(reader, 9) == b"text"
    assert list(tmp_path.iterdir()) == [fifo]
    with open(tmp_path / "log", "wb") as log:
        log.write(b"before ")
        log.flush()
        with writing(f"/dev/fd/{log.fileno()}") as stream:
            stream.write(b"after")
    assert (tmp_path / "log").read_bytes() == b"before after"


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may write everywhere")
def test_what_must_not_be_written(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.write_text("kept", encoding="utf-8")
    old.chmod(0o444)
    with pytest.raises(InputError, match="permission denied"):
        check_writable(old)
    tmp_path.chmod(0o555)
    with pytest.raises(InputError, match="no file can be made in the folder"):
        check_writable(tmp_path / "new")
    tmp_path.chmod(0o755)


# --- streams --------------------------------------------------------------------------------------------------------


def into(stream: Any, args: list[str]) -> tuple[int, str]:
    """The status and the standard error of a command that prints into ``stream``."""
    err = io.StringIO()
    with patch.object(sys, "argv", ["cmbound", *args]), patch.object(sys, "stdout", stream), patch.object(sys, "stderr", err):
        with pytest.raises(SystemExit) as end:
            main()
        assert sys.stdout is stream
    assert isinstance(end.value.code, int)
    return end.value.code, err.getvalue()


def printing() -> list[tuple[str, str]]:
    """Every command with each of its formats."""
    found = []
    for name, command in ALL.items():
        kinds = [x.type.choices for x in command.params if x.name == "form" and isinstance(x.type, click.Choice)]
        found += [(name, str(form)) for form in (*kinds[0],)] if kinds else [(name, "")]
    return found


@pytest.mark.parametrize(("name", "form"), printing())
def test_every_encoding(name: str, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text, in plain letters where the encoding has no others, or one line that says what to do; never a part of it."""
    computed_once(name, monkeypatch)
    args = arguments(name, *(("--format", form) if form else ()))
    whole = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="\n")
    assert into(whole, args) == (0, "")
    text = whole.buffer.getvalue()
    for encoding in ("ascii", "latin-1", "cp1252", "utf-16", "idna"):
        if encoding == "idna" and len(text) > 20_000:  # its encoder takes seconds
            continue
        out = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
        status, err = into(out, args)
        printed = out.buffer.getvalue()
        if form == "npz" or name in FIGURES:
            assert status == 0
        elif encoding == "idna":  # made for names of hosts, it keeps back what may be one
            assert status == 0 or one_line(err)
        elif status == 0:
            wanted, found = text.decode(), printed.decode(encoding)
            if form == "text" and not _has(encoding, wanted):
                if name == "show":  # the inequality in plain signs
                    wanted, found = (x.partition("\n")[0] for x in (wanted, found))
                wanted = _plain(wanted)
            if form == "html":  # in ASCII, and the same page
                wanted, found = html.unescape(wanted), html.unescape(found)
            if form == "json":
                assert found.isascii()
                wanted, found = json.dumps(json.loads(wanted)), json.dumps(json.loads(found))
            assert _timeless(found) == _timeless(wanted)
        else:
            assert status == 2
            assert "PYTHONIOENCODING=utf-8" in one_line(err)
            assert "-o" in err
            assert printed == b""
            with pytest.raises(UnicodeError):
                text.decode().encode(encoding)


def _has(encoding: str, text: str) -> bool:
    """Whether an encoding has all characters of a text."""
    return text.encode(encoding, errors="ignore").decode(encoding) == text


def _plain(text: str) -> str:
    """The text without accents, with short dashes."""
    return unicodedata.normalize("NFKD", text.replace("\u2013", "-")).encode("ascii", errors="ignore").decode()


def _timeless(text: str) -> str:
    """Without the seconds a campaign took."""
    return re.sub(r'"seconds": [^,]*', "", text)


@pytest.mark.parametrize("name", list(ALL))
def test_a_full_disk_and_a_reader_that_has_gone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    computed_once(name, monkeypatch)
    for buffering in (-1, 0):
        raw: Any = open("/dev/full", "wb", buffering=buffering)  # noqa: SIM115
        with io.TextIOWrapper(raw, encoding="utf-8", write_through=not buffering) as full:
            status, err = into(full, arguments(name))
            assert one_line(err) == "cannot write to standard output: No space left on device"
            assert status == 2
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as closed:
        assert into(closed, arguments(name)) == (141, "")


RUN = """
import contextlib, io, json, os, sys
from cmbound.cli import main
def run(commands, file):
    found = {}
    for args in commands:
        err = io.StringIO()
        sys.argv = ["cmbound", *args]
        if sys.stdout is None:
            with contextlib.suppress(OSError):
                os.close(1)  # the command before may have opened it
        with contextlib.redirect_stderr(err) if sys.stderr is not None else contextlib.nullcontext():
            try:
                main()
            except SystemExit as end:
                found[" ".join(args)] = end.code, err.getvalue()
    with open(file, "w") as stream:
        json.dump(found, stream)
"""
LOADED = """
commands, folder, closed = json.loads(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
run(commands, folder + "/open")
for name, streams in closed.items():
    child = os.fork()
    if not child:
        for stream in streams:  # as the interpreter finds them that is started so
            os.close(("stdin", "stdout", "stderr").index(stream))
            setattr(sys, stream, None)
        if name == "2>/dev/full":
            os.dup2(os.open("/dev/full", os.O_WRONLY), 2)
        run(commands, folder + "/" + name.replace("/", "-"))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""
CLOSED = {">&-": ["stdout"], "2>&-": ["stderr"], "<&-": ["stdin"], "2>/dev/full": []}
CLOSED[">&- 2>&- <&-"] = ["stdin", "stdout", "stderr"]
"""What a shell closes, and which streams are closed then."""


def check_closed(closing: str, tried: list[list[str]], result: Path) -> None:
    """What is printed fails in one line, and a file is written all the same."""
    found = {tuple(x.split()): y for x, y in json.loads(result.read_text(encoding="utf-8")).items()}
    assert len(found) == len(tried)
    for args, (status, err) in found.items():
        if args[:1] in ((), ("nonsense",)):
            assert status == 2
        elif "stdout" in CLOSED[closing] and "-o" not in args[1:-1]:
            assert status == 2, args
            if "stderr" not in CLOSED[closing]:
                assert one_line(err) == "cannot write to standard output: it is closed"
        elif "-" not in args:
            assert status == 0, (args, err)


@pytest.mark.parametrize("closing", CLOSED)
def test_closed_streams_of_a_process(closing: str, tmp_path: Path) -> None:
    result = tmp_path / "result"
    tried = [arguments("list"), arguments("completion"), ["--help"], ["list", "-o", str(tmp_path / "file")], ["nonsense"], []]
    command = f'exec "$0" -c "$1" "$2" {closing}'
    program = f"{RUN}run(json.loads(sys.argv[1]), {str(result)!r})"
    subprocess.run(["sh", "-c", command, sys.executable, program, json.dumps(tried)], check=True, capture_output=True)
    check_closed(closing, tried, result)
    assert (tmp_path / "file").stat().st_size > 1000


def test_closed_streams_for_every_command(tmp_path: Path) -> None:
    """In one process that has run them already, and a copy of it for each way to close streams."""
    tried = [arguments(x) for x in ("list", "show", "evaluate", "sweep", "plot terms", "completion")]
    given = (json.dumps(tried), str(tmp_path), json.dumps(CLOSED))
    subprocess.run([sys.executable, "-c", RUN + LOADED, *given], check=True, capture_output=True)
    for closing in CLOSED:
        check_closed(closing, tried, tmp_path / closing.replace("/", "-"))


@pytest.mark.parametrize("name", ["list", "show", "evaluate", "table", "presets"])
def test_every_environment(name: str) -> None:
    usual = call(*arguments(name))
    for env in ({"COLUMNS": "1"}, {"NO_COLOR": "1"}, {"TERM": "dumb"}, {"LC_ALL": "C"}, {"COLUMNS": "x"}):
        assert call(*arguments(name), env=env) == usual, env


# --- interruption ---------------------------------------------------------------------------------------------------


def test_an_interruption_while_source_text_is_run_is_like_any_other(tmp_path: Path) -> None:
    """Which happens when a dataclass is made."""
    lines = (
        "import cmbound.__main__, cmbound.cli",
        "cmbound.cli.main = lambda: exec('raise KeyboardInterrupt')",
        "cmbound.__main__.run()",
    )
    (tmp_path / "program.py").write_text("\n".join(lines), encoding="utf-8")
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    run = [sys.executable, "-m", "program"]
    done = subprocess.run(run, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": paths})
    assert (done.returncode, done.stderr) == (130, "cmbound: error: interrupted\n")


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A process of a job in the background is born deaf to interruptions, and so would be its children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_is_stopped_leaves_nothing(number: int, tmp_path: Path) -> None:
    """At any moment: while modules are imported, and in the middle of the work."""
    old = tmp_path / "out.csv"
    old.write_text("kept", encoding="utf-8")
    args = [sys.executable, "-m", "cmbound", "sweep", ID, *G, "-p", "h=1e-5:1e-1:log:1000000", "-o", str(old)]
    status = 128 + number
    for working in (False, True):
        with subprocess.Popen(args, stderr=subprocess.PIPE, text=True) as process:
            ready = time.monotonic() + 300
            maps = Path(f"/proc/{process.pid}/maps")
            while time.monotonic() < ready:
                if working and any(x.name.startswith(".cmbound-") for x in tmp_path.iterdir()):
                    break
                if not working and maps.exists() and "numpy" in maps.read_text(encoding="utf-8"):
                    break
                time.sleep(0.01)
            process.send_signal(number)
            try:
                _, err = process.communicate(timeout=300)
            finally:
                process.kill()
        assert process.returncode == status, err
        lines = [x for x in err.splitlines() if not x.startswith("cmbound: sweeping 1000000 points")]
        assert lines == (["cmbound: error: interrupted"] if number == signal.SIGINT else [])
        assert old.read_text(encoding="utf-8") == "kept"
        assert list(tmp_path.iterdir()) == [old]


# --- inputs ---------------------------------------------------------------------------------------------------------

BAD: dict[str, bytes] = {
    "empty": b"",
    "blank": b"\n\n",
    "binary": bytes(range(256)),
    "zeros": b"\0" * 1000,
    "utf-16": "{}".encode("utf-16"),
    "bom": b"\xef\xbb\xbf{}",
    "carriage returns": b"a = 1\r\nb = 2\r\n",
    "list": b"[]",
    "nested": b"[" * 100_000,
    "numbers": b"[1, 2]",
    "lists": b"[[1], {}]",
    "object": b'{"a": {"b": [1, null]}}',
    "null": b"null",
    "text": b'"text"',
    "huge number": b"[" + b"9" * 10_000 + b"]",
}


STEPS = [(name, option) for name, option in INPUTS if option == "--solver" and name != "certify"]
"""A user's step belongs to a measured profile, which reads the data first."""


@pytest.mark.parametrize(("name", "option"), [x for x in INPUTS if x not in (("check", "--from"), *STEPS)], ids=lambda x: str(x))
def test_every_bad_file(name: str, option: str, tmp_path: Path) -> None:
    """One line that names the file once, or a number.

    An empty list is a fine beginning for ``check --planted --from``, which then works for minutes.
    """
    table = name == "table"
    base = [
        *name.split(),
        *(
            {"--spec": ("custom",), "--from": ("planted",), "--data": ("comparison", *G)}.get(option, ("assumptions",))
            if table
            else EXAMPLES[name]
        ),
    ]
    if name == "check":
        base = ["check", *(("--planted",) if option == "--from" else ())]
    if name in ("simulate", "compare") and option == "--data":
        base = base[:1]
    if (name, option) == ("compare", "--cov"):
        base = [*base[:1], "--world", "gaussian"]
    if (name, option) == ("compare", "--data"):
        base += G
    if (name, option) == ("certify", "--replay"):
        base = ["certify"]
    if (name, option) == ("certify", "--renoise"):
        base += ["--times", "2"]
    if name == "plot ratios" and option == "--from":
        base = ["plot", "ratios"]
    base += NEEDED.get(name, ())
    suffix = ".csv" if option in ("--data", "--cov") else ""
    for kind, content in BAD.items():
        path = tmp_path / f"{kind.replace(' ', '-')}{suffix}"
        path.write_bytes(content)
        outcome = call(*with_option(base, option, str(path)))
        if outcome.status:
            message = one_line(outcome.err)
            assert outcome.status in (2, 3), message
            assert message.count("cannot read") <= 1, message
            assert len(message) < 2000, message
    for path in (tmp_path, tmp_path / "missing.json", tmp_path / "missing.csv"):
        outcome = call(*with_option(base, option, str(path)))
        assert outcome.status == 2
        assert str(path) in one_line(outcome.err)


def test_a_file_that_never_ends() -> None:
    with patch("cmbound.files.MOST_BYTES", 1000), pytest.raises(InputError, match=r"^cannot read /dev/zero: it holds more than"):
        read_text("/dev/zero")


def test_byte_order_mark_and_carriage_returns(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"\xef\xbb\xbfa\r\nb\r\n")
    assert read_text(path) == "a\nb\n"


# --- names ----------------------------------------------------------------------------------------------------------


def unknown() -> Iterator[tuple[str, ...]]:
    """Every command with an unknown option, and with an unknown value of every option that completes names."""
    for name, command in ALL.items():
        yield (*arguments(name), "--qqqq")
        for x in command.params:
            offered = [] if x._custom_shell_complete is None else x.shell_complete(click.Context(command), "")
            if isinstance(x, click.Option) and (
                isinstance(x.type, click.Choice) or (offered and not offered[0].value.endswith("="))
            ):
                yield with_option(arguments(name), max(x.opts, key=len), "qqqq")
            elif offered and isinstance(x, click.Option):
                yield (*arguments(name), max(x.opts, key=len), "qqqq=1")
            elif offered:
                yield (*name.split(), "qqqq", *NEEDED.get(name, ()))


@pytest.mark.parametrize("args", list(unknown()), ids=lambda args: " ".join(args).replace(f"{FOLDER}/", ""))
def test_every_unknown_name_offers_others(args: tuple[str, ...]) -> None:
    outcome = call(*args)
    message = one_line(outcome.err)
    assert outcome.status == 2
    offers = (
        "known",
        "Known",
        "did you mean",
        "one of",
        "is not 'gaussian'",
        "takes ",
        "Missing option",
        "of the form",
        "needs ",
        "does not go with",
        "not an option of",
        "has no ",
    )
    assert any(x in message for x in offers), message


def test_unknown_among_many() -> None:
    outcome = call("plot", "phase", "-x", "LF=1:2:log:3", "-y", "eps_cm=1:2:log:3", "-o", "-")
    assert "did you mean 'L_f'" in one_line(outcome.err)
    outcome = call("plot", "phase", "-x", "qqqq=1:2:log:3", "-y", "eps_cm=1:2:log:3", "-o", "-")
    assert "such as" in one_line(outcome.err)


# --- tables in files --------------------------------------------------------------------------------------------------


def test_csv_is_read_back() -> None:
    rows = [("name", "x"), ('a "b", c', 0.1), ("two\nlines", 1e-300), ("", None), ("whole", 3.0), ("none", float("nan"))]
    text = csv_text(rows)
    assert text.endswith("\nwhole,3\nnone,\n")
    columns = csv_columns(text)
    assert columns["name"] == [x for x, _ in rows[1:]]
    assert [float(x) if x else None for x in columns["x"]] == [0.1, 1e-300, None, 3.0, None]
    assert csv_columns("") == {}
    assert csv_columns("a,b\n") == {"a": [], "b": []}
    with pytest.raises(InputError, match="line 3 of the data"):
        csv_columns("a,b\n1,2\n3\n")


def test_toml_is_data_or_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("a = 0.10\n", encoding="utf-8")
    assert given_or_read(path, toml_of) == given_or_read(str(path), toml_of) == given_or_read({"a": 0.1}, toml_of) == {"a": 0.1}
    assert toml_of("a = 0.10", "x", parse_float=str) == {"a": "0.10"}
    with pytest.raises(InputError, match=r"cannot read here\.toml as TOML"):
        toml_of("a =", "here.toml")


def test_a_file_that_is_read_is_not_replaced(tmp_path: Path) -> None:
    data = tmp_path / "points.csv"
    data.write_text("1,2\n3,4\n", encoding="utf-8")
    for args in (
        (
            "plot",
            "terms",
            ID,
            *G,
            "--over",
            "eps_sc=0.1,0.2",
            "--data",
            str(data),
            "--csv",
            str(data),
            "-o",
            str(tmp_path / "x.svg"),
        ),
        ("grid", "--data", str(data), "--steps", "2", "-n", "20", "--format", "csv", "-o", str(data)),
    ):
        outcome = call(*args)
        assert outcome.status == 2
        assert f"reads {data}, which would be replaced" in one_line(outcome.err)
    assert data.read_text(encoding="utf-8") == "1,2\n3,4\n"
