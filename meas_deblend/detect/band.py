"""Detection in one band, or in several together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .band_pixels import BandPixels
from .filtering import filter_band
from .joint import band_peaks, joint_peaks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from ..geometry import BoolArray, FloatArray, Peak
    from .config import DetectConfig

__all__ = ["BandDetections", "detect_band", "detect_together"]


@dataclass(frozen=True, slots=True, eq=False)
class BandDetections:
    """What was found in one band.

    Parameters
    ----------
    footprint : bool array (y, x)
        Detected pixels, grown; the image's frame, origin (0, 0).
    peaks : tuple of Peak
        Highest first, ties by x then y; ``value`` is the signal-to-noise ratio of a point source there, with whatever
        light of neighbours lies on it.
    fwhm : float
        Of the filter, pixels.
    """

    footprint: BoolArray
    peaks: tuple[Peak, ...]
    fwhm: float


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
    return detect_together([BandPixels.prepare(image, variance, bad, psf_stamp, config)], config)[0]


def detect_together(bands: Sequence[BandPixels], config: DetectConfig) -> list[BandDetections]:
    """Find the sources of several bands: footprints in each of them, peaks in all of them together (`joint_peaks`).

    Parameters
    ----------
    bands : sequence of BandPixels
        At least one, all on one frame.
    config : DetectConfig

    Returns
    -------
    list of BandDetections
        One per band.  A peak has the same position in all bands that detect its pixel.
    """
    shape = bands[0].shape
    # Of each band's significance only this sum of squares outlives the band.
    total = np.zeros(shape, dtype=np.float32)
    filtered = []
    for pixels in bands:
        band, significance = filter_band(pixels, config)
        filtered.append(band)
        np.maximum(significance, 0, out=significance)
        total += np.square(significance, out=significance)
        del significance
    peaks = joint_peaks(filtered, total, config)
    return [BandDetections(band.footprint, band_peaks(peaks, band), band.pixels.fwhm) for band in filtered]
