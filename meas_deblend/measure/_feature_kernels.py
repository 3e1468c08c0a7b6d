"""Compiled features of objects that look like two; they are described in `unrecognised.BlendFeatures`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..scarlet._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float = NDArray[np.float64]

__all__ = ["light_features"]

_STEPS = 10
# Floor of the lever by which a centre moves with the dipole of first moments.
_LEVER = 0.1


@jit
def light_features(
    light: Float, variance: Float, offsets: tuple[Float, Float], scale: tuple[float, float], out: Float
) -> bool:
    """Squares of the four features, and what noise adds to each.

    Parameters
    ----------
    light, variance : float64 array (B, h, w)
        Of the object; bands without any variance above 0 are not looked at.
    offsets : tuple of float64 array
        Rows (h,) and columns (w,) less the peak's [px].
    scale : tuple of float
        Width of the weight [px], and the step towards the centre of light over the weighted mean.
    out : float64 array (4, 2)
        Offset, asymmetry, triangle, colour shift; is filled.

    Returns
    -------
    bool
        False without light, or without a centre of light near the peak.
    """
    weight = _inverse_noise(variance)
    if not weight.any():
        return False
    together, noise = np.zeros(light.shape[1:]), np.zeros(light.shape[1:])
    for band in range(len(light)):
        if weight[band] > 0:
            together += weight[band] * light[band]
            noise += weight[band] ** 2 * variance[band]
    found, y, x = _center(together, offsets, scale)
    if not found:
        return False
    down, right = (offsets[0] - y) / scale[0], (offsets[1] - x) / scale[0]
    fall, narrow = np.exp(-0.5 * down**2), np.exp(-0.5 * right**2)
    if not _moments(together, noise, (down, right), (fall, narrow), out):
        return False
    out[0, 0] = (y / scale[0]) ** 2 + (x / scale[0]) ** 2
    out[3, 0], out[3, 1] = _color_shift((light, variance, weight), (down, right), (fall, narrow)), 0.0
    return True


@jit
def _inverse_noise(variance: Float) -> Float:
    """Inverse of the median variance of the pixels that have one (B,); 0 without any."""
    out = np.zeros(len(variance))
    for band in range(len(variance)):
        values = variance[band].ravel()
        values = values[values > 0]
        if values.size:
            out[band] = 1 / np.median(values)
    return out


@jit
def _center(image: Float, offsets: tuple[Float, Float], scale: tuple[float, float]) -> tuple[bool, float, float]:
    """Centre of light less the peak, under a weight that follows it; False where it leaves the peak's surroundings."""
    rows, columns = offsets
    y, x = 0.0, 0.0
    for _ in range(_STEPS):
        narrow = np.exp(-0.5 * ((columns - x) / scale[0]) ** 2)
        flux, first_y, first_x = 0.0, 0.0, 0.0
        for row in range(len(rows)):
            dy = rows[row] - y
            total, moment = 0.0, 0.0
            for column in range(len(columns)):
                value = narrow[column] * image[row, column]
                total += value
                moment += value * (columns[column] - x)
            fall = np.exp(-0.5 * (dy / scale[0]) ** 2)
            flux += fall * total
            first_y += fall * total * dy
            first_x += fall * moment
        if flux <= 0:
            return False, y, x
        y, x = y + scale[1] * first_y / flux, x + scale[1] * first_x / flux
        if np.hypot(y, x) > scale[0]:
            return False, y, x
    return True, y, x


@jit
def _moments(
    image: Float, noise: Float, offsets: tuple[Float, Float], weights: tuple[Float, Float], out: Float
) -> bool:
    """Dipoles of first and third moments and the triangle, with what noise adds; False without light."""
    (down, right), (fall, narrow) = offsets, weights
    # Sums of the light under six polynomials, and of its noise under their squares; then the two levers.
    sums, spread, lever, flux = np.zeros(6), np.zeros(6), np.zeros(2), 0.0
    for row in range(len(down)):
        y = down[row]
        for column in range(len(right)):
            x, weight = right[column], fall[row] * narrow[column]
            value, square = weight * image[row, column], weight**2 * noise[row, column]
            outer = x * x + y * y - 4
            terms = (y, x, outer * y, outer * x, x * (x * x - 3 * y * y), y * (3 * x * x - y * y))
            flux += value
            lever[0] += value * (1 - y * y)
            lever[1] += value * (1 - x * x)
            for k in range(6):
                sums[k] += terms[k] * value
                spread[k] += terms[k] ** 2 * square
    if flux <= 0:
        return False
    for k in range(2):
        factor = 1 / max(lever[k] / flux, _LEVER)
        sums[k], spread[k] = factor * sums[k], factor**2 * spread[k]
    for k in range(3):
        out[k, 0] = (sums[2 * k] / flux) ** 2 + (sums[2 * k + 1] / flux) ** 2
        out[k, 1] = (spread[2 * k] + spread[2 * k + 1]) / flux**2
    return True


@jit
def _color_shift(
    bands: tuple[Float, Float, Float], offsets: tuple[Float, Float], weights: tuple[Float, Float]
) -> float:
    """Square of the scatter of the bands' centres; 0 with a single band."""
    (light, variance, used), (down, right), (fall, narrow) = bands, offsets, weights
    centers, inverse, count = np.zeros((len(light), 2)), np.zeros((len(light), 2)), 0
    for band in range(len(light)):
        if used[band] == 0:
            continue
        flux, first, second = 0.0, np.zeros(2), np.zeros(2)
        for row in range(len(down)):
            for column in range(len(right)):
                weight = fall[row] * narrow[column]
                value, square = weight * light[band, row, column], weight**2 * variance[band, row, column]
                flux += value
                first[0] += value * down[row]
                first[1] += value * right[column]
                second[0] += square * down[row] ** 2
                second[1] += square * right[column] ** 2
        if flux > 0:
            centers[count], inverse[count] = first / flux, flux**2 / second
            count += 1
    if count < 2:
        return 0.0
    total = 0.0
    for k in range(2):
        place, certain = centers[:count, k], inverse[:count, k]
        mean = (certain * place).sum() / certain.sum()
        total += ((certain * (place - mean) ** 2).sum() - (count - 1)) / certain.sum()
    return float(total)
