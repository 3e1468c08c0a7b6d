"""A band, filtered: the significance of a point source at each pixel, and what is detected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from .contrast import local_contrast
from .dilation import dilate_disc
from .noise import noise_ratio
from .significance import EIGHT, fill_masked_cores, matched_filter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray, FloatArray
    from .band_pixels import BandPixels
    from .config import DetectConfig

__all__ = ["FilteredBand", "contrast_plane", "filter_band"]

MAX_SAMPLE = 10_000
"""Pixels that the scatter of the noise is measured on, to better than 2 %."""


@dataclass(frozen=True, slots=True, eq=False)
class FilteredBand:
    """A band after the matched filter.

    Parameters
    ----------
    pixels : BandPixels
    significance : float32 array (y, x)
        Signal-to-noise ratio of a point source; masked cores of sources are filled, other unseen pixels are 0.
    detected : bool array (y, x)
        Connected pieces above the threshold that are large enough.
    footprint : bool array (y, x)
        These, grown by ``config.grow``.
    """

    pixels: BandPixels
    significance: NDArray[np.float32]
    detected: BoolArray
    footprint: BoolArray


def filter_band(pixels: BandPixels, config: DetectConfig) -> FilteredBand:
    """Filter a band with its PSF and find what is above the threshold.

    With ``config.calibrate_noise`` the scatter away from what is detected at first gives the unit of significance.
    """
    weights = np.zeros(pixels.image.shape)
    weights[pixels.usable] = 1 / pixels.variance[pixels.usable].astype(np.float64)
    significance, seen = matched_filter(pixels.image, weights, pixels.kernel, config.min_coverage)
    if config.calibrate_noise:
        sample, independent = _free_sample(_filtered(pixels, significance, seen, config))
        significance = significance / noise_ratio(significance[sample & seen], independent)
    return _filtered(pixels, significance, seen, config)


def _filtered(pixels: BandPixels, significance: FloatArray, seen: BoolArray, config: DetectConfig) -> FilteredBand:
    """Fill masked cores and keep what is above the threshold and large enough."""
    filled = fill_masked_cores(significance, seen, config.threshold)
    labels, count = ndimage.label(filled > config.threshold, EIGHT)
    large = np.bincount(labels.ravel(), minlength=count + 1) >= config.min_area
    large[0] = False
    detected = large[labels]
    footprint = dilate_disc(detected, round(config.grow * pixels.sigma))
    return FilteredBand(pixels, filled.astype(np.float32), detected, footprint)


def _free_sample(band: FilteredBand) -> tuple[BoolArray, float]:
    """Pixels (y, x) away from what is detected, evenly spread, and how many independent values they hold."""
    free = np.flatnonzero(band.pixels.usable & ~band.footprint)
    sample = np.zeros(band.detected.shape, dtype=bool)
    chosen = free[:: max(-(-free.size // MAX_SAMPLE), 1)]
    sample.ravel()[chosen] = True
    # A filter that is a Gaussian of σ leaves one independent value in 4 π σ² pixels.
    return sample, min(chosen.size, free.size / max(4 * np.pi * band.pixels.sigma**2, 1.0))


def contrast_plane(
    band: FilteredBand, scale: float, where: BoolArray, config: DetectConfig
) -> tuple[FloatArray, BoolArray]:
    """Significance (y, x) of a point source over its surroundings, in a disc of ``scale`` FWHM, and where it is known.

    The relative roughness ``config.roughness`` of what is bright adds to the variance: PSFs are not known, and galaxies
    are not smooth, to the precision of the photon noise of a bright source.

    Only the pixels ``where`` are looked at, and what it takes to calibrate the noise.
    """
    pixels = band.pixels
    rough = config.roughness * np.where(pixels.usable, np.maximum(pixels.image, 0.0), 0.0)
    variance = np.where(pixels.usable, pixels.variance, 0.0) + rough.astype(np.float64) ** 2
    if not config.calibrate_noise:
        return local_contrast(pixels, variance, scale * pixels.fwhm, where)
    sample, independent = _free_sample(band)
    significance, seen = local_contrast(pixels, variance, scale * pixels.fwhm, where | sample)
    return significance / noise_ratio(significance[sample & seen], independent), seen
