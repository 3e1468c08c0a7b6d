"""Units of work: what a task does once per parent, in as many processes as the run has, kept as it goes.

A task hands its loop to `map_units` and knows nothing of processes and checkpoints: whoever runs it says how many
there are (`working`).
"""

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Generic, TypeVar

from .._interrupt import raise_interrupt
from ..exceptions import WorkerDiedError
from ._memory import MemoryKeeper
from ._start import can_be_sent, start_method
from ._threads import one_thread
from ._waiting import Needs
from ._workers import Answer, Crew, check_jobs
from .checkpoint import Batches, Checkpoint, Codec
from .progress import reporter

__all__ = [
    "Loop",
    "Resumable",
    "Workplace",
    "iterate_units",
    "map_units",
    "once",
    "surrounding_preparations",
    "working",
]

SharedT = TypeVar("SharedT")
U = TypeVar("U")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where units are worked on.

    Parameters
    ----------
    jobs : int
        Number of processes; 1: this one.
    checkpoint : Checkpoint, optional
        Where results are kept while the run goes on, and found when it is resumed.
    label : str
        The task that is running, by which the checkpoint tells results apart.
    preparations : iterator of callable
        What this process does while workers are at their units, and else leaves: it loads what comes next, such as
        compiled code. Whoever needs that loads it itself where this has not been done.

    Raises
    ------
    InputError
        If so many processes are not possible here.
    """

    jobs: int = 1
    checkpoint: Checkpoint | None = None
    label: str = ""
    preparations: Iterator[Callable[[], object]] = field(default=iter(()), compare=False)

    def __post_init__(self) -> None:
        check_jobs(self.jobs)


_HERE = Workplace()
_workplace: ContextVar[Workplace] = ContextVar("meas_deblend_workplace", default=_HERE)


@contextmanager
def working(workplace: Workplace) -> Iterator[None]:
    """Let `map_units` work there inside the block."""
    token = _workplace.set(workplace)
    try:
        yield
    finally:
        _workplace.reset(token)


def surrounding_preparations() -> Iterator[Callable[[], object]]:
    """Return the preparations of the workplace that `working` says; those that are taken from it are gone there too."""
    return _workplace.get().preparations


@dataclass(frozen=True, slots=True)
class Resumable(Generic[U, R]):
    """How results of units are kept, so that a killed run goes on behind them.

    Parameters
    ----------
    key : callable
        Identifier of a unit, the same in every run.
    codec : Codec
        Writes and reads files of results.
    """

    key: Callable[[U], int]
    codec: Codec[R]


@dataclass(frozen=True, slots=True)
class Loop(Generic[U, R]):
    """What `map_units` may be told of units beyond what is done with them.

    Parameters
    ----------
    cost : callable, optional
        Predicted cost of a unit, in any unit: the costliest are started first, so that none of them is alone at the
        end. Default: all are alike.
    name : callable
        What a unit is called in messages.
    memory : callable, optional
        Predicted memory of a unit, in any unit; default: none.
    memory_budget : float
        Units that are worked on at the same time may need so much together; one alone may need more.
    ahead : bool
        Whether one unit, the cheapest, is done before there are workers, so that what it imports and compiles is there
        in all of them. Few units that are alike are better all done by workers.
    lost : callable, optional
        Gives the result of a unit whose worker died with it, twice; default: `WorkerDiedError` is raised.
    resumable : Resumable, optional
        Default: nothing is kept.
    """

    cost: Callable[[U], float] | None = None
    name: Callable[[U], str] = field(default=str)
    memory: Callable[[U], float] | None = None
    memory_budget: float = math.inf
    ahead: bool = True
    lost: Callable[[U, WorkerDiedError], R] | None = None
    resumable: Resumable[U, R] | None = None


def map_units(
    function: Callable[[SharedT, U], R],
    units: Sequence[U],
    shared: SharedT,
    *,
    description: str = "",
    loop: Loop[U, R] | None = None,
) -> list[R]:
    """Call ``function(shared, unit)`` for every unit, in as many processes as the run has.

    The results, and the error if there is one, do not depend on the number of processes. Libraries of linear algebra
    are kept to one thread, in this process too.

    Parameters
    ----------
    function : callable
        Its result is all that comes back: in a worker process, what it changes is lost.
    units : sequence
        What is worked on.
    shared : object
        What all need, such as the exposure; workers see it without a copy, and must not change it.
    description : str
        What is counted in progress, for example ``"parents"``.
    loop : Loop, optional
        Costs, names, and what is kept.

    Returns
    -------
    list
        One result per unit, in their order.

    Raises
    ------
    WorkerDiedError
        If a worker died twice with the same unit, and ``loop.lost`` is not given.
    Exception
        That of the first unit, in their order, for which the function raised one.
    """
    return list(iterate_units(function, units, shared, description=description, loop=loop))


def iterate_units(
    function: Callable[[SharedT, U], R],
    units: Sequence[U],
    shared: SharedT,
    *,
    description: str = "",
    loop: Loop[U, R] | None = None,
) -> Generator[R, None, None]:
    """Do as `map_units` does, and yield results in the order of the units, each as soon as those before it are there.

    What is done with a result is done while workers go on, and it need not be kept.
    """
    about: Loop[U, R] = loop or Loop()
    place = _workplace.get()
    results: dict[int, R] = {}
    keep: Batches[R] | None = None
    if about.resumable is not None and place.checkpoint is not None:
        keep = place.checkpoint.batches(place.label, about.resumable.codec)
        known = keep.stored()
        keys = [about.resumable.key(unit) for unit in units]
        results = {index: known[key] for index, key in enumerate(keys) if key in known}
    todo = [index for index in range(len(units)) if index not in results]
    report = reporter(len(units), description)
    done, given = len(results), 0
    report(done)
    try:
        with one_thread(), closing(_Work(function, units, shared, about).answers(todo, place)) as coming:
            for answer in coming:
                results[answer.index] = answer.value
                done += 1
                report(done)
                if keep is not None:
                    keep.add(answer.value)
                while given in results:
                    yield results.pop(given)
                    given += 1
            while given in results:
                yield results.pop(given)
                given += 1
    finally:
        # After an error or an interrupt too: whoever mends what was wrong goes on from here.
        if keep is not None:
            keep.flush()


def once(function: Callable[[], R], codec: Codec[R]) -> R:
    """Call a function, unless a run that is resumed has done so: then its result is read.

    Parameters
    ----------
    function : callable
        Its result depends on nothing but what the checkpoint is bound to.  A task may have one of them, and then no
        loop whose units are kept.
    codec : Codec
        Writes and reads a file with one result, by the key 0.

    Returns
    -------
    object
    """
    place = _workplace.get()
    if place.checkpoint is None:
        return function()
    keep = place.checkpoint.batches(place.label, codec)
    known = keep.stored()
    if 0 in known:
        return known[0]
    made = function()
    keep.add(made)
    keep.flush()
    return made


@dataclass(frozen=True, slots=True, eq=False)
class _Work(Generic[SharedT, U, R]):
    """One call of `map_units`."""

    function: Callable[[SharedT, U], R]
    units: Sequence[U]
    shared: SharedT
    loop: Loop[U, R]

    def __reduce__(self) -> tuple[Any, ...]:
        """Send what a worker needs: how the units are handed out stays here."""
        return type(self), (self.function, self.units, self.shared, Loop())

    def __call__(self, index: int) -> R:
        """Do one unit; what it calls has this process alone."""
        with working(_HERE):
            return self.function(self.shared, self.units[index])

    def answers(self, todo: Sequence[int], place: Workplace) -> Generator[Answer, None, None]:
        """Yield the results of units; raise the error of the first, in their order, that has one."""
        if place.jobs == 1 or len(todo) < 2 or not (start_method() == "fork" or can_be_sent(self)):
            tidy = MemoryKeeper()
            for index in todo:
                answer = Answer(index, self(index))
                # Before others make something of it.
                tidy()
                yield answer
            return
        costs = self._costs()
        order = list(todo) if costs is None else sorted(todo, key=lambda index: (-costs[index], index))
        failed: Answer | None = None

        def wanted(index: int) -> bool:
            # Behind a failure nothing is needed; before it there may be another.
            return failed is None or index < failed.index

        ahead = [self._attempt(order.pop())] if self.loop.ahead else []
        names = [self.loop.name(unit) for unit in self.units]
        crew = Crew(self, names, place.jobs, self._needs(costs), place.preparations, method=start_method())
        with closing(crew.answers(order, wanted)) as coming:
            for answer in chain(ahead, map(self._settled, coming)):
                if answer.error is None:
                    yield answer
                elif wanted(answer.index):
                    failed = answer
        if failed is not None and failed.error is not None:
            raise failed.error

    def _costs(self) -> list[float] | None:
        cost = self.loop.cost
        return None if cost is None else [cost(unit) for unit in self.units]

    def _needs(self, costs: Sequence[float] | None) -> Needs:
        need = self.loop.memory
        memory = [0.0 if need is None else need(unit) for unit in self.units]
        return Needs(memory, self.loop.memory_budget, costs)

    def _attempt(self, index: int) -> Answer:
        try:
            return Answer(index, self(index))
        except Exception as error:  # noqa: BLE001 -- raised when it is known to be the first
            raise_interrupt(error)
            return Answer(index, error=error)

    def _settled(self, answer: Answer) -> Answer:
        """Give a unit that was lost the result that stands for it."""
        if self.loop.lost is None or not isinstance(answer.error, WorkerDiedError):
            return answer
        return Answer(answer.index, self.loop.lost(self.units[answer.index], answer.error))
