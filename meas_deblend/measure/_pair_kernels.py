"""Compiled sums of templates under the weights of other objects: one for each pair of neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..scarlet._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float = NDArray[np.float64]

__all__ = ["add_positive_sums", "add_products", "add_shared_sums", "spread_weights"]


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
def add_shared_sums(
    values: NDArray[np.floating],
    corner: tuple[int, int],
    measured: tuple[Float, Float, Float],
    origin: tuple[int, int],
    out: Float,
) -> None:
    """Add the sums of `add_positive_sums` for weights that are products, as `spread_weights` writes them.

    Rows are added up column by column, and the columns at the end: neighbouring pixels do not wait for each other.

    Parameters
    ----------
    values : float array (B, h, w)
        v.
    corner, origin : tuple of int
        First row and column ``(y, x)`` of the values, and of the rest.
    measured : tuple of float64 array
        Two images (2, B, H, W), weights that bands share (S, H, W), and weights of each band (2, B, H, W).
    out : float64 array (B, 2 (S + 2))
        Is added to: all weights times the first image, then all times the second.
    """
    images, areas, own = measured
    shared, count = len(areas), len(areas) + len(own)
    down, right = corner[0] - origin[0], corner[1] - origin[1]
    first_y, stop_y = max(0, -down), min(values.shape[1], areas.shape[1] - down)
    first_x, stop_x = max(0, -right), min(values.shape[2], areas.shape[2] - right)
    if first_y >= stop_y or first_x >= stop_x:
        return
    there = slice(first_x + right, stop_x + right)
    scaled, sums = np.zeros(stop_x - first_x), np.zeros((2, count, stop_x - first_x))
    for band in range(values.shape[0]):
        sums[:] = 0.0
        for y in range(first_y, stop_y):
            row = values[band, y, first_x:stop_x]
            for part in range(2):
                if not _positive_product(row, images[part, band, y + down, there], scaled):
                    continue
                for k in range(shared):
                    _add_product(scaled, areas[k, y + down, there], sums[part, k])
                for k in range(len(own)):
                    _add_product(scaled, own[k, band, y + down, there], sums[part, shared + k])
        for part in range(2):
            for k in range(count):
                out[band, part * count + k] += sums[part, k].sum()


@jit
def _positive_product(values: NDArray[np.floating], factors: Float, out: Float) -> bool:
    """Write max(v, 0) f, 0 where v is not finite; whether anything is left."""
    found = False
    for x in range(out.size):
        value = np.float64(values[x])
        out[x] = value * factors[x] if 0.0 < value < np.inf else 0.0
        found |= out[x] != 0.0
    return found


@jit
def _add_product(first: Float, second: Float, out: Float) -> None:
    """Add the products of two rows."""
    for x in range(out.size):
        out[x] += first[x] * second[x]


@jit
def add_products(
    first: tuple[NDArray[np.floating], tuple[int, int]],
    second: tuple[NDArray[np.floating], tuple[int, int]],
    noise: tuple[Float, tuple[int, int]],
    out: Float,
) -> None:
    """Add Σ max(v, 0) max(u, 0) / V over the pixels that all have in common.

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
    sums, scaled, second_scaled = np.zeros((3, stop_x - first_x))
    for band in range(values.shape[0]):
        sums[:] = 0.0
        for y in range(first_y, stop_y):
            along = precision[band, y + below, first_x + beside : stop_x + beside]
            if _positive_product(values[band, y, first_x:stop_x], along, scaled):
                ones = others[band, y + down, first_x + right : stop_x + right]
                if _positive_product(ones, scaled, second_scaled):
                    for x in range(sums.size):
                        sums[x] += second_scaled[x]
        out[band] += sums.sum()
