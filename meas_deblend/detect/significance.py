"""Signal-to-noise ratio of a point source at every pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..exceptions import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ..geometry import BoolArray, FloatArray
    from .config import DetectConfig
    from .stencils import Stencils
    from .tiling import TilePixels

__all__ = ["FWHM_PER_SIGMA", "filter_kernel", "gaussian_kernel", "matched_filter", "psf_sigma"]

FWHM_PER_SIGMA = float(np.sqrt(8 * np.log(2)))
EIGHT = np.ones((3, 3), dtype=bool)
"""Structure of 8-connectivity: pixels that share a corner are neighbours."""


def psf_sigma(stamp: FloatArray) -> float:
    """Return the standard deviation in pixels of the Gaussian with the noise-equivalent area of a PSF.

    A Gaussian has ``(Σ P)² / Σ P² = 4 π σ²`` (King 1983, PASP 95, 163), which weights the core as a matched
    filter does and, unlike second moments, does not depend on how far the stamp follows the wings.

    Parameters
    ----------
    stamp : array (y, x)
        The PSF, any normalisation, positive sum.

    Returns
    -------
    float
    """
    return float(np.abs(stamp.sum()) / np.sqrt(4 * np.pi * np.sum(np.square(stamp, dtype=np.float64))))


def gaussian_kernel(sigma: float) -> NDArray[np.float64]:
    """Circular Gaussian (y, x) of unit sum on an odd stamp that reaches out to 4 ``sigma`` (pixels)."""
    radius = int(np.ceil(4 * sigma))
    profile = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel: NDArray[np.float64] = np.outer(profile, profile)
    kernel /= kernel.sum()
    return kernel


def filter_kernel(psf_stamp: ArrayLike | None, config: DetectConfig) -> NDArray[np.float64]:
    """Kernel that a band is filtered with, of unit sum.

    Parameters
    ----------
    psf_stamp : array (y, x) or None
        PSF of the band on odd sides.  None, or a stamp with pixels that are not finite or a sum that is not
        positive, stands for a band without a PSF: a Gaussian of ``config.default_fwhm`` takes its place.
    config : DetectConfig

    Returns
    -------
    float64 array (y, x)

    Raises
    ------
    InputError
        If the stamp is not two-dimensional or has an even side: it would have no middle pixel.
    """
    if psf_stamp is None:
        return gaussian_kernel(config.default_fwhm / FWHM_PER_SIGMA)
    stamp = np.asarray(psf_stamp, dtype=np.float64)
    if stamp.ndim != 2 or any(side % 2 == 0 for side in stamp.shape):
        raise InputError(f"a PSF stamp must be two-dimensional with odd sides, got shape {stamp.shape}")
    if not np.isfinite(stamp).all() or stamp.sum() <= 0:
        return gaussian_kernel(config.default_fwhm / FWHM_PER_SIGMA)
    return gaussian_kernel(psf_sigma(stamp)) if config.smoothing == "gaussian" else stamp / stamp.sum()


def matched_filter(pixels: TilePixels, stencils: Stencils, depth: float, min_coverage: float) -> NDArray[np.float32]:
    """Significance of the best point-source amplitude at every pixel.

    For ``D = a P + noise`` of variance ``1/w`` the least-squares amplitude at a pixel has the signal-to-noise
    ratio ``Σ P w D / √(Σ P² w)``; pixels with ``w = 0`` take no part, so masks and a varying depth need no
    interpolation.

    Parameters
    ----------
    pixels : TilePixels
        Of a tile with a margin as wide as the stencils reach.
    stencils : Stencils
        Of the PSF and of its square.
    depth : float
        Smallest variance of the band: weights are taken relative to its inverse, so that the result does not depend on
        the tile.
    min_coverage : float
        Pixels where less than this share of ``Σ P²`` lies on usable pixels count as not seen.

    Returns
    -------
    float32 array (y, x)
        On the tile without its margin; NaN where not seen.
    """
    (ry, rx), (ny, nx) = stencils.reach, stencils.shape
    inner = (slice(ry, ny - ry), slice(rx, nx - rx))
    if not pixels.usable.any():
        return np.full(pixels.usable[inner].shape, np.nan, dtype=np.float32)
    weights = np.zeros(pixels.image.shape)
    np.divide(depth, pixels.variance, out=weights, where=pixels.usable)
    noise2 = stencils.sums(weights, 1)
    weights *= pixels.image
    signal = stencils.sums(weights, 0)
    # The transform of a square stencil at frequency 0 is its sum.
    power = float(stencils.transforms[1, 0, 0].real)
    seen: BoolArray = noise2 > 1e-12 * power
    # Weights are at most 1: where those of the noise suffice, so does the coverage.
    doubtful = seen & (noise2 < 1.01 * min_coverage * power)
    if doubtful.any() and not pixels.usable.all():
        coverage = stencils.sums(pixels.usable.astype(np.float64), 1, doubtful)
        seen &= ~doubtful | (coverage >= min_coverage * power)
    significance = np.full(signal.shape, np.nan, dtype=np.float32)
    significance[seen] = signal[seen] / np.sqrt(depth * noise2[seen])
    return significance
