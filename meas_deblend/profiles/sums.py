"""Sums over pixels that stamps share: the inner loops of normal equations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["add_scaled", "chi_square", "flux_equations", "weighted_stamp"]


@jit
def _overlap(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    origins: tuple[NDArray[np.int64], NDArray[np.int64]],
    weights: NDArray[np.float32],
    out: NDArray[np.float64],
) -> None:
    """Σ weight · first · second per band over the pixels of the frame (band, y, x) that both stamps have."""
    bands, height, width = weights.shape
    first_origin, second_origin = origins
    y0 = max(first_origin[0], second_origin[0], 0)
    x0 = max(first_origin[1], second_origin[1], 0)
    y1 = min(first_origin[0] + first.shape[1], second_origin[0] + second.shape[1], height)
    x1 = min(first_origin[1] + first.shape[2], second_origin[1] + second.shape[2], width)
    n = x1 - x0
    out[:] = 0.0
    if n <= 0 or y1 <= y0:
        return
    columns = np.empty(n, np.float32)
    for band in range(bands):
        columns[:] = 0.0
        for y in range(y0, y1):
            a = first[band, y - first_origin[0], x0 - first_origin[1] : x1 - first_origin[1]]
            b = second[band, y - second_origin[0], x0 - second_origin[1] : x1 - second_origin[1]]
            w = weights[band, y, x0:x1]
            # One sum per column: independent of each other, so that they are made side by side.
            for x in range(n):
                columns[x] += w[x] * a[x] * b[x]
        total = 0.0
        for x in range(n):
            total += columns[x]
        out[band] = total


@jit
def flux_equations(
    pool: NDArray[np.float32],
    sizes: NDArray[np.int64],
    origins: NDArray[np.int64],
    images: NDArray[np.float32],
    weights: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Make the normal equations of the fluxes of all sources and of the sky, band by band.

    Parameters
    ----------
    pool : float32 array
        Unit images (band, size, size) one after the other.
    sizes : int64 array (source,)
        Their sides.
    origins : int64 array (source, 2)
        First pixel of each in the frame.
    images, weights : float32 array (band, y, x)

    Returns
    -------
    matrix : float64 array (band, source + 1, source + 1)
        The sky is the last.
    right : float64 array (band, source + 1)
    """
    n = len(sizes)
    bands, height, width = images.shape
    starts = np.cumsum(bands * sizes**2) - bands * sizes**2
    matrix, right = np.zeros((bands, n + 1, n + 1)), np.zeros((bands, n + 1))
    sums = np.empty(bands)
    corner = np.zeros(2, np.int64)
    ones = np.ones((bands, 1, width), np.float32)
    for i in range(n):
        first = pool[starts[i] : starts[i] + bands * sizes[i] ** 2].reshape((bands, sizes[i], sizes[i]))
        for j in range(i, n):
            if np.abs(origins[i] + sizes[i] // 2 - origins[j] - sizes[j] // 2).max() * 2 >= sizes[i] + sizes[j]:
                continue
            second = pool[starts[j] : starts[j] + bands * sizes[j] ** 2].reshape((bands, sizes[j], sizes[j]))
            _overlap(first, second, (origins[i], origins[j]), weights, sums)
            matrix[:, i, j] = sums
            matrix[:, j, i] = sums
        _overlap(first, images, (origins[i], corner), weights, sums)
        right[:, i] = sums
        matrix[:, i, n] = 0.0
        for y in range(max(origins[i, 0], 0), min(origins[i, 0] + sizes[i], height)):
            line = np.array([y, 0])
            _overlap(first, ones, (origins[i], line), weights, sums)
            matrix[:, i, n] += sums
        matrix[:, n, i] = matrix[:, i, n]
    for band in range(bands):
        for y in range(height):
            row, level = 0.0, 0.0
            for x in range(width):
                row += weights[band, y, x]
                level += weights[band, y, x] * images[band, y, x]
            matrix[band, n, n] += row
            right[band, n] += level
    return matrix, right


@jit
def add_scaled(
    image: NDArray[np.float32], stamp: NDArray[np.float32], origin: tuple[int, int], scale: NDArray[np.float64]
) -> None:
    """Add ``scale`` (band,) × stamp (band, y, x) to the image (band, y, x), in place; parts outside are left out."""
    bands, height, width = image.shape
    y0, x0 = max(origin[0], 0), max(origin[1], 0)
    y1, x1 = min(origin[0] + stamp.shape[1], height), min(origin[1] + stamp.shape[2], width)
    if x1 <= x0:
        return
    for band in range(bands):
        factor = np.float32(scale[band])
        for y in range(y0, y1):
            row = image[band, y, x0:x1]
            part = stamp[band, y - origin[0], x0 - origin[1] : x1 - origin[1]]
            for x in range(x1 - x0):
                row[x] += factor * part[x]


@jit
def weighted_stamp(frame: NDArray[np.float32], origin: tuple[int, int], size: int) -> NDArray[np.float32]:
    """Part of a frame (band, y, x) that lies under a stamp (band, size, size); 0 outside the frame."""
    bands, height, width = frame.shape
    out = np.zeros((bands, size, size), np.float32)
    y0, x0 = max(origin[0], 0), max(origin[1], 0)
    y1, x1 = min(origin[0] + size, height), min(origin[1] + size, width)
    if x1 <= x0:
        return out
    for band in range(bands):
        for y in range(y0, y1):
            out[band, y - origin[0], x0 - origin[1] : x1 - origin[1]] = frame[band, y, x0:x1]
    return out


@jit
def chi_square(residual: NDArray[np.float32], weights: NDArray[np.float32]) -> float:
    """Σ weight · residual² over all pixels."""
    total = 0.0
    bands, height, width = weights.shape
    columns = np.empty(width, np.float32)
    for band in range(bands):
        for y in range(height):
            r, w = residual[band, y], weights[band, y]
            for x in range(width):
                columns[x] = w[x] * r[x] * r[x]
            row = 0.0
            for x in range(width):
                row += columns[x]
            total += row
    return total
