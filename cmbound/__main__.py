"""``python -m cmbound``, and the program ``cmbound``."""

from __future__ import annotations

import os
import signal
from typing import Any, NoReturn


def run() -> NoReturn:
    """The program: :func:`cmbound.cli.main`, with signals looked after before and after it.

    An interruption while modules are imported is like any other. One that comes when all is done is ignored: there is nothing
    left to stop. SIGTERM and SIGHUP end the program as an exception does, so that unfinished files are removed.

    Products of matrices use one thread unless the environment says otherwise: the matrices here are small, and threads that wait
    for each other on a busy machine made a run of 20 seconds last minutes. ``--jobs`` and ``--workers`` share the work out.
    """
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    try:
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


def _leave(number: int, frame: Any) -> NoReturn:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    run()
