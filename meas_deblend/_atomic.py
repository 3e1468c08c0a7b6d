"""Files that appear whole or not at all.

A product that is half written when a process is killed must never be mistaken for a finished one, so every
file that this package writes goes through :func:`atomic_write`. Only the standard library is used, so that any
package may import this module.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal

__all__ = ["atomic_write"]


@contextmanager
def atomic_write(path: Path | str, mode: Literal["wb", "w"] = "wb") -> Iterator[IO[Any]]:
    """Open a temporary file that takes the name ``path`` when the block ends without an error.

    The temporary file lies in the folder of ``path``, because only a rename inside one file system is atomic. It
    is flushed to the disk before the rename. After an error the old file, if there was one, is unchanged and the
    temporary file is gone. Missing parent folders are made.

    Parameters
    ----------
    path : path-like
        The file to write.
    mode : {"wb", "w"}
        Bytes, or text in UTF-8 with the line ends of Unix.

    Yields
    ------
    IO
        The open temporary file.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    temporary = Path(name)
    try:
        with _open(descriptor, mode) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _open(descriptor: int, mode: Literal["wb", "w"]) -> IO[Any]:
    if mode == "wb":
        return os.fdopen(descriptor, "wb")
    return os.fdopen(descriptor, "w", encoding="utf-8", newline="\n")


def _umask() -> int:
    # mkstemp makes files that only their owner may read; products get the permissions of any new file. The
    # process's mask can only be read by setting it.
    mask = os.umask(0)
    os.umask(mask)
    return mask
