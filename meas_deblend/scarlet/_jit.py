"""Compilation of the inner loops of all packages, with their Python types kept for the type checker."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

__all__ = ["jit"]

P = ParamSpec("P")
R = TypeVar("R")


def jit(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` on its first call, keep the machine code on disk and release the interpreter lock.

    Floating-point rules are IEEE's (no fast-math), so that NaN tests hold and results do not depend on the machine's
    vector width; divisions by zero give infinities, as numpy's do.
    """
    try:
        compiled = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:
        # There is no folder that can be written: then each process compiles for itself.
        compiled = numba.njit(nogil=True, error_model="numpy")(function)
    return cast("Callable[P, R]", compiled)
