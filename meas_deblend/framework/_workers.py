"""Worker processes that go through units of work: forked where it can be, so that nothing is copied."""

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
import warnings
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from .._collector import spare_what_is_there
from ..exceptions import InputError, WorkerDiedError
from ._memory import MemoryKeeper
from ._start import begin_worker
from ._threads import one_thread
from ._transfer import Known, Receiver, Sender, widen
from ._waiting import Needs, Queue, Waiting

__all__ = ["Answer", "Aside", "Crew", "check_jobs"]

_ATTEMPTS = 2
"""A unit that takes its worker with it this many times is given up: once may be bad luck, such as another's memory."""

_AHEAD = 8
"""So many units, at most, wait at a process that is at another: it need not wait while this one is busy."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a unit.

    Parameters
    ----------
    index : int
        Its place.
    value : object
        What the function returned.
    error : Exception, optional
        What it raised instead; `WorkerDiedError` if its worker died with it.
    """

    index: int
    value: Any = None
    error: Exception | None = None


def check_jobs(jobs: int) -> int:
    """Return the number of processes, if it can be used here.

    Raises
    ------
    InputError
        If it is below 1, or above 1 where processes cannot be forked.
    """
    if jobs < 1:
        raise InputError(f"the number of processes must be at least 1, not {jobs}")
    if jobs > 1 and "fork" not in multiprocessing.get_all_start_methods():
        raise InputError(f"{jobs} processes need a system that can fork; on {sys.platform} only 1 is possible")
    return jobs


@dataclass(slots=True, eq=False)
class _Worker:
    """A process, our end of its pipe, and the units that it has: the one that it is at, and perhaps the next."""

    process: BaseProcess
    pipe: Connection
    receiver: Receiver
    units: deque[int] = field(default_factory=deque)

    def give(self, index: int) -> None:
        """Give it a unit; if it has died in the meantime, this shows when the answer is waited for."""
        self.units.append(index)
        try:
            self.pipe.send(index)
        except OSError:
            return


class Aside:
    """Goes through preparations in a thread of its own, between `start` and `stop`.

    Parameters
    ----------
    preparations : iterator of callable
    """

    def __init__(self, preparations: Iterator[Callable[[], object]]) -> None:
        self._preparations = preparations
        self._enough = threading.Event()
        self._thread: threading.Thread | None = None
        self._errors: list[Exception] = []

    def start(self) -> None:
        """Begin, or go on, unless it is at it."""
        if self._thread is None:
            self._enough.clear()
            self._thread = threading.Thread(target=self._go, daemon=True)
            # A Ctrl-C in the middle could leave a lock behind that both threads wait for.
            with _interrupts_held():
                self._thread.start()

    def stop(self) -> None:
        """Wait until the preparation at hand is done, and begin no other; raises what one of them raised."""
        if self._thread is None:
            return
        self._enough.set()
        self._thread.join()
        self._thread = None
        if self._errors:
            raise self._errors.pop()

    def _go(self) -> None:
        try:
            while not self._enough.is_set():
                step = next(self._preparations, None)
                if step is None:
                    return
                step()
        except Exception as error:  # noqa: BLE001 -- raised in the thread that waits for this one
            self._errors.append(error)


class Crew:
    """Worker processes for one loop.

    They are forked from this process: whatever ``call`` refers to is there, shared until somebody writes to it. Where
    they have to be spawned, it is sent to each of them. They end when this process does, in whatever way.

    Parameters
    ----------
    call : callable
        Does a unit, given its place.
    names : sequence of str
        What the units are called in messages, by place.
    jobs : int
        Number of processes, at most.
    needs : Needs
        What may be worked on at the same time, and what is sent ahead.
    preparations : iterator of callable
        What this process does one after the other while workers are at their units, and stops doing when they are
        done; what is left stays in the iterator.
    method : str
        "fork" or "spawn", see `start_method`.
    daemon : bool
        Daemons have no processes of their own; who is none and hires workers must be dismissed.
    """

    def __init__(
        self,
        call: Callable[[int], Any],
        names: Sequence[str],
        jobs: int,
        needs: Needs,
        preparations: Iterator[Callable[[], object]],
        *,
        method: str = "fork",
        daemon: bool = True,
    ) -> None:
        self._call, self._names, self._jobs, self._needs = call, names, jobs, needs
        self._aside = Aside(preparations)
        self._context: Any = multiprocessing.get_context(method)
        self._daemon = daemon
        self._known = Known()
        self._workers: list[_Worker] = []
        self._waiting = Waiting((), lambda _: True, needs)
        self._unspare: Callable[[], None] = _nothing

    def answers(self, order: Sequence[int], wanted: Callable[[int], bool]) -> Generator[Answer, None, None]:
        """Do units, and yield what becomes of each as it comes; when the iterator is closed, all workers are ended.

        Parameters
        ----------
        order : sequence of int
            Places of the units, in the order in which they are started.
        wanted : callable
            Asked before a unit is given to a worker; those that are not wanted any more are left out.
        """
        self.begin(order, wanted)
        yield from self.coming()

    def begin(self, order: Sequence[int], wanted: Callable[[int], bool]) -> None:
        """Begin with units, as `answers` does; `coming` must follow, or `dismiss`."""
        self._waiting = Waiting(order, wanted, self._needs)
        try:
            self._unspare = spare_what_is_there()
            for _ in range(min(self._jobs, len(order))):
                self._hire()
            self._give(self._waiting)
        except BaseException:
            self.dismiss()
            raise

    def coming(self) -> Generator[Answer, None, None]:
        """Yield what becomes of each unit that was begun; at the end, or when this is closed, all workers are ended."""
        waiting = self._waiting
        died: Counter[int] = Counter()
        try:
            while any(worker.units for worker in self._workers):
                self._aside.start()
                for worker in self._ready():
                    index = worker.units.popleft()
                    answer = self._answer_of(worker, index)
                    if answer is None:
                        for later in reversed(worker.units):
                            waiting.put_back(later)
                        died[index] += 1
                        if died[index] < _ATTEMPTS:
                            waiting.put_back(index)
                        else:
                            answer = Answer(index, error=WorkerDiedError(_obituary(self._names[index], worker.process)))
                        self._hire()
                    # Before anything is made of the answer: nobody waits for that.
                    self._give(waiting)
                    if answer is not None:
                        yield answer
        finally:
            self.dismiss()
            self._aside.stop()

    def _give(self, waiting: Waiting) -> None:
        """Give units to those who have none, and the next to those who are at one, as far as memory allows."""
        for at_hand in range(_AHEAD + 1):
            for worker in (worker for worker in self._workers if len(worker.units) == at_hand):
                others = (other.units for other in self._workers if other is not worker)
                # Of the units of a process one comes after the other.
                beside = [max(self._needs.memory[index] for index in units) for units in others if units]
                index = waiting.take(beside, Queue(list(worker.units)[1:], self._jobs) if at_hand else None)
                if index is not None:
                    worker.give(index)

    def _hire(self) -> None:
        """Start one more."""
        # Locks that a thread of ours holds would stay locked in the new process.
        self._aside.stop()
        ours, theirs = self._context.Pipe()
        widen(theirs)
        process = self._context.Process(target=_work, args=(self._call, theirs), daemon=self._daemon)
        # Python 3.12 warns of forks where there are threads: those of progress bars and of libraries. A worker does
        # not use what they may hold: it draws nothing, and BLAS, Arrow and logging are made for forks.
        with _interrupts_held(), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            process.start()
        theirs.close()
        self._workers.append(_Worker(process, ours, Receiver(ours, self._known)))

    def _ready(self) -> list[_Worker]:
        """Wait until some have answered or died, and return them."""
        by_pipe: dict[Any, _Worker] = {worker.pipe: worker for worker in self._workers if worker.units}
        # A pipe whose other end is gone is ready too.
        return [by_pipe[pipe] for pipe in wait(list(by_pipe))]

    def _answer_of(self, worker: _Worker, index: int) -> Answer | None:
        """Return what it answers; None if it has died, and then it is no longer of the crew."""
        try:
            good, value = worker.receiver.receive()
        except (EOFError, OSError):
            self._workers.remove(worker)
            worker.pipe.close()
            worker.process.join()
            return None
        return Answer(index, value) if good else Answer(index, error=value)

    def dismiss(self) -> None:
        """End all of them, whatever they are at."""
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
            worker.pipe.close()
        self._workers = []
        self._unspare()
        self._unspare = _nothing


def _nothing() -> None:
    """Do nothing."""


def _obituary(name: str, process: BaseProcess) -> str:
    code = process.exitcode
    how = f"with exit code {code}"
    if code is not None and code < 0:
        how = f"by {signal.Signals(-code).name}"
    memory = "; the system kills processes so when its memory runs out" if code == -signal.SIGKILL else ""
    return f"{name}: the process that worked on it was ended {how}, {_ATTEMPTS} times{memory}"


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let a Ctrl-C wait: a child that is just being made would raise it somewhere in its beginnings."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(call: Callable[[int], Any], pipe: Connection) -> None:
    """Do units until the pipe closes; what a worker process does."""
    begin_worker()
    tidy, answers = MemoryKeeper(), Sender(pipe)
    with one_thread():
        while True:
            tidy()
            index = pipe.recv()
            try:
                answer = (True, call(index))
            except Exception as error:  # noqa: BLE001 -- it is raised where the unit came from
                answer = (False, _portable(error))
            try:
                answers.send(answer)
            except (pickle.PicklingError, TypeError, AttributeError) as error:
                answers.send((False, _portable(error)))


def _portable(error: Exception) -> Exception:
    """Return an error that can be sent, with the place where it was raised in its notes."""
    error.add_note(f"raised in process {os.getpid()}:\n{''.join(traceback.format_exception(error)).rstrip()}")
    try:
        again: Exception = pickle.loads(pickle.dumps(error))  # noqa: S301 -- our own bytes
    except Exception:  # noqa: BLE001 -- an error of any library; some cannot be made from their own arguments
        text = "\n".join([f"{type(error).__name__}: {error}", *error.__notes__])
        return RuntimeError(text)
    return again
