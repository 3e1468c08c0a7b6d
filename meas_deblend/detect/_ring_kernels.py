"""Medians of the rings between isophotes, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..scarlet._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray

    Float = NDArray[np.float64]

__all__ = ["ring_medians"]


@jit
def ring_medians(image: Float, usable: BoolArray, ring: NDArray[np.intp], least: NDArray[np.intp]) -> Float:
    """Medians of the usable pixels of each ring.

    Parameters
    ----------
    image : float64 array (y, x)
        Finite where usable.
    usable : bool array (y, x)
    ring : int array (y, x)
        Number of the ring that a pixel lies in; pixels of rings beyond the last of ``least`` are left out.
    least : int array (n,)
        Pixels that a ring must have.

    Returns
    -------
    float64 array (n,)
        A ring with fewer pixels has the median of the one within; 0 where there is none.
    """
    height, width = image.shape
    ends = np.zeros(len(least) + 1, dtype=np.intp)
    for y in range(height):
        for x in range(width):
            if usable[y, x] and ring[y, x] < len(least):
                ends[ring[y, x] + 1] += 1
    for k in range(len(least)):
        ends[k + 1] += ends[k]
    # Values ring by ring, each ring in raster order; `place` is where the next one of a ring goes.
    values, place = np.empty(ends[-1]), ends[:-1].copy()
    for y in range(height):
        for x in range(width):
            if usable[y, x] and ring[y, x] < len(least):
                values[place[ring[y, x]]] = image[y, x]
                place[ring[y, x]] += 1
    out = np.zeros(len(least))
    for k in range(len(least)):
        part = values[ends[k] : ends[k + 1]]
        middle = len(part) // 2
        if len(part) >= max(least[k], 1):
            part.sort()
            out[k] = part[middle] if len(part) % 2 else (part[middle - 1] + part[middle]) / 2
        elif k > 0:
            out[k] = out[k - 1]
    return out
