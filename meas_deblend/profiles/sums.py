"""Sums over pixels that stamps share: the inner loops of normal equations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..scarlet._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "add_scaled",
    "chi_square",
    "flux_equations",
    "pull_of",
    "solve_bands",
    "tolerant_weights",
    "weighted_stamp",
]


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
def _weighted_sums(
    stamp: NDArray[np.float32], origin: NDArray[np.int64], weights: NDArray[np.float32], out: NDArray[np.float64]
) -> None:
    """Σ weight · stamp per band over the pixels of the frame (band, y, x) under the stamp."""
    bands, height, width = weights.shape
    y0, x0 = max(origin[0], 0), max(origin[1], 0)
    y1, x1 = min(origin[0] + stamp.shape[1], height), min(origin[1] + stamp.shape[2], width)
    out[:] = 0.0
    n = x1 - x0
    if n <= 0:
        return
    columns = np.empty(n, np.float32)
    for band in range(bands):
        columns[:] = 0.0
        for y in range(y0, y1):
            a, w = stamp[band, y - origin[0], x0 - origin[1] : x1 - origin[1]], weights[band, y, x0:x1]
            for x in range(n):
                columns[x] += w[x] * a[x]
        for x in range(n):
            out[band] += columns[x]


@jit
def flux_equations(
    pool: NDArray[np.float32],
    stamps: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]],
    data: tuple[NDArray[np.float32], NDArray[np.float32]],
    out: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    """Make the normal equations of the fluxes of all sources and of the sky, band by band.

    Parameters
    ----------
    pool : float32 array
        Unit images (band, size, size) one after the other.
    stamps : tuple of array
        Where they begin (source + 1,), their sides (source,), the first pixel of each in the frame (source, 2), and
        which have changed (source,): sums of the others are kept.
    data : tuple of float32 array (band, y, x)
        Images and weights.
    out : tuple of float64 array
        Matrix (band, source + 1, source + 1) and right-hand side (band, source + 1); the sky is the last.  Changed in
        place.
    """
    starts, sizes, origins, moved = stamps
    images, weights = data
    matrix, right = out
    n, bands = len(sizes), len(images)
    sums = np.empty(bands)
    corner = np.zeros(2, np.int64)
    for i in range(n):
        first = pool[starts[i] : starts[i + 1]].reshape((bands, sizes[i], sizes[i]))
        for j in range(i, n):
            if not (moved[i] or moved[j]):
                continue
            if np.abs(origins[i] + sizes[i] // 2 - origins[j] - sizes[j] // 2).max() * 2 >= sizes[i] + sizes[j]:
                continue
            second = pool[starts[j] : starts[j + 1]].reshape((bands, sizes[j], sizes[j]))
            _overlap(first, second, (origins[i], origins[j]), weights, sums)
            matrix[:, i, j] = sums
            matrix[:, j, i] = sums
        if moved[i]:
            _overlap(first, images, (origins[i], corner), weights, sums)
            right[:, i] = sums
            _weighted_sums(first, origins[i], weights, sums)
            matrix[:, i, n] = sums
            matrix[:, n, i] = sums
    for band in range(bands):
        if matrix[band, n, n] != 0:
            continue
        for y in range(images.shape[1]):
            row, level = 0.0, 0.0
            for x in range(images.shape[2]):
                row += weights[band, y, x]
                level += weights[band, y, x] * images[band, y, x]
            matrix[band, n, n] += row
            right[band, n] += level


@jit
def solve_bands(
    matrix: NDArray[np.float64], right: NDArray[np.float64], precision: NDArray[np.float64], nonnegative: bool
) -> NDArray[np.float64]:
    """Solve for fluxes and sky of each band; what no pixel tells of is 0.

    Parameters
    ----------
    matrix, right : float64 array (band, source + 1, source + 1), (band, source + 1)
    precision : float64 array (band,)
        Inverse variance of the sky's level, which is the last; inf: it is 0.
    nonnegative : bool
        Fluxes below 0 are set to 0, and the others solved for again.

    Returns
    -------
    float64 array (band, source + 1)
    """
    bands, n = len(matrix), right.shape[1] - 1
    out = np.zeros((bands, n + 1))
    for band in range(bands):
        diagonal = np.diag(matrix[band]).copy()
        told = diagonal > 0
        told[n] &= np.isfinite(precision[band])
        if told[n]:
            diagonal[n] += precision[band]
        again = True
        while again and told.any():
            use = np.flatnonzero(told)
            m = len(use)
            normal, vector = np.empty((m, m)), np.empty(m)
            for a in range(m):
                scale = np.sqrt(diagonal[use[a]])
                vector[a] = right[band, use[a]] / scale
                for b in range(m):
                    normal[a, b] = matrix[band, use[a], use[b]] / (scale * np.sqrt(diagonal[use[b]]))
                # Two sources at one place share their light.
                normal[a, a] = 1 + 1e-6
            solved = np.linalg.solve(normal, vector)
            out[band] = 0.0
            again = False
            for a in range(m):
                out[band, use[a]] = solved[a] / np.sqrt(diagonal[use[a]])
                if nonnegative and use[a] < n and out[band, use[a]] < 0:
                    told[use[a]] = False
                    again = True
    return out


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


@jit
def pull_of(
    residual: NDArray[np.float32], weights: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Weight · residual (band, y, x), and its sum per band."""
    bands, height, width = weights.shape
    out, total = np.empty((bands, height, width), np.float32), np.zeros(bands)
    columns = np.empty(width, np.float64)
    for band in range(bands):
        columns[:] = 0.0
        for y in range(height):
            r, w, to = residual[band, y], weights[band, y], out[band, y]
            for x in range(width):
                to[x] = w[x] * r[x]
                columns[x] += to[x]
        for x in range(width):
            total[band] += columns[x]
    return out, total


@jit
def tolerant_weights(
    weights: NDArray[np.float32], images: NDArray[np.float32], residual: NDArray[np.float32], model_error: float
) -> NDArray[np.float32]:
    """Weights (band, y, x) with an error of the model, images − residual, that goes with its brightness."""
    bands, height, width = weights.shape
    out, error = np.empty((bands, height, width), np.float32), np.float32(model_error)
    one = np.float32(1)
    for band in range(bands):
        for y in range(height):
            w, a, b, to = weights[band, y], images[band, y], residual[band, y], out[band, y]
            for x in range(width):
                wrong = error * (a[x] - b[x])
                to[x] = w[x] / (one + w[x] * wrong * wrong)
    return out
