"""One run at a time writes to a folder."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..exceptions import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["LOCK", "is_free", "locked", "who_locks"]

LOCK = "run.lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder inside the block.

    The lock is the operating system's, on a file that stays: it is gone when the process is, in whatever way it ends,
    and processes that it started do not have it.

    Parameters
    ----------
    folder : Path
        Exists.

    Raises
    ------
    InputError
        If another run has it; the message says which process, on which machine, since when.
    """
    # Not truncated before the lock is ours: what another run wrote is what the message tells.
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    with os.fdopen(descriptor, "r+", encoding="utf-8") as stream:
        if not is_free(descriptor, fcntl.LOCK_EX):
            raise InputError(
                f"{folder}: another run writes to this folder ({_told(stream.read())}); wait for it, or choose another "
                "folder"
            )
        stream.truncate(0)
        json.dump({"process": os.getpid(), "host": socket.gethostname(), "since": _now()}, stream)
        stream.flush()
        yield


def who_locks(folder: Path) -> str:
    """Say which other process writes to a folder; empty if none does."""
    path = folder / LOCK
    if not path.is_file():
        return ""
    with path.open("r", encoding="utf-8") as stream:
        # A shared lock can be asked for by who may only read; it is given back when the file is closed.
        return "" if is_free(stream.fileno(), fcntl.LOCK_SH) else _told(stream.read())


def is_free(descriptor: int, kind: int) -> bool:
    """Take the lock of an open file, and return whether it was free; it is given back when the file is closed.

    Parameters
    ----------
    descriptor : int
    kind : int
        ``fcntl.LOCK_EX`` to have it alone, ``fcntl.LOCK_SH`` beside others that have it so.
    """
    try:
        fcntl.lockf(descriptor, kind | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _told(text: str) -> str:
    try:
        about = json.loads(text)
        return f"process {about['process']} on {about['host']}, since {about['since']}"
    except (ValueError, KeyError, TypeError):
        return "its process is not known"


def _now() -> str:
    return datetime.now(UTC).isoformat(sep=" ", timespec="seconds").removesuffix("+00:00") + " UTC"
