"""Detection in one band."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ..exceptions import InputError
from .peaks import find_peaks, thin_peaks
from .significance import EIGHT, FWHM_PER_SIGMA, fill_masked_cores, filter_kernel, matched_filter, psf_sigma

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..geometry import BoolArray, FloatArray, Peak
    from .config import DetectConfig

__all__ = ["BandDetections", "detect_band", "dilate_disc"]


@dataclass(frozen=True, slots=True, eq=False)
class BandDetections:
    """What was found in one band.

    Parameters
    ----------
    footprint : bool array (y, x)
        Detected pixels, grown; the image's frame, origin (0, 0).
    peaks : tuple of Peak
        Highest first, ties by x then y; ``value`` is the signal-to-noise ratio of a point source there.
    fwhm : float
        Of the filter, pixels.
    """

    footprint: BoolArray
    peaks: tuple[Peak, ...]
    fwhm: float


def dilate_disc(mask: BoolArray, radius: int) -> BoolArray:
    """Pixels within ``radius`` of a true pixel of ``mask`` (y, x), cut to the array.

    A disc is a stack of rows, and a running maximum costs the same for any length, so the time grows with
    area × radius rather than with area × radius².
    """
    if radius < 1 or not mask.any():
        return mask.copy()
    bits = mask.view(np.uint8)
    out = np.zeros_like(bits)
    height = mask.shape[0]
    for dy in range(min(radius, height - 1) + 1):
        half = int(np.sqrt(radius**2 - dy**2))
        row = ndimage.maximum_filter1d(bits, 2 * half + 1, axis=1, mode="constant", cval=0)
        out[dy:] |= row[: height - dy]
        out[: height - dy] |= row[dy:]
    return out.view(np.bool_)


def detect_band(
    image: FloatArray, variance: FloatArray, bad: BoolArray, psf_stamp: ArrayLike | None, config: DetectConfig
) -> BandDetections:
    """Find the sources of one band, in a time proportional to the number of pixels.

    Parameters
    ----------
    image, variance : array (y, x)
        Background-subtracted pixels and their variances, image units and their square.
    bad : bool array (y, x)
        Pixels to leave out; those that are not finite or have no positive variance are left out as well.
    psf_stamp : array (y, x) or None
        PSF of the band on odd sides; None: a Gaussian of ``config.default_fwhm`` is used.
    config : DetectConfig

    Returns
    -------
    BandDetections
        Empty for a band without usable pixels or without any contrast.

    Raises
    ------
    InputError
        If the arrays do not have one two-dimensional shape, or the PSF's sides are even.
    """
    if image.ndim != 2 or image.shape != variance.shape or image.shape != bad.shape:
        raise InputError(
            f"image, variance and bad must have one shape (y, x); got {image.shape}, {variance.shape} and {bad.shape}"
        )
    kernel = filter_kernel(psf_stamp, config)
    sigma = psf_sigma(kernel)
    usable = ~bad & np.isfinite(image) & np.isfinite(variance) & (variance > 0)
    values = image[usable]
    if values.size == 0 or values.min() == values.max():
        return BandDetections(np.zeros(image.shape, dtype=bool), (), sigma * FWHM_PER_SIGMA)
    weights = np.zeros(image.shape)
    weights[usable] = 1 / variance[usable].astype(np.float64)
    significance, seen = matched_filter(image, weights, kernel, config.min_coverage)
    return _segment(fill_masked_cores(significance, seen, config.threshold), sigma, config)


def _segment(significance: FloatArray, sigma: float, config: DetectConfig) -> BandDetections:
    """Footprints and peaks of a significance image (y, x) whose filter has the width ``sigma`` (pixels)."""
    labels, count = ndimage.label(significance > config.threshold, EIGHT)
    large = np.bincount(labels.ravel(), minlength=count + 1) >= config.min_area
    large[0] = False
    detected = large[labels]
    peaks = [p for p in find_peaks(significance, config.threshold) if detected[p.y, p.x]]
    groups = np.array([labels[p.y, p.x] for p in peaks], dtype=np.int64)
    fwhm = sigma * FWHM_PER_SIGMA
    peaks = thin_peaks(peaks, groups, config.min_separation * fwhm)
    footprint = dilate_disc(detected, round(config.grow * sigma))
    return BandDetections(footprint, tuple(peaks), fwhm)
