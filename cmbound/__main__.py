"""``python -m cmbound``, and the program ``cmbound``."""

from __future__ import annotations

import gc
import os
import signal
from typing import Any, NoReturn

_OBJECTS = 200_000  # new objects between two searches for cycles, less than SymPy has


def run() -> NoReturn:
    """The program: :func:`cmbound.cli.main`, with signals looked after before and after it.

    An interruption while modules are imported is like any other. One that comes when all is done is ignored: there is nothing
    left to stop. SIGTERM and SIGHUP end the program as an exception does, so that unfinished files are removed.

    Python looks for unreachable cycles after every 700 new objects, and at the end among all there are. While a program builds
    what it needs there are none: SymPy is imported in two thirds of the time where it looks more rarely.

    Products of matrices use one thread unless the environment says otherwise: the matrices here are small, and threads that wait
    for each other on a busy machine made a run of 20 seconds last minutes. ``--jobs`` and ``--workers`` share the work out.
    """
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    gc.set_threshold(_OBJECTS, 20, 20)
    try:
        import cmbound.errors  # noqa: F401

        for name in ("SIGTERM", "SIGHUP"):
            if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) == signal.SIG_DFL:  # nohup ignores SIGHUP
                signal.signal(getattr(signal, name), _leave)
        from cmbound.cli import main

        main()
    except KeyboardInterrupt:
        os.write(2, b"cmbound: error: interrupted\n")
        raise SystemExit(130) from None
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        exec("")  # else Python ends by SIGINT, not with a status, if an interruption came while source text was run (a dataclass)
        gc.freeze()  # what is left goes with the process


def _leave(number: int, frame: Any) -> NoReturn:
    from cmbound.errors import EndedError  # loaded before this can be called

    raise EndedError(128 + number)


if __name__ == "__main__":
    run()
