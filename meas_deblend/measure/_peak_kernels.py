"""Compiled search for the maximum of an image smoothed by a Gaussian, and what noise does to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..scarlet._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray, IntArray

    Float = NDArray[np.float64]

__all__ = ["PeakLimits", "climb", "find_peaks", "gaussians"]


class PeakLimits(NamedTuple):
    """When a search ends; codes of the reasons are `FlagReason`'s."""

    steps: int
    max_shift: float
    no_flux: int
    wandered: int
    not_converged: int
    non_finite: int


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


@jit
def find_peaks(
    planes: tuple[Float, Float], origin: tuple[int, int], start: tuple[float, float], sigma: Float, limits: PeakLimits
) -> tuple[tuple[Float, Float, IntArray], tuple[Float, Float, Float, Float]]:
    """Maxima between pixels, their errors for white noise, and what those for correlated noise are made of.

    Parameters
    ----------
    planes : tuple of float64 array
        Images (N, h, w), and the variance of their pixels (B, h, w): image k has that of band k modulo B.
    origin : tuple of int
        Of the images' first pixel.
    start : tuple of float
        ``(y, x)`` [px].
    sigma : float64 array (N,)
        [px].
    limits : PeakLimits

    Returns
    -------
    tuple of array
        Places and standard deviations (N, 2) [px], and reasons (N,) not to trust them.
    tuple of float64 array
        a(y), g(y) (N, h), g(x), b(x) (N, w): noise n changes the places by Σ a(y) g(x) n and Σ g(y) b(x) n, with the
        Gaussians g.
    """
    images, noise = planes
    count, height, width = images.shape
    begin = int(np.rint(start[0])), int(np.rint(start[1]))
    pixel, settled, values, rows, columns = climb(images, origin, begin, sigma, limits.steps)
    center, error, reasons = np.zeros((count, 2)), np.zeros((count, 2)), np.zeros(count, dtype=np.int64)
    along_y, along_x, slopes = np.zeros((count, height)), np.zeros((count, width)), np.zeros(3)
    for n in range(count):
        positive = values[n, :, 1].min() > 0 and values[n, 1, :].min() > 0
        center[n, 0] = pixel[n, 0] + _interpolated(values[n, :, 1], slopes)
        for k in range(3):
            for y in range(height):
                along_y[n, y] += slopes[k] * rows[n, k, y]
        center[n, 1] = pixel[n, 1] + _interpolated(values[n, 1, :], slopes)
        for k in range(3):
            for x in range(width):
                along_x[n, x] += slopes[k] * columns[n, k, x]
        _white_errors(noise[n % len(noise)], (along_y[n], rows[n, 1]), (along_x[n], columns[n, 1]), error[n])
        if not settled[n]:
            reasons[n] |= limits.not_converged
        if not positive:
            reasons[n] |= limits.no_flux
        elif np.hypot(center[n, 0] - start[0], center[n, 1] - start[1]) > limits.max_shift:
            reasons[n] |= limits.wandered
        if not np.isfinite(center[n, 0] + center[n, 1] + error[n, 0] + error[n, 1]):
            reasons[n] |= limits.non_finite
    return (center, error, reasons), (along_y, rows[:, 1], columns[:, 1], along_x)


@jit
def _interpolated(profile: Float, slopes: Float) -> float:
    """Maximum between three values, in pixels from the middle one; its derivatives by them go to ``slopes``.

    The logarithm of a Gaussian is a parabola. Without positive values it is NaN.
    """
    if not profile.min() > 0:
        slopes[:] = np.nan
        return np.nan
    below, here, above = np.log(profile[0]), np.log(profile[1]), np.log(profile[2])
    slope, bend = above - below, 2 * here - below - above
    even, odd = 0.5 / bend, slope / (2 * bend**2)
    slopes[0], slopes[1], slopes[2] = (odd - even) / profile[0], -2 * odd / profile[1], (odd + even) / profile[2]
    return float(slope / (2 * bend))


@jit
def _white_errors(noise: Float, down: tuple[Float, Float], right: tuple[Float, Float], out: Float) -> None:
    """Write √Σ a(y)² g(x)² N and √Σ g(y)² b(x)² N (2,); ``down`` is (a, g), ``right`` (b, g)."""
    (along_y, rows), (along_x, columns) = down, right
    out[0], out[1] = 0.0, 0.0
    for y in range(noise.shape[0]):
        first, second = 0.0, 0.0
        # What is squared is below rounding where the weight is.
        if rows[y] > 1e-20 or not abs(along_y[y]) <= 1e-20:
            for x in range(noise.shape[1]):
                first += noise[y, x] * columns[x] * columns[x]
                second += noise[y, x] * along_x[x] * along_x[x]
            out[0] += along_y[y] ** 2 * first
            out[1] += rows[y] ** 2 * second
    out[0], out[1] = np.sqrt(out[0]), np.sqrt(out[1])
