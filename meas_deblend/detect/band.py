"""Detection in one band, or in several together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .._each import Each, in_turn
from .band_pixels import BandPixels, with_depth
from .filtered_contrast import contrast_noise
from .filtering import FilteredBand, filter_band
from .joint import band_peaks, joint_peaks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

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


def detect_together(bands: Sequence[BandPixels], config: DetectConfig, each: Each = in_turn) -> list[BandDetections]:
    """Find the sources of several bands: footprints in each of them, peaks in all of them together (`joint_peaks`).

    Parameters
    ----------
    bands : sequence of BandPixels
        At least one, all on one frame.
    config : DetectConfig
    each : callable
        Does bands, and tiles, one after the other or several at a time.

    Returns
    -------
    list of BandDetections
        One per band.  A peak has the same position in all bands that detect its pixel.
    """
    shape = bands[0].shape
    # Of each band's significance only this sum of squares outlives the band.
    total = np.zeros(shape, dtype=np.float32)
    filtered = []
    found = each(_filtered, range(len(bands)), (bands, config))
    for pixels, (depth, band, squares) in zip(bands, found, strict=True):
        # Pixels do not come back with what was found on them.
        filtered.append(replace(band, pixels=replace(pixels, depth=depth)))
        total += squares
        del squares
    peaks = joint_peaks(filtered, total, config, each)
    return [BandDetections(band.footprint, band_peaks(peaks, band), band.pixels.fwhm) for band in filtered]


def _filtered(
    shared: tuple[Sequence[BandPixels], DetectConfig], k: int
) -> tuple[float, FilteredBand, NDArray[np.float32]]:
    """Depth of band number ``k``, what is detected in it, apart from its pixels, and squares of its significance."""
    bands, config = shared
    pixels = with_depth(bands[k])
    band, significance = filter_band(pixels, config)
    np.maximum(significance, 0, out=significance)
    noise = tuple(contrast_noise(band, config))
    found = replace(band, pixels=pixels.without_planes(), noise=noise)
    return pixels.depth, found, np.square(significance, out=significance)
