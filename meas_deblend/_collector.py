"""When Python looks for objects that hold on to each other: not where there are none."""

from __future__ import annotations

import atexit
import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["collector_at_rest", "leave_without_collecting"]


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Look for no cycles inside the block: what is imported stays, and going through it again and again takes a tenth.

    Around imports and settings, not around work on images: cycles would keep these.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def leave_without_collecting() -> None:
    """Look for no cycles when the interpreter ends: the system takes all memory back at once.

    For programs of our own only. What atexit calls, open files and processes are ended as ever.
    """
    atexit.register(gc.freeze)
