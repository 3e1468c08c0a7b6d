"""Units that wait for a worker, and what they are predicted to need."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["Needs", "Queue", "Waiting"]

_BEHIND = 8
"""Units wait at a process that is not yet done with another, if for each process there is so many times as much behind
them."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What units are predicted to need.

    Parameters
    ----------
    memory : sequence of float
        Of each unit, by place.
    budget : float
        What those that are worked on at the same time may need together.
    cost : sequence of float, optional
        Time of each unit, by place, in any unit; where it is not known, none is sent ahead.
    """

    memory: Sequence[float]
    budget: float
    cost: Sequence[float] | None = None

    def fits(self, index: int, beside: Sequence[float]) -> bool:
        """Whether a unit fits beside those that need so much; alone, any does: nobody else could do it."""
        return not beside or self.memory[index] <= self.budget - sum(beside)


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits at a process that is at a unit.

    Parameters
    ----------
    units : sequence of int
        Places of those that it has already, but for the one that it is at.
    processes : int
        Number of processes.
    """

    units: Sequence[int]
    processes: int


class Waiting:
    """Units that nobody has yet.

    Parameters
    ----------
    order : sequence of int
        In which they are given out, as far as memory allows.
    wanted : callable
        Asked before a unit is given out; those that are not wanted any more are left out.
    needs : Needs
    """

    def __init__(self, order: Sequence[int], wanted: Callable[[int], bool], needs: Needs) -> None:
        self._stack, self._wanted, self._needs = list(reversed(order)), wanted, needs
        self._cost = sum(map(self._cost_of, order))

    def put_back(self, index: int) -> None:
        """Let a unit be the next."""
        self._stack.append(index)
        self._cost += self._cost_of(index)

    def take(self, beside: Sequence[float], queue: Queue | None = None) -> int | None:
        """Take the first unit that fits; None if there is none.

        Parameters
        ----------
        beside : sequence of float
            Memory of the units that other processes are at.
        queue : Queue, optional
            For a process that is at a unit already: only if the rest would keep all processes at work for some time.
            Else this unit would wait behind the others while somebody has nothing to do.
        """
        for position in range(len(self._stack) - 1, -1, -1):
            index = self._stack[position]
            if not self._wanted(index):
                del self._stack[position]
                continue
            if not self._needs.fits(index, beside):
                continue
            if queue is not None and not self._is_small(index, queue):
                return None
            del self._stack[position]
            self._cost -= self._cost_of(index)
            return index
        return None

    def _is_small(self, index: int, queue: Queue) -> bool:
        cost = sum(map(self._cost_of, queue.units), self._cost_of(index))
        return self._needs.cost is not None and cost * (1 + _BEHIND * queue.processes) < self._cost

    def _cost_of(self, index: int) -> float:
        return 0.0 if self._needs.cost is None else self._needs.cost[index]
