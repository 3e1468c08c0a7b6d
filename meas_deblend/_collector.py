"""When Python looks for objects that hold on to each other: not where there are none."""

from __future__ import annotations

import atexit
import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["collector_at_rest", "leave_without_collecting", "spare_what_is_there"]

_SPARED_AT_START = gc.get_freeze_count()
"""Some hundred objects of the interpreter itself, in Python 3.12."""


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


def spare_what_is_there() -> Callable[[], None]:
    """Look for cycles among new objects only, in this process and in those that it forks, until what returns is called.

    Who looks for them writes to every object on the way, and what forked processes have in common is copied then, page
    by page.
    """
    if gc.get_freeze_count() > _SPARED_AT_START:
        # Somebody else has asked for it, and says when it ends.
        return lambda: None
    gc.freeze()
    return gc.unfreeze


def leave_without_collecting() -> None:
    """Look for no cycles when the interpreter ends: the system takes all memory back at once.

    For programs of our own only. What atexit calls, open files and processes are ended as ever.
    """
    atexit.register(gc.freeze)
