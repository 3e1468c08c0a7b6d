"""The clock that ends a hung fit, and decides nothing else."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .blend_fit import NotFittedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

__all__ = ["can_watch", "time_limit"]


def can_watch() -> bool:
    """Tell whether a fit that is started here and now can be ended: alarms reach the main thread of a process alone."""
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise an error in what runs inside, once so much time has passed.

    Parameters
    ----------
    seconds : float, optional
        By the clock on the wall; None: no limit. Where `can_watch` is false there is none either.

    Raises
    ------
    NotFittedError
        With reason "timeout".
    """
    if seconds is None or not can_watch():
        yield
        return

    def _end(_signal: int, _frame: FrameType | None) -> None:
        raise NotFittedError("timeout", f"it was ended after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, _end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
