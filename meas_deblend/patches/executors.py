"""Where patches are worked on: this process, others, or a Dask cluster, all through `concurrent.futures`."""

from __future__ import annotations

import multiprocessing
import warnings
from collections import deque
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..exceptions import InputError, WorkerDiedError
from ..framework import SerialExecutor
from ..framework._start import begin_worker, start_method

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from multiprocessing.context import BaseContext
    from multiprocessing.process import BaseProcess

__all__ = ["Done", "Workers", "open_workers", "work_through"]

J = TypeVar("J")
R = TypeVar("R")

_DEATHS = 2
"""A job that takes its worker with it this many times is given up: once may be bad luck, such as another's memory."""

_LOST = (BrokenExecutor, CancelledError, WorkerDiedError)
"""What is raised where a process was ended from outside."""

_DASK = "dask"
_QUEUED = 16
"""A cluster is given so many jobs at least."""
_PATIENCE = "30s"
"""How long a scheduler may take to answer."""


@dataclass(frozen=True, slots=True, eq=False)
class Workers:
    """Whoever does the work.

    Parameters
    ----------
    name : str
        "serial", "processes" or "dask".
    executor : callable
        Gives the executor; called again after it broke.
    at_once : callable
        Tells how many jobs it is given at a time; a cluster may grow.
    """

    name: str
    executor: Callable[[], Executor]
    at_once: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Done(Generic[J, R]):
    """A job that was worked on.

    Parameters
    ----------
    job : object
    result : object or None
        What the function returned; None if there is an error.
    error : Exception, optional
        What it raised; `WorkerDiedError` if its process was ended from outside.
    """

    job: J
    result: R | None = None
    error: Exception | None = None


@contextmanager
def open_workers(kind: str | None, jobs: int) -> Iterator[Workers]:
    """Start workers, and end them with the block.

    Parameters
    ----------
    kind : str, optional
        "processes"; "dask" for a cluster of processes on this machine; "dask://HOST:PORT" for one that is there.
        Default: this process for one job, else processes.
    jobs : int
        Number of processes; with a cluster that is there it counts its own.

    Raises
    ------
    InputError
        If there is no such executor, the number is below 1, Dask is not installed, or no cluster answers.
    """
    if jobs < 1:
        raise InputError(f"the number of processes must be at least 1, not {jobs}")
    if kind == "processes" or (kind is None and jobs > 1):
        with _processes(jobs) as workers:
            yield workers
    elif kind is None:
        yield Workers("serial", SerialExecutor, lambda: 1)
    elif kind == _DASK or kind.startswith(f"{_DASK}://"):
        with _dask(kind.partition("://")[2], jobs) as workers:
            yield workers
    else:
        raise InputError(f"no executor {kind!r}: there are processes, dask and dask://HOST:PORT")


def work_through(
    function: Callable[[J], R], jobs: Sequence[J], workers: Workers, go_on: Callable[[], bool]
) -> Iterator[Done[J, R]]:
    """Do jobs, and yield each as it comes.

    If a worker dies, its executor is replaced. Who of those that were being worked on killed it is not known: each of
    them is tried again alone. One that kills its worker when it is alone has killed it before.

    Parameters
    ----------
    function : callable
        Can be pickled, as can jobs and results.
    jobs : sequence
        In the order in which they are started.
    workers : Workers
    go_on : callable
        Asked before a job is started; those that are not wanted any more are left out.
    """
    waiting, suspects = deque(jobs), deque[J]()
    deaths: dict[int, int] = {}
    executor = workers.executor()
    running: dict[Future[R], J] = {}
    try:
        while running or ((waiting or suspects) and go_on()):
            source, limit = (suspects, 1) if suspects else (waiting, workers.at_once())
            while source and len(running) < limit and go_on():
                job = source.popleft()
                running[executor.submit(function, job)] = job
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            if any(isinstance(_error(future), BrokenExecutor) for future in finished):
                # Of one pool all futures break together; some may have their results.
                executor = workers.executor()
                finished = wait(running).done
            lost = [future for future in running if future in finished and isinstance(_error(future), _LOST)]
            for future in [future for future in running if future in finished]:
                job = running.pop(future)
                if future not in lost:
                    yield _done(job, future)
                    continue
                deaths[id(job)] = deaths.get(id(job), 0) + 1
                # Beside others, it may have been one of them.
                if deaths[id(job)] < _DEATHS or len(lost) > 1:
                    suspects.append(job)
                else:
                    yield Done(job, error=_obituary(deaths[id(job)], _error(future)))
    finally:
        for future in running:
            future.cancel()


def _error(future: Future[Any]) -> BaseException | None:
    try:
        return future.exception(timeout=0)
    except CancelledError as error:
        return error


def _done(job: J, future: Future[R]) -> Done[J, R]:
    error = _error(future)
    if error is None:
        return Done(job, future.result())
    if type(error).__name__ == "KilledWorker":  # of a package that may not be installed
        return Done(job, error=WorkerDiedError(f"the workers of the cluster that worked on it were ended: {error}"))
    if not isinstance(error, Exception):
        raise error
    return Done(job, error=error)


def _obituary(times: int, error: BaseException | None) -> WorkerDiedError:
    how = f" ({error})" if isinstance(error, WorkerDiedError) else ""
    return WorkerDiedError(
        f"the process that worked on it was ended from outside, {times} times, the last time with nothing beside "
        f"it{how}; the system kills processes so when its memory runs out"
    )


@contextmanager
def _processes(jobs: int) -> Iterator[Workers]:
    if "fork" not in multiprocessing.get_all_start_methods():
        raise InputError("several processes need a system that can fork: use --executor dask")
    pools: list[_Pool] = []

    def executor() -> Executor:
        """Start a pool."""
        pools.append(_Pool(jobs, multiprocessing.get_context(start_method())))
        return pools[-1]

    try:
        yield Workers("processes", executor, lambda: jobs)
    finally:
        for pool in pools:
            pool.end()


class _Pool(ProcessPoolExecutor):
    """Processes that are forked from this one where it can be, so that what it has loaded and compiled is there."""

    def __init__(self, jobs: int, context: BaseContext) -> None:
        super().__init__(jobs, context, initializer=begin_worker)
        self._crew: dict[int, BaseProcess] = {}

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Submit as every executor does.

        The first call forks; Python 3.12 warns of forks where there are threads. Workers do not use what those may
        hold: BLAS, Arrow and logging are made for forks.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            future = super().submit(fn, *args, **kwargs)
        # A pool that is shut down forgets them.
        self._crew |= self._processes or {}
        return future

    def end(self) -> None:
        """End all processes, whatever they are at."""
        self.shutdown(wait=False, cancel_futures=True)
        for process in self._crew.values():
            process.kill()
        for process in self._crew.values():
            process.join()


@contextmanager
def _dask(address: str, jobs: int) -> Iterator[Workers]:
    try:
        from distributed import Client, LocalCluster  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise InputError("--executor dask needs Dask: pip install 'meas_deblend[dask]'") from error
    try:
        if address:
            client = Client(f"tcp://{address}", timeout=_PATIENCE)
            cluster = None
        else:
            cluster = LocalCluster(n_workers=jobs, threads_per_worker=1, processes=True, dashboard_address=":0")
            client = Client(cluster)
    except (OSError, TimeoutError) as error:
        raise InputError(f"no Dask scheduler answers at {address or 'this machine'}: {error}") from error
    try:
        # More than there are workers, so that none waits for the next, and a cluster that grows by what waits does.
        yield Workers(_DASK, client.get_executor, lambda: max(_QUEUED, 2 * sum(client.nthreads().values())))
    finally:
        client.close()
        if cluster is not None:
            cluster.close()
