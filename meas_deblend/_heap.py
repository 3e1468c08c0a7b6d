"""What the C library keeps of freed memory (glibc)."""

import ctypes
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

__all__ = ["keep_freed_memory", "release_memory"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Names of settings in ``malloc.h``."""

_LARGEST_OF_HEAP = 32 << 20
_KEPT = 128 << 20


def keep_freed_memory() -> None:
    """Take arrays of up to 32 MiB from the heap, and keep up to 128 MiB of it when they are freed.

    By default the C library asks the system for larger arrays one by one, and gives each of them back; the system fills
    every page with zeros when it is touched, which takes a twentieth of a run. What is kept is given back by
    `release_memory` all the same. For programs of our own, and the processes that they fork, only.
    """
    mallopt = _of_c_library("mallopt")
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGEST_OF_HEAP)
        mallopt(_TRIM_THRESHOLD, _KEPT)


def release_memory() -> None:
    """Give the system what the C library keeps of freed memory, where it has a call for that.

    Arrays of some MiB come from its heap, and a small one that was made later keeps them all from being given back: a
    process that went through a patch then stays several times as large as what it holds.
    """
    trim = _of_c_library("malloc_trim")
    if trim is not None:
        trim(0)


@cache
def _of_c_library(name: str) -> Callable[..., Any] | None:
    """Return a function of the C library, None where it has none of this name."""
    if sys.platform != "linux":
        return None
    function: Callable[..., Any] | None = getattr(ctypes.CDLL(None), name, None)
    return function
