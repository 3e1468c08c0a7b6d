"""Compiled sums of templates under the weights of other objects: one for each pair of neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..scarlet._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import IntArray

    Float = NDArray[np.float64]

__all__ = ["add_positive_sums", "add_products", "spread_weights", "take_positive"]


@jit
def add_positive_sums(
    values: NDArray[np.floating], corner: tuple[int, int], weights: Float, origin: tuple[int, int], out: Float
) -> None:
    """Add Σ max(v, 0) w over the pixels that two images have in common; values that are not finite count as 0.

    Parameters
    ----------
    values : float array (B, h, w)
        v.
    corner, origin : tuple of int
        First row and column ``(y, x)`` of the values, and of the weights.
    weights : float64 array (B, H, W, G)
        G weights w per pixel, next to each other, so that each value is read once for all of them.
    out : float64 array (B, G)
        Is added to.
    """
    down, right = corner[0] - origin[0], corner[1] - origin[1]
    first_y, stop_y = max(0, -down), min(values.shape[1], weights.shape[1] - down)
    first_x, stop_x = max(0, -right), min(values.shape[2], weights.shape[2] - right)
    sums = np.zeros(weights.shape[3])
    for band in range(values.shape[0]):
        sums[:] = 0.0
        for y in range(first_y, stop_y):
            row, along = values[band, y], weights[band, y + down]
            for x in range(first_x, stop_x):
                value = np.float64(row[x])
                if 0.0 < value < np.inf:
                    weight = along[x + right]
                    for g in range(sums.size):
                        sums[g] += value * weight[g]
        for g in range(sums.size):
            out[band, g] += sums[g]


@jit
def spread_weights(areas: Float, own: Float, images: Float, out: Float, first: int) -> None:
    """Write S + 2 weights times images to places ``first`` … of the last axis of ``out``, which is 0 elsewhere.

    Parameters
    ----------
    areas : float64 array (S, h, w)
        Weights that bands share.
    own : float64 array (2, B, h, w)
        Weights of each band.
    images : float64 array (B, h, w)
    out : float64 array (B, h, w, G)
    first : int
    """
    shared = len(areas)
    for band in range(images.shape[0]):
        for y in range(images.shape[1]):
            for x in range(images.shape[2]):
                value = images[band, y, x]
                if value != 0:
                    along = out[band, y, x]
                    for k in range(shared):
                        along[first + k] = areas[k, y, x] * value
                    for k in range(len(own)):
                        along[first + shared + k] = own[k, band, y, x] * value


@jit
def take_positive(
    values: NDArray[np.floating], corner: tuple[int, int], pixels: tuple[IntArray, IntArray], out: Float
) -> None:
    """Write max(v, 0) of some pixels; values that are not finite count as 0.

    Parameters
    ----------
    values : float array (B, h, w)
        v.
    corner : tuple of int
        First row and column ``(y, x)`` of the values.
    pixels : tuple of int array (n,)
        Rows and columns.
    out : float64 array (B, n)
        Zeros; pixels that have a value are written.
    """
    for k in range(len(pixels[0])):
        y, x = pixels[0][k] - corner[0], pixels[1][k] - corner[1]
        if 0 <= y < values.shape[1] and 0 <= x < values.shape[2]:
            for band in range(values.shape[0]):
                value = np.float64(values[band, y, x])
                if 0.0 < value < np.inf:
                    out[band, k] = value


@jit
def add_products(
    first: tuple[NDArray[np.floating], tuple[int, int]],
    second: tuple[NDArray[np.floating], tuple[int, int]],
    noise: tuple[Float, tuple[int, int]],
    out: Float,
) -> None:
    """Add Σ max(v, 0) max(u, 0) / V over the pixels that all have in common.

    Rows are added up column by column, and the columns at the end: neighbouring pixels do not wait for each other.

    Parameters
    ----------
    first, second : tuple
        v (B, h, w) and u (B, m, n), with first row and column ``(y, x)``; what is not finite counts as 0.
    noise : tuple
        1 / V (B, H, W), on pixels that hold all of v and u, 0 where there is none, and its first row and column.
    out : float64 array (B,)
        Is added to.
    """
    (values, corner), (others, other), (precision, origin) = first, second, noise
    down, right = corner[0] - other[0], corner[1] - other[1]
    below, beside = corner[0] - origin[0], corner[1] - origin[1]
    first_y, stop_y = max(0, -down), min(values.shape[1], others.shape[1] - down)
    first_x, stop_x = max(0, -right), min(values.shape[2], others.shape[2] - right)
    if first_y >= stop_y or first_x >= stop_x:
        return
    sums = np.zeros(stop_x - first_x)
    for band in range(values.shape[0]):
        sums[:] = 0.0
        for y in range(first_y, stop_y):
            row = values[band, y, first_x:stop_x]
            again = others[band, y + down, first_x + right : stop_x + right]
            _add_positive_products(row, again, precision[band, y + below, first_x + beside : stop_x + beside], sums)
        out[band] += sums.sum()


@jit
def _add_positive_products(
    values: NDArray[np.floating], others: NDArray[np.floating], factors: Float, out: Float
) -> None:
    for x in range(out.size):
        value, other, factor = np.float64(values[x]), np.float64(others[x]), factors[x]
        product = value * other * factor
        out[x] += product if (value > 0.0) & (other > 0.0) & (value < np.inf) & (other < np.inf) else 0.0
