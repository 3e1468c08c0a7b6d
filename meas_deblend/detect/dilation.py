"""Growth of masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from ..geometry import BoolArray

__all__ = ["dilate_disc"]


def dilate_disc(mask: BoolArray, radius: int) -> BoolArray:
    """Pixels within ``radius`` of a true pixel of ``mask`` (y, x), cut to the array.

    A disc is a stack of rows, and a running maximum costs the same for any length, so the time grows with
    area × radius rather than with area × radius².
    """
    if radius < 1 or not mask.any():
        return mask.copy()
    bits = mask.view(np.uint8)
    out = np.zeros_like(bits)
    height = mask.shape[0]
    for dy in range(min(radius, height - 1) + 1):
        half = int(np.sqrt(radius**2 - dy**2))
        row = ndimage.maximum_filter1d(bits, 2 * half + 1, axis=1, mode="constant", cval=0)
        out[dy:] |= row[: height - dy]
        out[: height - dy] |= row[dy:]
    return out.view(np.bool_)
