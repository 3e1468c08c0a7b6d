"""Smoothing of a whole image with a short symmetric filter, and its scatter, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..scarlet._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plane = NDArray[np.float32]

__all__ = ["clear_within", "nonzero_values", "smoothed", "sums_within"]

PART = 4096


@jit
def smoothed(image: Plane, taps: tuple[float, float, float], out: Plane) -> None:
    """Convolve an image (y, x), 0 outside, with a separable filter of five pixels, along rows first.

    Parameters
    ----------
    image : float32 array (y, x)
    taps : tuple of float
        In the middle of the filter, beside it and at its ends.
    out : float32 array (y, x)
        The result; may not be the image.
    """
    height, width = image.shape
    line = np.zeros(width + 4)
    # Rows that have been smoothed along x, the last five of them.
    rows = np.zeros((5, width), dtype=np.float32)
    for y in range(height + 2):
        row = rows[y % 5]
        if y < height:
            line[2:-2] = image[y]
            for x in range(width):
                total = line[x + 2] * taps[0]
                total += (line[x] + line[x + 4]) * taps[2]
                row[x] = total + (line[x + 1] + line[x + 3]) * taps[1]
        else:
            row[:] = 0
        if y >= 2:
            here, result = rows[(y - 2) % 5], out[y - 2]
            above, below = rows[(y - 3) % 5], rows[(y - 1) % 5]
            top, bottom = rows[(y - 4) % 5], row
            for x in range(width):
                total = np.float64(here[x]) * taps[0]
                total += (np.float64(top[x]) + np.float64(bottom[x])) * taps[2]
                result[x] = total + (np.float64(above[x]) + np.float64(below[x])) * taps[1]


@jit
def sums_within(values: Plane, level: float) -> tuple[float, float]:
    """Sum of those of some values (n,) that lie within ± ``level``, and of their squares."""
    first, second = 0.0, 0.0
    for start in range(0, len(values), PART):
        # Part by part: a single long sum would lose digits.
        total, power = 0.0, 0.0
        for value in values[start : start + PART]:
            wide = np.float64(value)
            # A choice takes half the time of a branch, and adding 0 changes nothing.
            kept = wide if abs(wide) <= level else 0.0
            total += kept
            power += kept * kept
        first += total
        second += power
    return first, second


@jit
def nonzero_values(plane: Plane) -> Plane:
    """Values (n,) of a plane (y, x) that are not 0, in raster order."""
    number = 0
    for row in plane:
        for value in row:
            number += value != 0
    out = np.empty(number + 1, dtype=plane.dtype)
    count = 0
    for row in plane:
        for value in row:
            # The next one takes the place of a 0.
            out[count] = value
            count += value != 0
    return out[:number]


@jit
def clear_within(plane: Plane, level: np.float32) -> None:
    """Set to 0 what lies within ± ``level`` in a plane (y, x)."""
    for row in plane:
        for k in range(row.size):
            row[k] = np.float32(0) if abs(row[k]) <= level else row[k]
