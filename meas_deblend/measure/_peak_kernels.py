"""Compiled search for the largest of the pixels of an image smoothed by a Gaussian."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..scarlet._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray, IntArray

    Float = NDArray[np.float64]

__all__ = ["climb", "gaussians"]


@jit
def gaussians(first: int, count: int, middle: int, sigma: float, out: Float) -> None:
    """Gaussians around the place before ``middle``, that place, and the one after it (3, n)."""
    for k in range(3):
        for place in range(count):
            out[k, place] = np.exp(-0.5 * ((first + place - (middle + k - 1)) / sigma) ** 2)


@jit
def climb(
    images: Float, origin: tuple[int, int], start: tuple[int, int], sigma: Float, steps: int
) -> tuple[IntArray, BoolArray, Float, Float, Float]:
    """Go to the largest smoothed pixel among the nine around one, at most so many times.

    Parameters
    ----------
    images : float64 array (N, h, w)
    origin, start : tuple of int
        Of the images' first pixel, and where to begin.
    sigma : float64 array (N,)
        [px].
    steps : int

    Returns
    -------
    pixel : int array (N, 2)
        Where each search ended.
    settled : bool array (N,)
        Whether that is a maximum.
    values : float64 array (N, 3, 3)
        The smoothed image around it.
    rows, columns : float64 array (N, 3, h), (N, 3, w)
        The Gaussians that smooth these.
    """
    count, height, width = images.shape
    pixel, settled = np.zeros((count, 2), dtype=np.int64), np.zeros(count, dtype=np.bool_)
    values, along = np.zeros((count, 3, 3)), np.zeros((3, width))
    rows, columns = np.zeros((count, 3, height)), np.zeros((count, 3, width))
    for n in range(count):
        y, x = start
        for _ in range(steps):
            gaussians(origin[0], height, y, sigma[n], rows[n])
            gaussians(origin[1], width, x, sigma[n], columns[n])
            along[:] = 0.0
            for row in range(height):
                for k in range(3):
                    weight = rows[n, k, row]
                    # A weight this small adds less than rounding.
                    if weight > 1e-20:
                        for column in range(width):
                            along[k, column] += weight * images[n, row, column]
            best, best_i, best_j = -np.inf, 0, 0
            for i in range(3):
                for j in range(3):
                    total = 0.0
                    for column in range(width):
                        total += along[i, column] * columns[n, j, column]
                    values[n, i, j] = total
                    if total > best:
                        best, best_i, best_j = total, i, j
            settled[n] = best_i == 1 and best_j == 1
            if settled[n]:
                break
            y, x = y + best_i - 1, x + best_j - 1
        pixel[n] = y, x
    return pixel, settled, values, rows, columns
