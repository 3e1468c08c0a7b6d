"""Maxima of an image and ways between them, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..scarlet._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float = NDArray[np.floating[Any]]

__all__ = ["identified", "lowest_on_the_way", "maxima_above"]


@jit
def maxima_above(image: Float, threshold: float) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Find the pixels of an image (y, x) above a threshold that none of their neighbours exceeds.

    Returns
    -------
    int64 array (n,)
        Flat indices, in raster order.
    bool array (n,)
        Those with an equal neighbour.
    """
    height, width = image.shape
    found, level = np.empty(64, dtype=np.int64), np.empty(64, dtype=np.bool_)
    count = 0
    for y in range(height):
        for x in range(width):
            value = image[y, x]
            if not value > threshold:
                continue
            highest, equal = True, 0
            for v in range(max(y - 1, 0), min(y + 2, height)):
                for u in range(max(x - 1, 0), min(x + 2, width)):
                    if not image[v, u] <= value:
                        highest = False
                        break
                    equal += image[v, u] == value
                if not highest:
                    break
            if highest:
                if count == len(found):
                    found = np.concatenate((found, np.empty_like(found)))
                    level = np.concatenate((level, np.empty_like(level)))
                found[count] = y * width + x
                # It is counted itself.
                level[count] = equal > 1
                count += 1
    return found[:count], level[:count]


@jit
def lowest_on_the_way(
    image: Float, ends: tuple[NDArray[np.float64], NDArray[np.float64]], steps: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Lowest values (n,) of an image (y, x) on straight ways between pixels.

    Parameters
    ----------
    image : array (y, x)
    ends : tuple of float64 array (n, 2)
        Where the ways begin and where they end (y, x).
    steps : float64 array (m,)
        Fractions of a way at which the nearest pixel is looked at, between 0 and 1.
    """
    first, last = ends
    out = np.full(len(first), np.inf)
    for k in range(len(first)):
        for step in steps:
            y = np.int64(np.rint((1 - step) * first[k, 0] + step * last[k, 0]))
            x = np.int64(np.rint((1 - step) * first[k, 1] + step * last[k, 1]))
            out[k] = min(out[k], image[y, x])
    return out


@jit
def identified(
    band: NDArray[np.int64], pairs: tuple[NDArray[np.int64], NDArray[np.int64]], seen: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Let each peak take in the nearest free one of every other band that has one near.

    Parameters
    ----------
    band : int64 array (n,)
        Number of each peak's band; the highest peak first.
    pairs : tuple of int64 array (m,)
        Peaks that may be one, the higher and the lower: by the higher, and then from the nearest on.
    seen : bool array (n, band)
        Set where a peak, or one that it takes in, is of the band.

    Returns
    -------
    bool array (n,)
        Those that none took in.
    """
    free = np.ones(len(band), dtype=np.bool_)
    for k in range(len(band)):
        seen[k, band[k]] = True
    first, second = pairs
    for m in range(len(first)):
        k, j = first[m], second[m]
        if free[k] and free[j] and not seen[k, band[j]]:
            seen[k, band[j]] = True
            free[j] = False
    return free
