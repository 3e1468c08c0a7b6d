"""How much memory a piece of work needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from .._resident import resident_mb

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["MemoryMeter"]

_RESET = Path("/proc/self/clear_refs")


class MemoryMeter:
    """Peak of this process's resident memory within a ``with`` block, above what was resident before.

    Linux keeps a high-water mark that can be reset (proc(5), ``clear_refs``); other systems do not, and tell nothing.

    Attributes
    ----------
    peak_mb : float or None
        After the block: MiB; None where it cannot be known.
    """

    def __init__(self) -> None:
        self.peak_mb: float | None = None
        self._before: float | None = None

    def __enter__(self) -> Self:
        try:
            _RESET.write_text("5", encoding="ascii")
            self._before = resident_mb("VmRSS")
        except OSError:
            self._before = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        after = None if self._before is None else resident_mb("VmHWM")
        if self._before is not None and after is not None:
            self.peak_mb = max(after - self._before, 0.0)
