"""Memory that is free again goes back to the system."""

import time

from .._heap import release_memory

__all__ = ["MemoryKeeper"]


class MemoryKeeper:
    """Calls `release_memory` now and then in a loop: it takes some milliseconds.

    Parameters
    ----------
    every_seconds : float
        Not more often than this.
    """

    def __init__(self, every_seconds: float = 1.0) -> None:
        self._every, self._last = every_seconds, time.monotonic()

    def __call__(self) -> None:
        """Release memory, if it is time."""
        if time.monotonic() - self._last >= self._every:
            release_memory()
            self._last = time.monotonic()
