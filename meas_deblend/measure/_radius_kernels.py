"""Compiled sums for Kron and half-light radii, as sep (Barbary 2016, JOSS 1, 58) and SExtractor form them.

Kron radii count a pixel by its centre. Curves of growth are light in 64 rings; a pixel that may touch the edge of a
ring is divided in 3×3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..scarlet._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import IntArray

    Float = NDArray[np.float64]

__all__ = ["first_moment", "half_light"]

_RINGS, _PARTS = 64, 3


@jit
def first_moment(
    flux: Float, noise: Float, weight: Float, offset: tuple[float, float], ellipse: tuple[float, float, float, float]
) -> tuple[float, float, float]:
    """First-moment radius of a weighted sum of images over an ellipse, Σ I, and the noise of Σ (r − R) I.

    Parameters
    ----------
    flux, noise : float64 array (B, h, w)
    weight : float64 array (B,)
    offset : tuple of float
        ``(y, x)`` of the first pixel from the centre [px].
    ellipse : tuple of float
        a, b [px], θ [rad] of r = 1, and the largest r.

    Returns
    -------
    radius : float
        R = Σ r I / Σ I; NaN unless both sums are above 0.
    total, variance : float
    """
    a, b, theta, largest = ellipse
    cos, sin = np.cos(theta), np.sin(theta)
    tall, wide = largest * np.hypot(a * sin, b * cos), largest * np.hypot(a * cos, b * sin)
    first_y, stop_y = _span(offset[0], tall, flux.shape[1])
    first_x, stop_x = _span(offset[1], wide, flux.shape[2])
    moment, total = 0.0, 0.0
    # Variance of Σ r I, covariance with Σ I, and variance of that.
    second, mixed, plain = 0.0, 0.0, 0.0
    for row in range(first_y, stop_y):
        y = row + offset[0]
        for column in range(first_x, stop_x):
            x = column + offset[1]
            radius = np.sqrt(((x * cos + y * sin) / a) ** 2 + ((y * cos - x * sin) / b) ** 2)
            if radius <= largest:
                light, spread = 0.0, 0.0
                for band in range(len(weight)):
                    light += weight[band] * flux[band, row, column]
                    spread += weight[band] ** 2 * noise[band, row, column]
                total += light
                moment += radius * light
                second += radius**2 * spread
                mixed += radius * spread
                plain += spread
    if not (moment > 0 and total > 0):
        return np.nan, total, np.nan
    value = moment / total
    return value, total, max(second - 2 * value * mixed + value**2 * plain, 0.0)


@jit
def _span(first: float, reach: float, count: int) -> tuple[int, int]:
    """Which of ``count`` places, one apart from ``first`` on, may lie within ``reach`` of 0."""
    return max(int(np.floor(-reach - first)), 0), min(int(np.ceil(reach - first)) + 1, count)


@jit
def half_light(
    planes: tuple[Float, Float],
    place: tuple[tuple[float, float], tuple[int, int]],
    reaches: Float,
    lead: IntArray,
) -> tuple[Float, Float, Float]:
    """Radii of the circles that hold half of the light within a reach, and what their errors are made of.

    Parameters
    ----------
    planes : tuple of float64 array
        Images (G B, h, w), and the variance of their pixels (B, h, w).
    place : tuple
        Where the first pixel lies as seen from the centre ``(y, x)`` [px], and the pixel of the centre.
    reaches : float64 array (G,)
        Of the flavours [px].
    lead : int array (G B,)
        The image whose radius each takes: itself, or one of its flavour before it.

    Returns
    -------
    radius : float64 array (G B,)
        [px]; NaN where there is no such circle.
    light, variance : float64 array (G B,)
        Light of pixels closer than 1 to the circle, and variance of (light within it − half of that within the reach).
    """
    (flux, noise), ((top, left), (y, x)) = planes, place
    bands = len(flux) // len(reaches)
    radius, light, variance = np.full(len(flux), np.nan), np.zeros(len(flux)), np.zeros(len(flux))
    for g in range(len(reaches)):
        near = int(np.ceil(reaches[g])) + 1
        first_y, stop_y = max(y - near, 0), min(y + near + 1, flux.shape[1])
        first_x, stop_x = max(x - near, 0), min(x + near + 1, flux.shape[2])
        if first_y >= stop_y or first_x >= stop_x:
            continue
        low, high, offset = g * bands, (g + 1) * bands, (top + first_y, left + first_x)
        images, spread = flux[low:high, first_y:stop_y, first_x:stop_x], noise[:, first_y:stop_y, first_x:stop_x]
        rings = _light_in_rings(images, offset, reaches[g], lead[low:high] - low)
        for k in range(low, high):
            if lead[k] < k:
                radius[k] = radius[lead[k]]
                continue
            found = _half(rings[:, k - low], reaches[g] / _RINGS)
            if 0 < found < reaches[g]:
                radius[k] = found
        _add_radius_noise(images, spread, (offset, reaches[g]), radius[low:high], (light[low:high], variance[low:high]))
    return radius, light, variance


@jit
def _light_in_rings(flux: Float, offset: tuple[float, float], reach: float, lead: IntArray) -> Float:
    """Light in rings of equal width (64, B)."""
    sums = np.zeros((_RINGS, len(flux)))
    density, parts = _RINGS / reach, np.zeros(_RINGS)
    first_y, stop_y = _span(offset[0], reach + 1, flux.shape[1])
    first_x, stop_x = _span(offset[1], reach + 1, flux.shape[2])
    for row in range(first_y, stop_y):
        y = row + offset[0]
        for column in range(first_x, stop_x):
            x = column + offset[1]
            low, high = _shared_rings(y, x, density, parts)
            for band in range(len(flux)):
                if lead[band] == band:
                    value = flux[band, row, column]
                    for ring in range(low, high):
                        sums[ring, band] += parts[ring] * value
    return sums


@jit
def _shared_rings(y: float, x: float, density: float, parts: Float) -> tuple[int, int]:
    """Write which parts of a pixel lie in which rings [low, high) to ``parts``."""
    radius = np.sqrt(y * y + x * x)
    # Half the diagonal of a pixel.
    near = 0.7072
    low = min(int(max(radius - near, 0.0) * density), _RINGS)
    high = min(int((radius + near) * density) + 1, _RINGS)
    parts[low:high] = 0.0
    inside = (radius - near) * density > low and (radius + near) * density < low + 1
    if inside:
        parts[low:high] = 1.0
        return low, high
    for i in range(_PARTS):
        down = y + (i + 0.5) / _PARTS - 0.5
        for j in range(_PARTS):
            right = x + (j + 0.5) / _PARTS - 0.5
            ring = int(np.sqrt(down * down + right * right) * density)
            if ring < high:
                parts[ring] += 1.0 / _PARTS**2
    return low, high


@jit
def _half(rings: Float, step: float) -> float:
    """Radius at which the curve of growth first reaches half of its end, interpolated linearly."""
    half, below = rings.sum() / 2, 0.0
    for ring in range(_RINGS):
        above = below + rings[ring]
        if above >= half:
            # With less light in all than in the first ring there is no such radius.
            return step * (ring + (half - below) / (above - below)) if ring or half > 0 else np.nan
        below = above
    return np.nan


@jit
def _add_radius_noise(
    flux: Float, noise: Float, place: tuple[tuple[float, float], float], radius: Float, out: tuple[Float, Float]
) -> None:
    """Add light and variance of `half_light` for one flavour; its place is the first pixel's, and the reach."""
    (offset, reach), (light, spread) = place, out
    for row in range(flux.shape[1]):
        y = row + offset[0]
        for column in range(flux.shape[2]):
            x = column + offset[1]
            distance = np.sqrt(y * y + x * x)
            outer = 0.5 if distance < reach else 0.0
            for band in range(len(flux)):
                if abs(distance - radius[band]) < 1.0:
                    light[band] += flux[band, row, column]
                # NaN is no radius: nothing lies within it.
                half = (1.0 if distance < radius[band] else 0.0) - outer
                spread[band] += half * half * noise[band, row, column]
