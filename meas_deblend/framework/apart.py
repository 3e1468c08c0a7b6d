"""Calls in a process of their own."""

import math
import multiprocessing
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import TypeVar

from ._start import start_method
from ._waiting import Needs
from ._workers import Crew

__all__ = ["call_apart", "can_call_apart"]

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
    crew = Crew(partial(_call, function), [name], 1, Needs([0.0], math.inf), iter(()), method=start_method())
    with closing(crew.answers([0], lambda _: True)) as answers:
        answer = next(answers)
    if answer.error is not None:
        raise answer.error
    result: T = answer.value
    return result


def _call(function: Callable[[], T], _: int) -> T:
    return function()
