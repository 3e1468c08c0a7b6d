"""Compiled: means of the moments of several bands, and what follows from them, for one object.

These are few numbers: as operations on arrays they would take ten times as long.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..scarlet._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import IntArray

    Float = NDArray[np.float64]

__all__ = ["add_area_slopes", "inverse_variances", "size_excess", "weighted_moments"]


@jit
def inverse_variances(covariance: Float, reasons: IntArray) -> tuple[Float, bool]:
    """Weights (B,) of the bands in the mean of their moments, with a sum of 1, and whether any is above 0.

    Parameters
    ----------
    covariance : float64 array (B, 3, 3)
        Of yy, yx, xx.
    reasons : int array (B,)
        Bands with a reason not to be trusted have no weight.
    """
    count = len(reasons)
    out, least, total = np.zeros(count), np.inf, 0.0
    for k in range(count):
        error = np.sqrt(covariance[k, 0, 0]) + np.sqrt(covariance[k, 2, 2])
        # Written so that NaN is no error.
        if reasons[k] == 0 and error > 0:
            out[k] = error
            least = min(least, error)
    for k in range(count):
        if out[k] > 0:
            # In units of the smallest error, since the inverse square of a tiny one overflows.
            out[k] = (least / out[k]) ** 2
            total += out[k]
    if total > 0:
        for k in range(count):
            out[k] /= total
    return out, total > 0


@jit
def weighted_moments(moments: Float, weights: Float) -> tuple[float, float, float]:
    """Σ ω M over the bands (B, 3) with a weight."""
    yy, yx, xx = 0.0, 0.0, 0.0
    for k in range(len(weights)):
        if weights[k] > 0:
            yy += weights[k] * moments[k, 0]
            yx += weights[k] * moments[k, 1]
            xx += weights[k] * moments[k, 2]
    return yy, yx, xx


@jit
def add_area_slopes(
    covariance: Float, weights: Float, mean: tuple[float, float, float], limits: tuple[float, float], out: Float
) -> bool:
    """Add the matrix of `AreaChange` to ``out`` (3,); whether first order is certain.

    Parameters
    ----------
    covariance : float64 array (B, 3, 3)
        Of the bands' moments.
    weights : float64 array (B,)
        Of the bands in their mean.
    mean : tuple of float
        yy, yx, xx.
    limits : tuple of float
        Least and largest axis [px].
    out : float64 array (3,)
    """
    (yy, yx, xx), spread, certain = mean, np.zeros((3, 3)), True
    for k in range(len(weights)):
        if weights[k] > 0:
            for i in range(3):
                for j in range(3):
                    spread[i, j] += weights[k] ** 2 * covariance[k, i, j]
    theta = math.atan2(2 * yx, xx - yy) / 2
    sine, cosine = math.sin(theta), math.cos(theta)
    smallest, largest = limits[0] ** 2, limits[1] ** 2
    for y, x in ((sine, cosine), (cosine, -sine)):
        along = (y * y, 2 * y * x, x * x)
        moment, variance = along[0] * yy + along[1] * yx + along[2] * xx, 0.0
        for i in range(3):
            for j in range(3):
                variance += along[i] * spread[i, j] * along[j]
        error = math.sqrt(max(variance, 0.0))
        low = min(max(moment - error, smallest), largest)
        high = min(max(moment + error, smallest), largest)
        certain = certain and error <= moment / 2 and low > smallest and high < largest
        if error > 0:
            slope = math.log(high / low) / (2 * error)
            out[0] += slope * y * y
            out[1] += slope * y * x
            out[2] += slope * x * x
    return certain


@jit
def size_excess(moments: Float, covariance: Float, point: Float, above: float, out: Float) -> None:
    """Write 1 − T(PSF) / T, its error, and the chance that it is above ``above`` (3, B), T = Iyy + Ixx.

    Parameters
    ----------
    moments, covariance : float64 array (B, 3), (B, 3, 3)
        Of the object.
    point : float64 array (B, 3)
        Moments of the PSF.
    above : float
    out : float64 array (3, B)
    """
    for k in range(len(moments)):
        total = moments[k, 0] + moments[k, 2]
        ratio = (point[k, 0] + point[k, 2]) / total
        both = covariance[k, 0, 0] + covariance[k, 0, 2] + covariance[k, 2, 0] + covariance[k, 2, 2]
        # Written so that NaN stays.
        error, over = abs(ratio / total) * np.sqrt(0.0 if both < 0 else both), 1 - ratio - above
        out[0, k], out[1, k] = 1 - ratio, error
        if error > 0:
            out[2, k] = 0.5 * math.erfc(-over / error / math.sqrt(2.0))
        else:
            out[2, k] = 0.5 * (1 + np.sign(over))
