"""Small skies on which deblenders are tried: a blend of three, and what goes wrong with images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Footprint, Parent, Peak
from ..image import GaussianPsf, MaskPlanes, MultibandExposure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Case", "blend_of_three", "empty_cases", "missing_psf_cases", "reordered", "unusable_cases"]

_SHAPE = (41, 45)
_BANDS = ("g", "r", "i")
_FWHM = (3.5, 4.0, 4.6)
_SOURCES = ((20, 15, (1500.0, 900.0, 600.0)), (20, 23, (500.0, 900.0, 1400.0)), (26, 31, (700.0, 700.0, 700.0)))
"""Peak (y, x), and total flux per band, in units of a pixel's noise."""


@dataclass(frozen=True, slots=True)
class Case:
    """What a deblender is called with.

    Parameters
    ----------
    what : str
        The case in words, for messages.
    exposure : MultibandExposure
    parent : Parent
    """

    what: str
    exposure: MultibandExposure
    parent: Parent


def blend_of_three(seed: int = 1) -> Case:
    """Return three point sources of different colours, two of them 8 pixels apart, with noise of 1 per pixel."""
    psfs = tuple(GaussianPsf(width) for width in _FWHM)
    images = np.random.default_rng(seed).normal(size=(len(_BANDS), *_SHAPE))
    for y, x, fluxes in _SOURCES:
        for band, (psf, flux) in enumerate(zip(psfs, fluxes, strict=True)):
            _add(images[band], flux * psf.image(y, x).stamp, (y, x))
    exposure = MultibandExposure(
        _BANDS,
        images.astype(np.float32),
        np.ones(images.shape, dtype=np.float32),
        np.zeros(images.shape, dtype=np.int32),
        psfs,
        MaskPlanes({"BAD": 0}, ("BAD",)),
    )
    peaks = tuple(Peak(k, y, x, max(fluxes) / 20) for k, (y, x, fluxes) in enumerate(_SOURCES))
    return Case("a blend of three sources", exposure, Parent(7, Footprint.from_box(exposure.box.grow(-2), peaks)))


def reordered(case: Case, order: Sequence[int]) -> Case:
    """Return the case with its peaks in another order; each keeps its identifier."""
    peaks = tuple(case.parent.footprint.peaks[k] for k in order)
    return replace(case, parent=replace(case.parent, footprint=case.parent.footprint.with_peaks(peaks)))


def unusable_cases(case: Case) -> tuple[Case, ...]:
    """Return the case with unusable pixels: some, those of a peak, a band, all."""
    rng = np.random.default_rng(5)
    images, variance = case.exposure.images.copy(), case.exposure.variance.copy()
    images[rng.random(images.shape) < 0.04] = np.nan
    images[0, 10, 10] = np.inf
    variance[rng.random(images.shape) < 0.04] = 0
    variance[1, 12, 12] = np.nan
    some = replace(case.exposure, images=images, variance=variance)
    y, x = _SOURCES[0][:2]
    mask = case.exposure.mask.copy()
    mask[:, y - 2 : y + 3, x - 2 : x + 3] = 1
    core = replace(case.exposure, mask=mask, images=np.where(mask == 1, np.float32(1e30), case.exposure.images))
    band = case.exposure.images.copy()
    band[0] = np.nan
    every = np.full_like(band, np.nan)
    return (
        replace(case, what="NaN, infinite values and variances of 0 here and there", exposure=some),
        replace(case, what="a masked core with values of 1e30", exposure=core),
        replace(case, what="a band of NaN", exposure=replace(case.exposure, images=band)),
        replace(case, what="nothing but NaN", exposure=replace(case.exposure, images=every)),
    )


def missing_psf_cases(case: Case) -> tuple[Case, ...]:
    """Return the case without the PSF of a band, and without any."""
    some, none = (None, *case.exposure.psfs[1:]), (None,) * len(_BANDS)
    return (
        replace(case, what="a band without a PSF", exposure=replace(case.exposure, psfs=some)),
        replace(case, what="no band with a PSF", exposure=replace(case.exposure, psfs=none)),
    )


def empty_cases(case: Case) -> tuple[Case, ...]:
    """Return the case without peaks, with a footprint of one pixel, with an image of zeros, and at the border."""
    footprint = case.parent.footprint
    peak = footprint.peaks[0]
    mask = np.zeros(case.exposure.box.shape, dtype=bool)
    mask[peak.y, peak.x] = True
    corner = (Peak(0, 0, 0, 5.0), replace(peak, id=1))
    parents = {
        "a parent without peaks": footprint.with_peaks(()),
        "a footprint of one pixel": Footprint.from_mask(mask, peaks=(replace(peak, id=0),)),
        "a peak in the corner of the image": Footprint.from_box(case.exposure.box, corner),
    }
    blank = replace(case.exposure, images=np.zeros_like(case.exposure.images))
    return (
        *(replace(case, what=what, parent=Parent(8, given)) for what, given in parents.items()),
        replace(case, what="an image of zeros", exposure=blank),
    )


def _add(image: NDArray[np.float64], stamp: NDArray[np.float64], place: tuple[int, int]) -> None:
    """Add a stamp around a pixel, in place, as far as it is on the image."""
    half = [side // 2 for side in stamp.shape]
    low = [max(p - h, 0) for p, h in zip(place, half, strict=True)]
    high = [min(p + h + 1, n) for p, h, n in zip(place, half, image.shape, strict=True)]
    cut = tuple(slice(lo - p + h, hi - p + h) for lo, hi, p, h in zip(low, high, place, half, strict=True))
    image[low[0] : high[0], low[1] : high[1]] += stamp[cut]
