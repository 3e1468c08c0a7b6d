"""Compiled: templates and their half turns in one pass; the formula stands in `half_turn`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..scarlet._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float = NDArray[np.float64]

__all__ = ["add_positive", "completed"]


@jit
def add_positive(values: NDArray[np.floating], down: int, right: int, out: Float) -> None:
    """Add max(v, 0) to ``out`` from row ``down`` and column ``right`` on; values that are not finite count as 0.

    Parameters
    ----------
    values : float array (B, h, w)
        v.
    down, right : int
        At least 0.
    out : float64 array (B, H, W)
        Holds all of v.
    """
    for band in range(values.shape[0]):
        for y in range(values.shape[1]):
            along = out[band, y + down]
            for x in range(values.shape[2]):
                value = np.float64(values[band, y, x])
                along[x + right] += value if 0.0 < value < np.inf else 0.0


@jit
def completed(
    own: Float, light: tuple[Float, int, int], turn: tuple[int, int, tuple[float, float], tuple[float, float]]
) -> bool:
    """Replace a template T by what it counts as, T'.

    Parameters
    ----------
    own : float64 array (B, h, w)
        T, at least 0; is changed.
    light : tuple
        Sum of all templates (B, H, W), 0 beyond, and where its first row and column lie on ``own``.
    turn : tuple
        Row and column of ``own`` that the last row and column are turned to, and the parts, along each axis, that a
        turned pixel has on that pixel and on the next one.

    Returns
    -------
    bool
        False where there is no other light than the template's: then it stays as it is.
    """
    height, width = own.shape[1:]
    total, down, right = light
    shares, found = np.zeros(own.shape), False
    for band in range(len(own)):
        for y in range(max(down, 0), min(down + total.shape[1], height)):
            for x in range(max(right, 0), min(right + total.shape[2], width)):
                value, every = own[band, y, x], total[band, y - down, x - right]
                found |= every > value
                if every > 0:
                    shares[band, y, x] = value / every
    if not found:
        return False
    turned, turned_shares = np.zeros((2, height, width))
    for band in range(len(own)):
        _turn(own[band], turn, turned)
        _turn(shares[band], turn, turned_shares)
        for y in range(height):
            for x in range(width):
                share = shares[band, y, x]
                weight = (1 - share) * turned_shares[y, x]
                if weight > 0:
                    mean = share * own[band, y, x] + weight * turned[y, x]
                    own[band, y, x] = mean / (share + weight)
    return True


@jit
def _turn(image: Float, turn: tuple[int, int, tuple[float, float], tuple[float, float]], out: Float) -> None:
    """Half turn of an image, interpolated linearly along each axis; what leaves it is lost."""
    first_y, first_x, tall, wide = turn
    height, width = image.shape
    for y in range(height):
        row = out[y]
        row[:] = 0.0
        for dy in range(2):
            # Which row is turned to this one.
            source = height - 1 - (y - first_y - dy)
            if not 0 <= source < height:
                continue
            for dx in range(2):
                factor, last = tall[dy] * wide[dx], width - 1 + first_x + dx
                if factor > 0:
                    for x in range(max(last - width + 1, 0), min(last + 1, width)):
                        row[x] += factor * image[source, last - x]
