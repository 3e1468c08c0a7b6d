"""Memory that is free again goes back to the system."""

import ctypes
import sys
import time
from collections.abc import Callable
from functools import cache
from typing import Any

__all__ = ["MemoryKeeper", "release_memory"]


def release_memory() -> None:
    """Give the system what the C library keeps of freed memory, where it has a call for that (glibc).

    Arrays of some MiB come from its heap, and a small one that was made later keeps them all from being given back: a
    process that went through a patch then stays several times as large as what it holds.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> Callable[[int], Any] | None:
    if sys.platform != "linux":
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)


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
