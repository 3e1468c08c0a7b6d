"""Several processes that compile at the same time: no function by two of them."""

from __future__ import annotations

import functools
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["compile_once", "locked"]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait until no other process is in a block with the same file, which is made where it is missing."""
    import fcntl  # noqa: PLC0415 - not on every system

    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def compile_once(folder: Path) -> None:
    """Let this process compile no function of ours while another with the same folder does: it finds it in the cache.

    From now on, for all functions. Without it, two processes that keep two versions of a function in the cache at the
    same time may mistake one for the other.

    Parameters
    ----------
    folder : Path
        Shared by the processes; is made where it is missing.
    """
    from numba.core.dispatcher import Dispatcher  # noqa: PLC0415 - only where something is compiled

    folder.mkdir(exist_ok=True)
    plain = Dispatcher.compile

    @functools.wraps(plain)
    def compile_or_wait(self: Any, signature: Any) -> Any:
        function = self.py_func
        if not function.__module__.startswith("meas_deblend"):
            return plain(self, signature)
        name = re.sub(r"[^\w.]", "_", f"{function.__module__}.{function.__qualname__}")
        # A function waits only for those that it calls, and none of them calls it: nobody waits for ever.
        with locked(folder / name):
            return plain(self, signature)

    Dispatcher.compile = compile_or_wait  # type: ignore[assignment, method-assign]  # numba offers no other way
