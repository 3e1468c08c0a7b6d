"""Signal-to-noise ratio of a point source at every pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.signal import oaconvolve

from ..exceptions import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ..geometry import BoolArray, FloatArray
    from .config import DetectConfig

__all__ = ["FWHM_PER_SIGMA", "fill_masked_cores", "filter_kernel", "gaussian_kernel", "matched_filter", "psf_sigma"]

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


def matched_filter(
    image: FloatArray, weights: FloatArray, kernel: FloatArray, min_coverage: float
) -> tuple[NDArray[np.float64], BoolArray]:
    """Significance of the best point-source amplitude at every pixel.

    For ``D = a P + noise`` of variance ``1/w`` the least-squares amplitude at a pixel has the signal-to-noise
    ratio ``Σ P w D / √(Σ P² w)``; pixels with ``w = 0`` take no part, so masks and a varying depth need no
    interpolation.

    Parameters
    ----------
    image : array (y, x)
        Finite where ``weights`` is positive; anything elsewhere.
    weights : array (y, x)
        Inverse variance, 0 for unusable pixels.
    kernel : array (y, x)
        The PSF on odd sides.
    min_coverage : float
        Pixels where less than this share of ``Σ P²`` lies on usable pixels count as not seen.

    Returns
    -------
    significance : float64 array (y, x)
        0 where not seen.
    seen : bool array (y, x)
    """
    usable = weights > 0
    scale = weights.max(initial=0.0)
    if scale == 0:
        return np.zeros(image.shape), usable
    # Scaling the weights to at most 1 keeps round-off of the transforms relative to the deepest pixels.
    w = np.asarray(weights, dtype=np.float64) / scale
    mirrored, squared = kernel[::-1, ::-1], np.square(kernel[::-1, ::-1])
    coverage = oaconvolve(usable.astype(np.float64), squared, mode="same") / squared.sum()
    seen = coverage >= min_coverage
    signal = oaconvolve(np.where(usable, image, 0.0) * w, mirrored, mode="same")
    noise2 = oaconvolve(w, squared, mode="same")
    seen &= noise2 > 1e-12 * squared.sum()
    significance = np.zeros(image.shape)
    significance[seen] = signal[seen] * np.sqrt(scale / noise2[seen])
    return significance, seen


def fill_masked_cores(significance: FloatArray, seen: BoolArray, threshold: float) -> FloatArray:
    """Give an unseen region that is enclosed by detected pixels the highest significance on its rim.

    The saturated core of a star would otherwise be a hole with a ring of false peaks around it; filled, the core
    and its rim form one plateau, so one maximum.

    Parameters
    ----------
    significance : array (y, x)
    seen : bool array (y, x)
        Pixels whose significance is known.
    threshold : float
        A region is filled only if its whole rim is above this.

    Returns
    -------
    array (y, x)
        A copy, or the input itself where there is nothing to fill.
    """
    unseen = ~seen
    if not unseen.any() or unseen.all():
        return significance
    labels, count = ndimage.label(unseen, EIGHT)
    # The rim of a region gets the region's label; where two regions share a rim pixel either may have it.
    rim = np.where(seen, ndimage.maximum_filter(labels, size=3), 0)
    index = np.arange(1, count + 1)
    lowest = np.asarray(ndimage.minimum(significance, rim, index))
    highest = np.asarray(ndimage.maximum(significance, rim, index))
    fill = np.concatenate([[0.0], np.where(lowest > threshold, highest, 0.0)])
    return np.where(unseen, fill[labels], significance)
