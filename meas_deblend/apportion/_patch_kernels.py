"""Compiled sums over the rows of a whole image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..scarlet._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray

__all__ = ["row_sums"]


@jit
def row_sums(
    planes: tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.integer]],
    bad: int,
    detected: BoolArray,
    out: NDArray[np.float64],
) -> int:
    """Add up each row of an image; returns how many pixels outside all parents have no finite value.

    Parameters
    ----------
    planes : tuple
        Image, variances and mask (y, x).
    bad : int
        Bits of the mask that make a pixel unusable.
    detected : bool array (y, x)
        Pixels of parents.
    out : float64 array (y, 4)
        Sums of finite pixels, of their absolute values, of usable pixels outside all parents, and of the others there.
    """
    image, variance, mask = planes
    lost = 0
    for y in range(image.shape[0]):
        whole, scale, sky, masked = 0.0, 0.0, 0.0, 0.0
        for x in range(image.shape[1]):
            value, noise = np.float64(image[y, x]), np.float64(variance[y, x])
            if not np.isfinite(value):
                lost += not detected[y, x]
                continue
            whole += value
            scale += abs(value)
            if detected[y, x]:
                continue
            if 0 < noise < np.inf and np.int64(mask[y, x]) & bad == 0:
                sky += value
            else:
                masked += value
        out[y, 0], out[y, 1], out[y, 2], out[y, 3] = whole, scale, sky, masked
    return lost
