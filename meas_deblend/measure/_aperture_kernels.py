"""Compiled: ellipses and Kron radii of all flavours of an object, in one pass over them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..scarlet._jit import jit
from ._mean_kernels import add_area_slopes, inverse_variances, weighted_moments
from ._radius_kernels import first_moment

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import IntArray

    Float = NDArray[np.float64]

__all__ = ["common_axes", "find_apertures"]


@jit
def common_axes(
    shape: tuple[Float, Float, IntArray], psf: tuple[Float, IntArray], limits: tuple[float, float]
) -> tuple[float, float, float]:
    """Semi-axes a ≥ b and angle of the ellipse of one σ for all bands; NaN where there is none.

    It is that of the mean of the trusted moments, weighted with their inverse variances; without any, of their plain
    mean, or else of the PSFs'.

    Parameters
    ----------
    shape : tuple of array
        Moments yy, yx, xx (B, 3) of the bands, their covariances (B, 3, 3), and reasons (B,) not to trust them.
    psf : tuple of array
        Moments and reasons of the PSFs.
    limits : tuple of float
        Least and largest axis [px].
    """
    weights, is_known = inverse_variances(shape[1], shape[2])
    if is_known:
        yy, yx, xx = weighted_moments(shape[0], weights)
    else:
        yy, yx, xx = _mean_moments(shape[0], shape[2])
        if math.isnan(yy):
            yy, yx, xx = _mean_moments(psf[0], psf[1])
        if math.isnan(yy):
            return np.nan, np.nan, np.nan
    mean, half = (yy + xx) / 2, math.hypot((xx - yy) / 2, yx)
    # Rounding may leave less than nothing of the short axis of a line.
    long, short = math.sqrt(max(mean + half, 0.0)), math.sqrt(max(mean - half, 0.0))
    a = min(max(long, limits[0]), limits[1])
    return a, min(max(short, limits[0]), a), math.atan2(2 * yx, xx - yy) / 2


@jit
def _mean_moments(moments: Float, reasons: IntArray) -> tuple[float, float, float]:
    """Plain mean of the moments without a reason not to be trusted; NaN where there are none."""
    count, yy, yx, xx = 0, 0.0, 0.0, 0.0
    for k in range(len(reasons)):
        if reasons[k] == 0:
            count += 1
            yy, yx, xx = yy + moments[k, 0], yx + moments[k, 1], xx + moments[k, 2]
    if count == 0:
        return np.nan, np.nan, np.nan
    return yy / count, yx / count, xx / count


@jit
def find_apertures(
    planes: tuple[Float, Float, Float],
    offset: tuple[float, float],
    shapes: tuple[Float, Float, IntArray],
    psfs: tuple[Float, IntArray],
    limits: tuple[float, float, float],
) -> Float:
    """Ellipses of one standard deviation, and Kron radii in them, of G flavours of B bands.

    Parameters
    ----------
    planes : tuple of float64 array
        Images (G B, h, w), the variance of their pixels (B, h, w), and the weights (B,) of the bands in Kron radii.
    offset : tuple of float
        ``(y, x)`` of the first pixel from the centre [px]; NaN without one: then there are no Kron radii.
    shapes : tuple of array
        Moments (G B, 3), covariances (G B, 3, 3), and reasons (G B,) not to trust them.
    psfs : tuple of array
        Moments and reasons of the PSFs, likewise.
    limits : tuple of float
        Least and largest axis [px], and the largest radius for Kron radii, in units of the ellipse.

    Returns
    -------
    float64 array (G, 10)
        a, b, θ; Kron radius, its error, Σ I; 1 where first-order errors are certain, else 0; the matrix of
        `AreaChange`. NaN for what there is not.
    """
    images, noise, weight = planes
    bands = len(weight)
    out = np.full((len(images) // bands, 10), np.nan)
    for g in range(len(out)):
        first, stop = g * bands, (g + 1) * bands
        shape = shapes[0][first:stop], shapes[1][first:stop], shapes[2][first:stop]
        a, b, theta = common_axes(shape, (psfs[0][first:stop], psfs[1][first:stop]), (limits[0], limits[1]))
        out[g, 0], out[g, 1], out[g, 2] = a, b, theta
        out[g, 6:] = 0.0
        weights, is_known = inverse_variances(shape[1], shape[2])
        if is_known:
            mean = weighted_moments(shape[0], weights)
            certain = add_area_slopes(shape[1], weights, mean, (limits[0], limits[1]), out[g, 7:])
            out[g, 6] = 1.0 if certain else 0.0
        if math.isnan(a) or not (math.isfinite(offset[0]) and math.isfinite(offset[1])):
            continue
        value, total, variance = first_moment(images[first:stop], noise, weight, offset, (a, b, theta, limits[2]))
        if value > 0 and total > 0 and math.isfinite(value):
            out[g, 3], out[g, 4], out[g, 5] = value, math.sqrt(variance) / total, total
    return out
