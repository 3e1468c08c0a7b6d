"""Centroids as the Sloan Digital Sky Survey takes them: the maximum of the image smoothed by its PSF."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .flags import FlagReason, add_reason

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import IntArray
    from .noise import NoiseCorrelation
    from .pixels import Window

    Float = NDArray[np.float64]

__all__ = ["PeakCentroids", "peak_centroids"]

_STEPS = 8
_CODES = tuple(
    int(code) for code in (FlagReason.NO_FLUX, FlagReason.WANDERED, FlagReason.NOT_CONVERGED, FlagReason.NON_FINITE)
)


@dataclass(frozen=True, slots=True, eq=False)
class PeakCentroids:
    """Maxima of N smoothed images.

    Parameters
    ----------
    center, error : float64 array (N, 2)
        ``(y, x)`` and standard deviations [px]; NaN, with a reason, where there is none.
    reasons : int array (N,)
        `FlagReason`s.
    """

    center: Float
    error: Float
    reasons: IntArray


def peak_centroids(
    window: Window, start: tuple[float, float], sigma: Float, noise: NoiseCorrelation, max_shift: float
) -> PeakCentroids:
    """Find the maxima of images smoothed by Gaussians.

    As in Pier et al. (2003, AJ 125, 1559, section 2.1): smooth with a Gaussian as wide as the PSF, go to the largest
    pixel nearby, and interpolate along each axis from its two neighbours. Where they take the ratio of the first and
    second differences with a quartic correction for a Gaussian of known width, the logarithms of the three values
    are used here, which is exact for a Gaussian of any width: galaxies are as welcome as stars.

    Parameters
    ----------
    window : Window
        N images, B bands of each flavour.
    start : tuple of float
        ``(y, x)`` [px].
    sigma : float64 array (N,)
        σ of the smoothing [px].
    noise : NoiseCorrelation
        Of the B bands.
    max_shift : float
        A maximum farther from the start is flagged [px].

    Returns
    -------
    PeakCentroids
    """
    from ._peak_kernels import PeakLimits, find_peaks  # noqa: PLC0415 - loads the compiler

    count = len(window.flux)
    if not np.isfinite(start).all():
        nothing = np.full((count, 2), np.nan)
        return PeakCentroids(nothing, nothing, np.full(count, int(FlagReason.NON_FINITE)))
    limits = PeakLimits(_STEPS, float(max_shift), *_CODES)
    planes = np.ascontiguousarray(window.flux), np.ascontiguousarray(window.noise)
    (center, error, reasons), parts = find_peaks(planes, window.box.origin, start, sigma, limits)
    if noise.lags:
        error = _correlated_errors(window, parts, noise)
        reasons = add_reason(reasons, ~np.isfinite(error).all(axis=1), FlagReason.NON_FINITE)
    failed = (reasons != 0)[:, None]
    return PeakCentroids(np.where(failed, np.nan, center), np.where(failed, np.nan, error), reasons)


def _correlated_errors(window: Window, parts: tuple[Float, Float, Float, Float], noise: NoiseCorrelation) -> Float:
    """Return standard deviations (N, 2): both coordinates are linear in the noise of the pixels, for small noise."""
    along_y, rows, columns, along_x = parts
    amplitudes = np.stack([along_y[:, :, None] * columns[:, None, :], rows[:, :, None] * along_x[:, None, :]])
    shape = (2, -1, len(noise.xi), *window.box.shape)
    found = noise.variance(amplitudes.reshape(shape) * np.sqrt(window.noise))
    return np.asarray(np.sqrt(found.reshape(2, -1)).T)
