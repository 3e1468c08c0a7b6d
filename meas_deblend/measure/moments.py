"""Centroids and second moments under a Gaussian weight, with errors.

A weight w = exp(−½ Δᵀ M⁻¹ Δ), Δ = pixel − centre, is moved until Σ w D Δ = 0 and, for adaptive moments, reshaped
until Σ w D (Δ Δᵀ − M/2) = 0: then M is the covariance of the Gaussian that fits the object best (Bernstein &
Jarvis 2002, section 3.1; Hirata & Seljak 2003, section 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from .flags import FlagReason, add_reason

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import IntArray
    from ._fit_kernels import LossLimits
    from ._gaussian_kernels import FitLimits
    from .config import MeasureConfig
    from .noise import NoiseCorrelation
    from .pixels import Window

    Float = NDArray[np.float64]

__all__ = ["GaussianFit", "adaptive_moments", "gaussian_centroid"]

_WHITE = np.ones((1, 1, 1))


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
    return _iterate(window, start, moments, config, correlation, adapt=False)


def adaptive_moments(
    window: Window,
    start: tuple[float, float],
    sigma: NDArray[np.float64],
    config: MeasureConfig,
    correlation: NoiseCorrelation | None = None,
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
        Of the noise of B bands, which are those of the images modulo B; default: white.

    Returns
    -------
    GaussianFit
        Moments of the image as it is, PSF included. For a Gaussian object they are its covariance.
    """
    moments = np.stack([sigma**2, np.zeros_like(sigma), sigma**2], axis=1)
    return _iterate(window, start, moments, config, correlation, adapt=True)


def _iterate(
    window: Window,
    start: tuple[float, float],
    moments: NDArray[np.float64],
    config: MeasureConfig,
    noise: NoiseCorrelation | None,
    *,
    adapt: bool,
) -> GaussianFit:
    from ._fit_kernels import fit_weights  # noqa: PLC0415 - loads the compiler

    count = len(window.flux)
    weights = np.empty((count, 5))
    weights[:, :2], weights[:, 2:] = start, moments
    reasons, covariance = _hopeless(window, weights), np.full((count, 5, 5), np.nan)
    lead = np.arange(count) if window.same is None else window.same
    xi = _WHITE if noise is None or not noise.lags else noise.xi
    planes = np.ascontiguousarray(window.flux), np.ascontiguousarray(window.noise), xi
    origin = np.array(window.box.origin, dtype=np.float64)
    seen = np.ascontiguousarray(window.usable), np.ascontiguousarray(window.observed)
    fit_weights(planes, seen, origin, (weights, covariance, reasons, lead), _limits(config, adapt=adapt))
    return GaussianFit(weights[:, :2], weights[:, 2:], covariance, reasons)


@lru_cache(maxsize=8)
def _limits(config: MeasureConfig, *, adapt: bool) -> tuple[FitLimits, LossLimits]:
    from ._fit_kernels import LossLimits  # noqa: PLC0415 - loads the compiler
    from ._gaussian_kernels import FitLimits  # noqa: PLC0415 - loads the compiler

    fitting = FitLimits(
        config.max_iterations,
        config.tolerance,
        config.max_shift,
        adapt,
        int(FlagReason.NO_FLUX),
        int(FlagReason.WANDERED),
        int(FlagReason.NOT_CONVERGED),
    )
    return fitting, LossLimits(config.max_lost_fraction, int(FlagReason.EDGE), int(FlagReason.MASKED))


def _hopeless(window: Window, weights: Float) -> IntArray:
    """Reasons not to start: no usable pixel under the window, or a start that is not a number."""
    reasons: IntArray = np.zeros(len(weights), dtype=np.int64)
    if window.flux.size == 0 or not window.is_complete:
        empty = np.full(len(weights), window.flux.size == 0)
        empty[: len(window.usable)] = np.logical_not(window.usable.any(axis=(1, 2)))
        reasons = add_reason(reasons, empty, FlagReason.NO_USABLE_PIXELS)
    return add_reason(reasons, np.logical_not(np.isfinite(weights).all(axis=1)), FlagReason.NON_FINITE)
