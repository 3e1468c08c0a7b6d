"""Residual and update of a deconvolution, compiled: one pass over the pixels each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..scarlet._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray

    Plane = NDArray[np.float32]
    Place = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]

__all__ = ["add_members", "advance", "subtract"]

# Whole planes are handed over, and where to begin in them: rows of a part of one are not known to lie in one piece, and
# loops over them do not become vector instructions.


@jit
def advance(
    gradient: Plane, place: Place, steps: tuple[np.float32, np.float32], wanted: BoolArray, models: tuple[Plane, Plane]
) -> None:
    """Move a model along a gradient from where it was ahead, and that by a fraction of the move.

    Parameters
    ----------
    gradient : float32 array (y, x)
    place : tuple of tuple of int
        First pixel in the gradient, the same in the frame, and how many rows and columns.
    steps : tuple of float32
        What the gradient is multiplied by, and the fraction.
    wanted : bool array (Y, X)
        The model is 0 elsewhere.
    models : tuple of float32 array (Y, X)
        The model, at least 0, and where it was ahead; both are changed.
    """
    (top, left), (y0, x0), (height, width) = place
    scale, beta = steps
    for row in range(height):
        y = y0 + row
        model, ahead = models[0][y, x0 : x0 + width], models[1][y, x0 : x0 + width]
        inside, slope = wanted[y, x0 : x0 + width], gradient[top + row, left : left + width]
        for k in range(width):
            new = slope[k] * scale + ahead[k]
            # A choice, unlike a maximum, which looks for NaN, is a vector instruction.
            new = (new if new > np.float32(0) else np.float32(0)) * np.float32(inside[k])
            ahead[k] = new + beta * (new - model[k])
            model[k] = new


@jit
def subtract(seen: Plane, place: Place, image: NDArray[np.floating[Any]], unusable: BoolArray, residual: Plane) -> None:
    """Set a residual to what an image has beyond what is seen of a model, and to 0 where pixels are not usable.

    Parameters
    ----------
    seen : float32 array (y, x)
    place : tuple of tuple of int
        First pixel in what is seen, the same in the frame, and how many rows and columns.
    image : array (Y, X)
    unusable : bool array (Y, X)
    residual : float32 array (Y, X)
        It is changed.
    """
    (top, left), (y0, x0), (height, width) = place
    for row in range(height):
        y = y0 + row
        given, made = image[y, x0 : x0 + width], seen[top + row, left : left + width]
        bad, out = unusable[y, x0 : x0 + width], residual[y, x0 : x0 + width]
        for k in range(width):
            beyond = given[k] - made[k]
            out[k] = np.float32(0) if bad[k] else beyond


@jit
def add_members(mask: BoolArray, values: Plane, noise: np.float32, planes: tuple[Plane, Plane]) -> None:
    """Add values (n,) to the pixels of a mask (y, x), in raster order, and in units of a noise.

    Parameters
    ----------
    mask : bool array (y, x)
    values : float32 array (n,)
    noise : float32
    planes : tuple of float32 array (y, x)
        What values are added to, and what values over the noise are; both are changed.
    """
    total, relative = planes
    count = 0
    for y in range(len(mask)):
        for x in range(mask.shape[1]):
            if mask[y, x]:
                total[y, x] += values[count]
                relative[y, x] += values[count] / noise
                count += 1
