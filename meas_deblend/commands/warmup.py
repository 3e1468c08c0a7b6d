"""``meas-deblend warmup``: compile ahead."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from ._settings import say

if TYPE_CHECKING:
    import argparse

__all__ = ["warmup"]


def warmup(options: argparse.Namespace) -> int:
    """Compile the inner loops of detection and of the engine, and say how long it took."""
    from ..detect import warmup as compile_detection  # noqa: PLC0415 - loads the compiler
    from ..scarlet import warmup as compile_engine  # noqa: PLC0415 - loads the compiler

    del options
    begin = perf_counter()
    compile_detection()
    compile_engine()
    say(f"the inner loops are compiled ({perf_counter() - begin:.1f} s)")
    return 0
