"""Sums of products of derivatives: the inner loops of normal equations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..scarlet._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["assemble", "cross_products", "projections", "store_derivatives"]


@jit
def store_derivatives(
    cube: NDArray[np.float32], units: NDArray[np.float32], centers: NDArray[np.bool_], out: NDArray[np.float32]
) -> None:
    """Copy derivatives of a source; put those by the centre before them, and the unit image behind.

    A profile seen through a PSF is smooth between pixels: differences of fourth order are good to a percent, which is
    enough for the direction of a step, and save two transforms.

    Parameters
    ----------
    cube : float32 array (band, n, size, size)
    units : float32 array (band, size, size)
    centers : bool array (2,)
        Whether the centre's y and x are wanted.
    out : float32 array (band, m, size, size)
        Changed in place.
    """
    bands, n, size, _ = cube.shape
    shift = out.shape[1] - n - 1
    for band in range(bands):
        out[band, shift : shift + n] = cube[band]
        out[band, shift + n] = units[band]
        unit = units[band]
        if centers[0]:
            for y in range(size):
                a, b = unit[(y + 1) % size], unit[(y - 1) % size]
                c, d = unit[(y + 2) % size], unit[(y - 2) % size]
                for x in range(size):
                    out[band, 0, y, x] = ((c[x] - d[x]) - np.float32(8) * (a[x] - b[x])) * np.float32(1 / 12)
        if centers[1]:
            for y in range(size):
                row, to = unit[y], out[band, shift - 1, y]
                for x in range(size):
                    near = row[(x + 1) % size] - row[x - 1]
                    to[x] = ((row[(x + 2) % size] - row[x - 2]) - np.float32(8) * near) * np.float32(1 / 12)


@jit
def _cut(
    pool: NDArray[np.float32],
    frame: NDArray[np.int64],
    band: int,
    area: tuple[int, int, int, int],
    out: NDArray[np.float32],
) -> None:
    """Copy the derivatives (n, pixel) of one source in one band over an area of the frame."""
    start, _, depth, size, y_first, x_first = frame
    y0, x0, y1, x1 = area
    width = x1 - x0
    for m in range(depth):
        plane = start + (band * depth + m) * size * size
        for y in range(y0, y1):
            first = plane + (y - y_first) * size + x0 - x_first
            out[m, (y - y0) * width : (y - y0 + 1) * width] = pool[first : first + width]


@jit
def cross_products(
    pool: NDArray[np.float32],
    frames: NDArray[np.int64],
    weights: NDArray[np.float32],
    fresh: NDArray[np.bool_],
    out: NDArray[np.float32],
) -> None:
    """Make weighted sums of products of derivatives of all pairs of sources of which one is fresh.

    Parameters
    ----------
    pool : float32 array
        Derivatives, source by source.
    frames : int64 array (source, 6)
        Start in the pool, number of the first derivative, their count, side and first pixel (y, x) of the stamp.
    weights : float32 array (band, y, x)
    fresh : bool array (source,)
    out : float32 array (band, derivative, derivative)
        Changed in place.
    """
    bands, height, width = weights.shape
    for i in range(len(frames)):
        for j in range(i, len(frames)):
            if not (fresh[i] or fresh[j]):
                continue
            a, b = frames[i], frames[j]
            rows, columns = slice(a[1], a[1] + a[2]), slice(b[1], b[1] + b[2])
            y0, x0 = max(a[4], b[4], 0), max(a[5], b[5], 0)
            y1, x1 = min(a[4] + a[3], b[4] + b[3], height), min(a[5] + a[3], b[5] + b[3], width)
            if y1 <= y0 or x1 <= x0:
                out[:, rows, columns] = 0
                out[:, columns, rows] = 0
                continue
            area, pixels = (y0, x0, y1, x1), (y1 - y0) * (x1 - x0)
            left, right = np.empty((a[2], pixels), np.float32), np.empty((b[2], pixels), np.float32)
            for band in range(bands):
                _cut(pool, a, band, area, left)
                _cut(pool, b, band, area, right)
                weight = weights[band, y0:y1, x0:x1].copy().ravel()
                for m in range(a[2]):
                    for k in range(pixels):
                        left[m, k] *= weight[k]
                sums = np.dot(left, right.T)
                if i == j:
                    sums = (sums + sums.T) * np.float32(0.5)
                out[band, rows, columns] = sums
                out[band, columns, rows] = sums.T


@jit
def projections(
    pool: NDArray[np.float32],
    frames: NDArray[np.int64],
    image: NDArray[np.float32],
    wanted: NDArray[np.bool_],
    out: NDArray[np.float32],
) -> None:
    """Sum derivatives times an image (band, y, x) over their stamps, into ``out`` (band, derivative)."""
    bands, height, width = image.shape
    for i in range(len(frames)):
        if not wanted[i]:
            continue
        start, first, depth, size, y_first, x_first = frames[i]
        y0, x0 = max(y_first, 0), max(x_first, 0)
        y1, x1 = min(y_first + size, height), min(x_first + size, width)
        under = np.zeros((size, size), np.float32)
        for band in range(bands):
            if y1 > y0 and x1 > x0:
                under[y0 - y_first : y1 - y_first, x0 - x_first : x1 - x_first] = image[band, y0:y1, x0:x1]
            planes = pool[start + band * depth * size * size : start + (band + 1) * depth * size * size]
            out[band, first : first + depth] = np.dot(planes.reshape((depth, size * size)), under.ravel())


@jit
def assemble(
    places: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
    fluxes: NDArray[np.float64],
    sums: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Put sums over unit images where they belong; what stands for the sky alone is left 0.

    Parameters
    ----------
    places : tuple of int64 array
        Sources (n,) of the free parameters; number of the derivative by each (n,); the only band on which it has an
        effect (n,), −1 for all; number of the first derivative (source + 1,).
    fluxes : float64 array (source, band)
    sums : tuple of float32 array
        Products (band, derivative, derivative), levels and right-hand sides (band, derivative).

    Returns
    -------
    matrix : float64 array (m, m)
    right : float64 array (m,)
    """
    owner, rows, only, firsts = places
    products, levels, toward = sums
    n, bands = fluxes.shape
    count = len(owner)
    sky = count + n * bands
    matrix, right = np.zeros((sky + bands, sky + bands)), np.zeros(sky + bands)
    for band in range(bands):
        for a in range(count):
            if only[a] >= 0 and only[a] != band:
                continue
            scale, row = fluxes[owner[a], band], rows[a]
            right[a] += scale * toward[band, row]
            for b in range(count):
                if only[b] < 0 or only[b] == band:
                    matrix[a, b] += scale * fluxes[owner[b], band] * products[band, row, rows[b]]
            for k in range(n):
                unit = firsts[k + 1] - 1
                matrix[a, count + k * bands + band] = matrix[count + k * bands + band, a] = (
                    scale * products[band, row, unit]
                )
            matrix[a, sky + band] = matrix[sky + band, a] = scale * levels[band, row]
        for k in range(n):
            row, unit = count + k * bands + band, firsts[k + 1] - 1
            right[row] = toward[band, unit]
            for j in range(n):
                matrix[row, count + j * bands + band] = products[band, unit, firsts[j + 1] - 1]
            matrix[row, sky + band] = matrix[sky + band, row] = levels[band, unit]
    return matrix, right
