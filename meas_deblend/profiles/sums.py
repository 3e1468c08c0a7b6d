"""Sums over pixels that stamps share: the inner loops of normal equations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["add_scaled", "chi_square", "overlap_sums", "weighted_stamp"]


@jit
def overlap_sums(
    first: NDArray[np.float32],
    first_origin: tuple[int, int],
    second: NDArray[np.float32],
    second_origin: tuple[int, int],
    weights: NDArray[np.float32],
) -> NDArray[np.float64]:
    """Σ weight · first · second per band (band,) over the pixels of the frame (band, y, x) that both stamps have."""
    bands, height, width = weights.shape
    y0 = max(first_origin[0], second_origin[0], 0)
    x0 = max(first_origin[1], second_origin[1], 0)
    y1 = min(first_origin[0] + first.shape[1], second_origin[0] + second.shape[1], height)
    x1 = min(first_origin[1] + first.shape[2], second_origin[1] + second.shape[2], width)
    out = np.zeros(bands)
    n = x1 - x0
    if n <= 0 or y1 <= y0:
        return out
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
    return out


@jit
def add_scaled(
    image: NDArray[np.float32], stamp: NDArray[np.float32], origin: tuple[int, int], scale: NDArray[np.float64]
) -> None:
    """Add ``scale`` (band,) × stamp (band, y, x) to the image (band, y, x), in place; parts outside are left out."""
    bands, height, width = image.shape
    y0, x0 = max(origin[0], 0), max(origin[1], 0)
    y1, x1 = min(origin[0] + stamp.shape[1], height), min(origin[1] + stamp.shape[2], width)
    for band in range(bands):
        factor = np.float32(scale[band])
        for y in range(y0, y1):
            for x in range(x0, x1):
                image[band, y, x] += factor * stamp[band, y - origin[0], x - origin[1]]


@jit
def weighted_stamp(frame: NDArray[np.float32], origin: tuple[int, int], size: int) -> NDArray[np.float32]:
    """Part of a frame (band, y, x) that lies under a stamp (band, size, size); 0 outside the frame."""
    bands, height, width = frame.shape
    out = np.zeros((bands, size, size), np.float32)
    y0, x0 = max(origin[0], 0), max(origin[1], 0)
    y1, x1 = min(origin[0] + size, height), min(origin[1] + size, width)
    for band in range(bands):
        for y in range(y0, y1):
            for x in range(x0, x1):
                out[band, y - origin[0], x - origin[1]] = frame[band, y, x]
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
