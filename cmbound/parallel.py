"""Independent pieces of work on several processes or on a Dask cluster, results in order (joblib)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from cmbound.checks import checked_whole
from cmbound.errors import InputError

Result = TypeVar("Result")
CONNECT_SECONDS = 10  # a scheduler that is there answers at once
MAX_JOBS = 1024  # more processes than machines have cores


def mapped(
    function: Callable[..., Result], tasks: Iterable[tuple[Any, ...]], *, jobs: int = 1, cluster: str | None = None
) -> Iterator[Result]:
    """``function(*task)`` for every task, in the order of the tasks, a few at a time: memory does not grow with their number.

    Args:
        function: a function of a module (it is sent to other processes by name).
        tasks: its arguments.
        jobs: worker processes.
        cluster: address of a Dask scheduler, such as ``tcp://127.0.0.1:8786``; it decides where the work runs, and ``jobs`` must
            be 1.

    Raises:
        DomainError: ``jobs`` out of range.
        InputError: no scheduler answers at the address, or dask.distributed is not installed.
    """
    from joblib import Parallel, delayed, parallel_config

    checked_whole("jobs", jobs, 1, MAX_JOBS)
    calls = (delayed(function)(*task) for task in tasks)
    if cluster is None:
        yield from Parallel(n_jobs=jobs, return_as="generator")(calls)
        return
    if jobs != 1:
        raise InputError(f"jobs is {jobs}, but a cluster decides how many workers there are: leave jobs out")
    with _client(cluster), parallel_config(backend="dask"):
        yield from Parallel(return_as="generator")(calls)


def _client(address: str) -> Any:
    try:
        from dask.distributed import Client
    except ImportError:
        raise InputError("a cluster needs dask.distributed: pip install 'cmbound[cluster]'") from None
    try:
        return Client(address, timeout=CONNECT_SECONDS, set_as_default=True)
    except (OSError, ValueError, TimeoutError) as error:
        reason = str(error).split("\n")[0] or type(error).__name__
        raise InputError(f"cannot reach a Dask scheduler at {address!r}: {reason}") from None
