"""Why a measured number is not to be trusted."""

from __future__ import annotations

from enum import IntFlag
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..geometry import BoolArray, IntArray

__all__ = ["FlagReason", "add_reason"]


class FlagReason(IntFlag):
    """Reasons for a flag; a number without any is to be trusted."""

    EDGE = 1
    """Too much of what it is measured on lies beyond the edge of the image."""
    MASKED = 2
    """Too much of what it is measured on is masked or has no usable value."""
    NO_USABLE_PIXELS = 4
    """There is no usable pixel."""
    NO_PSF = 8
    """There is no usable PSF in this band at this place."""
    NO_FLUX = 16
    """There is no positive flux under the weight, so there is no centroid and no shape."""
    WANDERED = 32
    """The centroid left its start."""
    NOT_CONVERGED = 64
    """The iterations did not settle on a size between a pixel and the window."""
    NON_FINITE = 128
    """The position or the result is not a finite number."""


def add_reason(reasons: IntArray, where: BoolArray, reason: FlagReason) -> IntArray:
    """Return ``reasons`` with ``reason`` added ``where`` true."""
    return np.where(where, reasons | int(reason), reasons)
