"""Centroids as the Sloan Digital Sky Survey takes them: the maximum of the image smoothed by its PSF."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .flags import FlagReason, add_reason

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray, IntArray
    from .noise import NoiseCorrelation
    from .pixels import Window

    Float = NDArray[np.float64]

__all__ = ["PeakCentroids", "peak_centroids"]

_STEPS = 8


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
        N images, B bands repeated.
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
    from ._peak_kernels import climb  # noqa: PLC0415 - loads the compiler

    count = len(window.flux)
    reasons: IntArray = np.zeros(count, dtype=np.int64)
    if not np.isfinite(start).all():
        nothing = np.full((count, 2), np.nan)
        return PeakCentroids(nothing, nothing, np.full(count, int(FlagReason.NON_FINITE)))
    images, origin = np.ascontiguousarray(window.flux), window.box.origin
    pixel, settled, values, *kernels = climb(images, origin, (round(start[0]), round(start[1])), sigma, _STEPS)
    reasons = add_reason(reasons, ~settled, FlagReason.NOT_CONVERGED)
    profiles = np.stack([values[:, :, 1], values[:, 1, :]], axis=1)
    positive: BoolArray = np.asarray((profiles > 0).all(axis=(1, 2)))
    reasons = add_reason(reasons, ~positive, FlagReason.NO_FLUX)
    offset, slopes = _interpolated(np.where(positive[:, None, None], profiles, 1.0))
    center = pixel + offset
    far: BoolArray = np.asarray(np.hypot(*(center - np.asarray(start)).T) > max_shift)
    reasons = add_reason(reasons, positive & far, FlagReason.WANDERED)
    error = _errors(window, (kernels[0], kernels[1]), slopes, noise)
    broken: BoolArray = ~np.isfinite(np.concatenate([center, error], axis=1)).all(axis=1)
    reasons = add_reason(reasons, broken, FlagReason.NON_FINITE)
    failed = (reasons != 0)[:, None]
    return PeakCentroids(np.where(failed, np.nan, center), np.where(failed, np.nan, error), reasons)


def _interpolated(profiles: Float) -> tuple[Float, Float]:
    """Maximum between three values (N, 2, 3), in pixels, and its derivatives by them (N, 2, 3)."""
    logs = np.log(profiles)
    slope = logs[..., 2] - logs[..., 0]
    bend = 2 * logs[..., 1] - logs[..., 0] - logs[..., 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        offset = slope / (2 * bend)
        lower = (-0.5 / bend + slope / (2 * bend**2))[..., None]
        middle = (-slope / bend**2)[..., None]
        upper = (0.5 / bend + slope / (2 * bend**2))[..., None]
        return offset, np.concatenate([lower, middle, upper], axis=-1) / profiles


def _errors(window: Window, kernels: tuple[Float, Float], slopes: Float, noise: NoiseCorrelation) -> Float:
    """Return standard deviations (N, 2): both coordinates are linear in the noise of the pixels, for small noise."""
    rows, columns = kernels
    along_y = np.einsum("nk,nky->ny", slopes[:, 0], rows)
    along_x = np.einsum("nk,nkx->nx", slopes[:, 1], columns)
    if not noise.lags:
        middle_y, middle_x = (rows[:, 1] ** 2)[:, None], (columns[:, 1] ** 2)[:, :, None]
        by_y = (along_y**2)[:, None] @ window.noise @ middle_x
        by_x = middle_y @ window.noise @ (along_x**2)[:, :, None]
        return np.asarray(np.sqrt(np.concatenate([by_y, by_x], axis=2)[:, 0]))
    amplitudes = np.stack(
        [along_y[:, :, None] * columns[:, 1][:, None, :], rows[:, 1][:, :, None] * along_x[:, None, :]]
    )
    shape = (2, -1, len(noise.xi), *window.box.shape)
    return np.sqrt(noise.variance((amplitudes * np.sqrt(window.noise)).reshape(shape)).reshape(2, -1)).T
