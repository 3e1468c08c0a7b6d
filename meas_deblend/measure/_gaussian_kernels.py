"""Compiled loops over pixels under Gaussian weights: sums, and the iterations of centroids and adaptive moments.

Along a row, w = exp(−½ Δᵀ M⁻¹ Δ) changes from pixel to pixel by a factor that changes by a constant factor itself.
Rows are followed from their largest weight outwards, so both factors are at most 1 and rounding does not grow; pixels
whose weight is below e⁻⁴⁰ of the centre's, less than the rounding of the sums, are left out. Iterations, which end a
thousandth of the weight's size from the result, end at e⁻²⁵, 1.4e-11, on two thirds of the pixels.

A degree that is written as a number is a type of its own to the compiler: ``np.int64`` has one variant serve for all.
Short rows are copied in loops, as checks of shapes take longer to compile than the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..scarlet._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray, IntArray

    Float = NDArray[np.float64]

__all__ = ["END", "FitLimits", "iterate_fits", "row_sums", "weighted_loss", "weighted_monomials"]

# Exponents at which weights end: of results, and of the iterations towards them.
END, _NEAR = 40.0, 25.0
# Below this variance [px²] a Gaussian sampled at pixel centres no longer sums to its integral.
_SMALLEST = 0.16


class FitLimits(NamedTuple):
    """When a fit ends; codes of the reasons are `FlagReason`'s."""

    iterations: int
    tolerance: float
    max_shift: float
    adapt: bool
    no_flux: int
    wandered: int
    not_converged: int


@jit
def _reach(b: float, c: float, first: float, last: float) -> tuple[int, int, int]:
    """Pixels [low, high) of a row whose exponents b x + c x² are above their largest − ``last``, and where that is.

    ``first`` is the offset x of the row's first pixel.
    """
    middle, half = -b / (2 * c) - first, np.sqrt(last / -c)
    return int(np.ceil(middle - half)), int(np.floor(middle + half)) + 1, int(np.rint(middle))


@jit
def row_sums(image: Float, origin: Float, weight: Float, limits: tuple[int | np.int64, float], out: Float) -> None:
    """Add Σ w image Δy^i Δx^j to ``out`` (5, 5); ``limits`` are the largest i + j ≤ 4 and −ln w where weights end."""
    (height, width), (degree, end) = image.shape, limits
    det = weight[2] * weight[4] - weight[3] ** 2
    # The exponent is a Δy² + b Δy Δx + c Δx².
    a, b, c = -weight[4] / (2 * det), weight[3] / det, -weight[2] / (2 * det)
    left, curvature = origin[1] - weight[1], np.exp(2 * c)
    sums = np.zeros(5 if degree > 2 else 3)
    for row in range(height):
        dy = row + origin[0] - weight[0]
        top = -dy * dy / (2 * weight[2])
        if top < -end:
            continue
        slope = b * dy
        low, high, start = _reach(slope, c, left, end + top)
        low, high = max(low, 0), min(high, width)
        if low >= high:
            continue
        start = min(max(start, low), high - 1)
        dx = start + left
        largest = np.exp(a * dy * dy + slope * dx + c * dx * dx)
        sums[:] = 0.0
        factor = np.exp(slope + c * (2 * dx + 1))
        _along(image[row], (start, high, 1), left, (largest, factor, curvature), sums)
        factor = np.exp(-slope - c * (2 * dx - 1))
        _along(image[row], (start - 1, low - 1, -1), left, (largest * factor, factor * curvature, curvature), sums)
        power = 1.0
        for i in range(degree + 1):
            for j in range(degree + 1 - i):
                out[i, j] += power * sums[j]
            power *= dy


@jit
def _along(
    row: Float, span: tuple[int, int, int], left: float, progression: tuple[float, float, float], sums: Float
) -> None:
    """Add Σ w D Δx^j of the pixels of a span (start, stop, step) of a row to ``sums`` (3,) or (5,)."""
    weight, factor, curvature = progression
    first, second, third, fourth, fifth = 0.0, 0.0, 0.0, 0.0, 0.0
    further = len(sums) > 3
    for column in range(*span):
        value, dx = weight * row[column], column + left
        square = dx * dx
        first += value
        second += value * dx
        third += value * square
        if further:
            fourth += value * square * dx
            fifth += value * square * square
        weight *= factor
        factor *= curvature
    sums[0] += first
    sums[1] += second
    sums[2] += third
    if further:
        sums[3] += fourth
        sums[4] += fifth


@jit
def weighted_monomials(images: Float, origin: Float, weights: Float, index: IntArray, degree: int) -> Float:
    """Σ w D Δy^i Δx^j of the images ``index``, i + j ≤ ``degree`` ≤ 4: (n, 5, 5), the rest 0.

    Parameters
    ----------
    images : float64 array (N, h, w)
    origin : float64 array (2,)
        Of the images' first pixel [px].
    weights : float64 array (n, 5)
        y, x, Iyy, Iyx, Ixx for each of the chosen images.
    index : int array (n,)
    degree : int
        2 or 4.
    """
    out = np.zeros((len(index), 5, 5))
    for n in range(len(index)):
        row_sums(images[index[n]], origin, weights[n], (degree, END), out[n])
    return out


@jit
def weighted_loss(usable: BoolArray, observed: BoolArray, origin: Float, weights: Float, index: IntArray) -> Float:
    """Σ w over all pixels, over those that were not observed, and over those that are not usable: (n, 3).

    ``usable`` (B, h, w) is of the first images; all pixels of others are.
    """
    out = np.zeros((len(index), 3))
    ones, unseen = np.ones(observed.shape), np.where(observed, 0.0, 1.0)
    for n in range(len(index)):
        sums = np.zeros((3, 5, 5))
        row_sums(ones, origin, weights[n], (np.int64(0), END), sums[0])
        row_sums(unseen, origin, weights[n], (np.int64(0), END), sums[1])
        if index[n] < len(usable):
            row_sums(np.where(usable[index[n]], 0.0, 1.0), origin, weights[n], (np.int64(0), END), sums[2])
        for k in range(3):
            out[n, k] = sums[k, 0, 0]
    return out


@jit
def iterate_fits(images: Float, origin: Float, weights: Float, index: IntArray, limits: FitLimits) -> NDArray[np.int64]:
    """Move and reshape the weights of the images ``index`` until they settle.

    Parameters
    ----------
    images : float64 array (N, h, w)
    origin : float64 array (2,)
        Of the images' first pixel [px].
    weights : float64 array (N, 5)
        y, x, Iyy, Iyx, Ixx; changed in place.
    index : int array (n,)
    limits : FitLimits

    Returns
    -------
    int array (n,)
        Reasons why a fit failed, 0 where it settled.
    """
    reasons = np.zeros(len(index), dtype=np.int64)
    largest = (min(images.shape[1], images.shape[2]) / 4) ** 2
    for n in range(len(index)):
        weight = weights[index[n]]
        start_y, start_x = weight[0], weight[1]
        settled = False
        for _ in range(limits.iterations):
            reason, change = _step(images[index[n]], origin, weight, limits)
            if np.hypot(weight[0] - start_y, weight[1] - start_x) > limits.max_shift:
                reason |= limits.wandered
            if limits.adapt and not reason & limits.no_flux and not _sensible(weight, largest):
                reason |= limits.not_converged
            reasons[n] = reason
            settled = change < limits.tolerance
            if settled or reason:
                break
        if not settled and not reasons[n]:
            reasons[n] = limits.not_converged
    return reasons


@jit
def _step(image: Float, origin: Float, weight: Float, limits: FitLimits) -> tuple[int, float]:
    """One step, exact for Gaussian objects of any width once the centre is close: why it failed, and how far it went.

    With ⟨⟩ the means under the weight, the centre goes by ⟨Δ⟩ / (1 − ⟨Δ²⟩ / M) along each axis, which is Newton's step,
    and M becomes (⟨ΔΔᵀ⟩⁻¹ − M⁻¹)⁻¹. Where that is far from M, it becomes 2 ⟨ΔΔᵀ⟩ instead, which is slow but safe.
    """
    sums = np.zeros((5, 5))
    row_sums(image, origin, weight, (np.int64(2), _NEAR), sums)
    flux = sums[0, 0]
    if not flux > 0:
        return limits.no_flux, 0.0
    yy, yx, xx = sums[2, 0] / flux, sums[1, 1] / flux, sums[0, 2] / flux
    size = np.sqrt((weight[2] + weight[4]) / 2)
    # Between those of a point and of something three times as wide as the weight.
    step_y = _clipped(sums[1, 0] / flux / _clipped(1 - yy / weight[2], 0.25, 1.0), -size, size)
    step_x = _clipped(sums[0, 1] / flux / _clipped(1 - xx / weight[4], 0.25, 1.0), -size, size)
    weight[0] += step_y
    weight[1] += step_x
    change = max(abs(step_y), abs(step_x)) / size
    if limits.adapt:
        new_yy, new_yx, new_xx = _deconvolved(yy, yx, xx, weight)
        largest = max(abs(new_yy - weight[2]), abs(new_yx - weight[3]), abs(new_xx - weight[4]))
        change = max(change, largest / size**2)
        weight[2], weight[3], weight[4] = new_yy, new_yx, new_xx
    return 0, change


@jit
def _clipped(value: float, low: float, high: float) -> float:
    """Bring ``value`` between ``low`` and ``high``; NaN stays."""
    if value < low:
        return low
    if value > high:
        return high
    return value


@jit
def _deconvolved(yy: float, yx: float, xx: float, weight: Float) -> tuple[float, float, float]:
    """Moments of what has the moments yy, yx, xx under ``weight``, if it is Gaussian; else a damped step."""
    a, b, c = weight[2], weight[3], weight[4]
    det, norm = yy * xx - yx**2, a * c - b**2
    # Elements of the difference of the inverses.
    p, q, r = xx / det - c / norm, -(yx / det - b / norm), yy / det - a / norm
    inverse = p * r - q**2
    growth = (r + p) / inverse / (a + c)
    if det > 0 and p > 0 and inverse > 0 and growth > 0.5 and growth < 2:
        return r / inverse, -q / inverse, p / inverse
    return 2 * yy, 2 * yx, 2 * xx


@jit
def _sensible(weight: Float, largest: float) -> bool:
    """Whether a weight is between a pixel and the window in size along both axes."""
    mean = (weight[2] + weight[4]) / 2
    half = np.hypot((weight[2] - weight[4]) / 2, weight[3])
    return bool(mean - half > _SMALLEST and mean + half < largest)
