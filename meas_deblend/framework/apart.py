"""Calls in a process of their own."""

import math
import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import Generic, TypeVar

from ._start import start_method
from ._waiting import Needs
from ._workers import Answer, Crew

__all__ = ["CallBeside", "call_apart", "can_call_apart"]

T = TypeVar("T")


def can_call_apart() -> bool:
    """Whether this system can fork processes."""
    return "fork" in multiprocessing.get_all_start_methods()


def call_apart(function: Callable[[], T], name: str) -> T:
    """Call a function in a process of its own, which ends with the call: what it took of memory is given back then.

    Parameters
    ----------
    function : callable
        What it changes is lost; its result comes back.
    name : str
        What the work is called in messages.

    Returns
    -------
    object
        What the function returned.

    Raises
    ------
    WorkerDiedError
        If the process was ended from outside, twice.
    Exception
        What the function raised.
    """
    with closing(CallBeside(function, name)) as call:
        return call.result(iter(()))


class CallBeside(Generic[T]):
    """A function that is called in a process of its own from now on; close it, or the process stays.

    Parameters
    ----------
    function : callable
        What it changes is lost; its result comes back. It may use several processes itself.
    name : str
        What the work is called in messages.
    """

    def __init__(self, function: Callable[[], T], name: str) -> None:
        call = partial(_call, function)
        self._preparations: list[Iterator[Callable[[], object]]] = []
        needs = Needs([0.0], math.inf)
        self._crew = Crew(call, [name], 1, needs, self._steps(), method=start_method(), daemon=False)
        self._crew.begin([0], lambda _: True)

    def result(self, preparations: Iterator[Callable[[], object]]) -> T:
        """Wait for the result.

        Parameters
        ----------
        preparations : iterator of callable
            What this process does meanwhile; what is left stays in the iterator.

        Raises
        ------
        WorkerDiedError
            If the process was ended from outside, twice.
        Exception
            What the function raised.
        """
        self._preparations.append(preparations)
        with closing(self._crew.coming()) as answers:
            answer: Answer = next(answers)
        if answer.error is not None:
            raise answer.error
        value: T = answer.value
        return value

    def close(self) -> None:
        """End the process, whatever it is at."""
        self._crew.dismiss()

    def _steps(self) -> Iterator[Callable[[], object]]:
        # Taken from only while somebody waits, and then they are there.
        for preparations in self._preparations:
            yield from preparations


def _call(function: Callable[[], T], _: int) -> T:
    return function()
