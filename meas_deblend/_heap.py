"""How the C library of our own programs keeps memory (glibc)."""

import ctypes
import sys

__all__ = ["keep_freed_memory"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Names of settings in ``malloc.h``."""

_LARGEST_OF_HEAP = 32 << 20
_KEPT = 128 << 20


def keep_freed_memory() -> None:
    """Take arrays of up to 32 MiB from the heap, and keep up to 128 MiB of it when they are freed.

    By default the C library asks the system for larger arrays one by one, and gives each of them back; the system fills
    every page with zeros when it is touched, which takes a twentieth of a run. What is kept is given back by
    `framework.release_memory` all the same. For programs of our own, and the processes that they fork, only.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGEST_OF_HEAP)
        mallopt(_TRIM_THRESHOLD, _KEPT)
