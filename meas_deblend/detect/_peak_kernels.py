"""Maxima of an image and ways between them, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..scarlet._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float = NDArray[np.floating[Any]]

__all__ = ["lowest_on_the_way", "maxima_above"]


@jit
def maxima_above(image: Float, threshold: float) -> NDArray[np.int64]:
    """Flat indices (n,) of the pixels of an image (y, x) above a threshold that none of their neighbours exceeds."""
    height, width = image.shape
    found = np.empty(64, dtype=np.int64)
    count = 0
    for y in range(height):
        for x in range(width):
            value = image[y, x]
            if not value > threshold:
                continue
            highest = True
            for v in range(max(y - 1, 0), min(y + 2, height)):
                for u in range(max(x - 1, 0), min(x + 2, width)):
                    highest &= image[v, u] <= value
            if highest:
                if count == len(found):
                    found = np.concatenate((found, np.empty_like(found)))
                found[count] = y * width + x
                count += 1
    return found[:count]


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
