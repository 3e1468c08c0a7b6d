"""What is kept of a patch that is not finished, so that whoever takes it up again goes on behind it."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .lock import is_free

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .job import PatchResult

__all__ = ["forget_progress", "is_worth_keeping", "kept_progress"]

_LOCK, _CHECKPOINT = "lock", "checkpoint"
_FROM_OUTSIDE = ("worker_died", "out_of_memory")
"""Reasons that are those of the machine: the same work may go well another time."""


@contextmanager
def kept_progress(folder: Path) -> Iterator[Path | None]:
    """Give the folder for the checkpoint of a patch to one process at a time.

    A cluster that has lost sight of a worker gives its patch to another, and the first may still be at it. Both come
    to the same, but they cannot share a checkpoint: the second works without.

    Parameters
    ----------
    folder : Path
        Of the patch's products; what is kept lies beside it.

    Yields
    ------
    Path or None
        Folder of the checkpoint, which may be there already; None while another process has it.
    """
    kept = _beside(folder)
    kept.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(kept / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        yield kept / _CHECKPOINT if is_free(descriptor, fcntl.LOCK_EX) else None
    finally:
        os.close(descriptor)


def forget_progress(folder: Path, patience: float = 0.0) -> None:
    """Remove what is kept of a patch, unless a process is at it.

    Parameters
    ----------
    folder : Path
        Of the patch's products.
    patience : float
        Seconds to wait for such a process: one whose worker is gone comes to its end by itself.
    """
    kept, until = _beside(folder), time.monotonic() + patience
    while kept.is_dir():
        with kept_progress(folder) as checkpoint:
            if checkpoint is not None:
                shutil.rmtree(kept, ignore_errors=True)
                return
        if time.monotonic() >= until:
            return
        time.sleep(0.1)


def is_worth_keeping(result: PatchResult) -> bool:
    """Whether a patch that is done again should go on behind what was done: where it did not end by its own fault."""
    return bool(result.failed and result.decisive.reason in _FROM_OUTSIDE)


def _beside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.kept")
