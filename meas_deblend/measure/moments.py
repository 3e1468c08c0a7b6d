"""Centroids and second moments under a Gaussian weight, with errors.

A weight w = exp(−½ Δᵀ M⁻¹ Δ), Δ = pixel − centre, is moved until Σ w D Δ = 0 and, for adaptive moments, reshaped
until Σ w D (Δ Δᵀ − M/2) = 0: then M is the covariance of the Gaussian that fits the object best (Bernstein &
Jarvis 2002, section 3.1; Hirata & Seljak 2003, section 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ._weights import collect, lost_fractions, propagate
from .flags import FlagReason, add_reason

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray, IntArray
    from .config import MeasureConfig
    from .noise import NoiseCorrelation
    from .pixels import Window

    Float = NDArray[np.float64]

__all__ = ["GaussianFit", "adaptive_moments", "gaussian_centroid"]

# Below this variance [px²] a Gaussian sampled at pixel centres no longer sums to its integral.
_SMALLEST = 0.16


@dataclass(frozen=True, slots=True, eq=False)
class GaussianFit:
    """The best Gaussian weight of N images.

    Parameters
    ----------
    center : float64 array (N, 2)
        ``(y, x)`` [px].
    moments : float64 array (N, 3)
        Iyy, Iyx, Ixx [px²].
    covariance : float64 array (N, 5, 5)
        Of (y, x, Iyy, Iyx, Ixx), for the noise of the window; NaN where it is not defined. Zero, apart from the
        first two rows and columns, for a weight of fixed shape.
    reasons : int array (N,)
        `FlagReason`s.
    """

    center: NDArray[np.float64]
    moments: NDArray[np.float64]
    covariance: NDArray[np.float64]
    reasons: IntArray


def gaussian_centroid(
    window: Window,
    start: tuple[float, float],
    sigma: NDArray[np.float64],
    config: MeasureConfig,
    correlation: NoiseCorrelation | None = None,
) -> GaussianFit:
    """Find centroids under round Gaussian weights of fixed size, one per image.

    Like the windowed positions of SExtractor (Bertin & Arnouts 1996 and its manual) this is close to a PSF fit
    for stars when the weight is as wide as the PSF, and blind to what is farther out.

    Parameters
    ----------
    window : Window
        N images.
    start : tuple of float
        ``(y, x)`` [px].
    sigma : float64 array (N,)
        σ of the weights [px].
    config : MeasureConfig
        Limits and iterations.
    correlation : NoiseCorrelation, optional
        Of the noise; default: white.

    Returns
    -------
    GaussianFit
        Its moments are those of the weights. A failed centroid is flagged and keeps its last place.
    """
    moments = np.stack([sigma**2, np.zeros_like(sigma), sigma**2], axis=1)
    return _iterate(window, start, moments, config, (correlation, None), adapt=False)


def adaptive_moments(
    window: Window,
    start: tuple[float, float],
    sigma: NDArray[np.float64],
    config: MeasureConfig,
    correlation: NoiseCorrelation | None = None,
    *,
    numbers: IntArray | None = None,
    begin: GaussianFit | None = None,
) -> GaussianFit:
    """Find adaptive moments: centre and shape of the best elliptical Gaussian weight, one per image.

    Parameters
    ----------
    window : Window
        N images.
    start : tuple of float
        ``(y, x)`` [px].
    sigma : float64 array (N,)
        σ of the round weight to start from [px].
    config : MeasureConfig
        Limits and iterations.
    correlation : NoiseCorrelation, optional
        Of the noise of B bands; default: white.
    numbers : int array (N,), optional
        Band of each image, modulo B; default: 0, 1, …
    begin : GaussianFit, optional
        Where fits in a smaller window ended; those that did not fail go on from there.

    Returns
    -------
    GaussianFit
        Moments of the image as it is, PSF included. For a Gaussian object they are its covariance.
    """
    moments = np.stack([sigma**2, np.zeros_like(sigma), sigma**2], axis=1)
    return _iterate(window, start, moments, config, (correlation, numbers), adapt=True, begin=begin)


def _iterate(
    window: Window,
    start: tuple[float, float],
    moments: NDArray[np.float64],
    config: MeasureConfig,
    noise: tuple[NoiseCorrelation | None, IntArray | None],
    *,
    adapt: bool,
    begin: GaussianFit | None = None,
) -> GaussianFit:
    count = len(window.flux)
    center = np.tile(np.asarray(start, dtype=np.float64), (count, 1))
    moments = moments.copy()
    if begin is not None:
        good = (begin.reasons == 0)[:, None]
        center, moments = np.where(good, begin.center, center), np.where(good, begin.moments, moments)
    reasons = hopeless = _hopeless(window, center, moments)
    lead = np.arange(count) if window.same is None else window.same
    running: BoolArray = np.asarray((reasons == 0) & (lead == np.arange(count)))
    for _ in range(config.max_iterations):
        index = np.flatnonzero(running)
        if index.size == 0:
            break
        settled, trouble = _step(window, center, moments, index, adapt=adapt, tolerance=config.tolerance)
        wandered = np.hypot(*(center - np.asarray(start)).T) > config.max_shift
        reasons = add_reason(reasons, np.asarray(wandered), FlagReason.WANDERED)
        reasons[index] |= trouble
        running[index[settled]] = False
        running[reasons != 0] = False
    reasons = add_reason(reasons, running, FlagReason.NOT_CONVERGED)
    if window.same is not None:
        # Images that repeat another one have its solution, and errors of their own.
        lead = np.where(hopeless == 0, lead, np.arange(count))
        center, moments, reasons = center[lead], moments[lead], reasons[lead]
    fit = GaussianFit(center, moments, np.full((count, 5, 5), np.nan), reasons)
    return _finish(window, fit, config.max_lost_fraction, noise, adapt=adapt)


def _hopeless(window: Window, center: Float, moments: Float) -> IntArray:
    """Reasons not to start: no usable pixel under the window, or a start that is not a number."""
    empty: BoolArray = np.logical_not(window.usable.any(axis=(1, 2)))
    reasons = add_reason(np.zeros(len(center), dtype=np.int64), empty, FlagReason.NO_USABLE_PIXELS)
    finite = np.isfinite(center).all(axis=1) & np.isfinite(moments).all(axis=1)
    return add_reason(reasons, np.logical_not(finite), FlagReason.NON_FINITE)


def _step(
    window: Window, center: Float, moments: Float, index: IntArray, *, adapt: bool, tolerance: float
) -> tuple[BoolArray, IntArray]:
    """One step of the images ``index``, exact for Gaussian objects of any width once the centre is close.

    With ⟨⟩ the means under the weight, the centre goes by ⟨Δ⟩ / (1 − ⟨Δ²⟩ / M) along each axis, which is Newton's step,
    and M becomes (⟨ΔΔᵀ⟩⁻¹ − M⁻¹)⁻¹. Where that is far from M, it becomes 2 ⟨ΔΔᵀ⟩ instead, which is slow but safe.

    ``center`` (N, 2) and ``moments`` (N, 3) are changed in place; returned is which of ``index`` have settled, and
    reasons why they failed.
    """
    flux, residual = collect(window, center, moments, index)
    positive: BoolArray = np.asarray(flux > 0)
    mean = np.where(positive[:, None], residual / np.where(positive, flux, 1.0)[:, None], 0.0)
    old = moments[index]
    size = np.sqrt((old[:, 0] + old[:, 2]) / 2)
    second = mean[:, 2:] + old / 2
    # Between those of a point and of something three times as wide as the weight.
    remainder = np.clip(1 - second[:, ::2] / old[:, ::2], 0.25, 1.0)
    step = np.clip(mean[:, :2] / remainder, -size[:, None], size[:, None])
    change = np.abs(step).max(axis=1) / size
    center[index] += step
    reasons = np.where(positive, 0, int(FlagReason.NO_FLUX))
    if adapt:
        new = np.where(positive[:, None], _deconvolved(second, old), old)
        moments[index] = new
        change = np.maximum(change, np.abs(new - old).max(axis=1) / size**2)
        reasons |= np.where(positive & ~_sensible(new, window), int(FlagReason.NOT_CONVERGED), 0)
    return np.asarray(change < tolerance), reasons


def _deconvolved(second: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Moments (N, 3) of what has the moments ``second`` under ``weight``, if it is Gaussian; else a damped step."""
    (yy, yx, xx), (a, b, c) = second.T, weight.T
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        det, norm = yy * xx - yx**2, a * c - b**2
        # Elements of the difference of the inverses.
        p, q, r = xx / det - c / norm, -(yx / det - b / norm), yy / det - a / norm
        inverse = p * r - q**2
        exact = np.stack([r / inverse, -q / inverse, p / inverse], axis=1)
        growth = (exact[:, 0] + exact[:, 2]) / (a + c)
        usable = (det > 0) & (p > 0) & (inverse > 0) & (growth > 0.5) & (growth < 2)
    return np.where(usable[:, None] & np.isfinite(exact), exact, 2 * second)


def _sensible(moments: NDArray[np.float64], window: Window) -> BoolArray:
    """Whether the weights (N, 3) are between a pixel and the window in size along both axes."""
    yy, yx, xx = moments.T
    mean, half_difference = (yy + xx) / 2, np.hypot((yy - xx) / 2, yx)
    largest = (min(window.box.shape) / 4) ** 2
    return np.asarray((mean - half_difference > _SMALLEST) & (mean + half_difference < largest))


def _finish(
    window: Window,
    fit: GaussianFit,
    max_lost: float,
    noise: tuple[NoiseCorrelation | None, IntArray | None],
    *,
    adapt: bool,
) -> GaussianFit:
    """Take a last step of Newton's method, propagate the noise, and look at what the weights lay on."""
    center, moments, reasons = fit.center.copy(), fit.moments.copy(), fit.reasons.copy()
    covariance = fit.covariance.copy()
    index = np.flatnonzero(reasons == 0)
    if not index.size:
        return fit
    used = 5 if adapt else 2
    edge, masked = lost_fractions(window, center, moments, index)
    last, covariance[index], singular = propagate(window, center, moments, index, used, noise=noise)
    # Far from the solution the linear step may be wild; then the fixed-point result stands.
    size = np.sqrt((moments[index, 0] + moments[index, 2]) / 2)
    relative = np.abs(last) / np.stack([size, size, *[size**2] * 3], axis=1)
    last = np.where((relative < 0.1).all(axis=1)[:, None], last, 0.0)
    center[index] += last[:, :2]
    moments[index] += last[:, 2:]
    reasons[index] = add_reason(reasons[index], singular, FlagReason.NOT_CONVERGED)
    reasons[index] = add_reason(reasons[index], edge > max_lost, FlagReason.EDGE)
    reasons[index] = add_reason(reasons[index], masked > max_lost, FlagReason.MASKED)
    return GaussianFit(center, moments, covariance, reasons)
