"""Peaks of all bands together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from .dilation import dilate_disc
from .filtering import contrast_plane
from .noise import combined_significance
from .peaks import find_peaks, prominent_peaks, thin_peaks
from .significance import EIGHT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..geometry import BoolArray, FloatArray, Peak
    from .config import DetectConfig
    from .filtering import FilteredBand

__all__ = ["band_peaks", "joint_peaks"]

RIM = 2
"""Width in pixels of the rim of an unseen region: a maximum within is not surrounded by what is seen."""


def joint_peaks(bands: Sequence[FilteredBand], config: DetectConfig) -> list[Peak]:
    """Find the peaks of all bands together, on what any of them detects.

    A peak is a local maximum of the significance over its surroundings (`local_contrast`), combined over bands
    (`combined_significance`), on the widest disc or on a smaller one: the wide see the faint, the small resolve
    what is close.  A maximum of noise on the wing of a galaxy does not stand out from the wing, and a maximum of noise
    in one band not from the noise of all.

    Where that says nothing, the highest point of the bands' combined signal-to-noise ratio is a peak: in the masked
    core of a star, and in a footprint that has no peak otherwise, like a galaxy of low surface brightness.

    Parameters
    ----------
    bands : sequence of FilteredBand
        At least one, all on one frame.
    config : DetectConfig

    Returns
    -------
    list of Peak
        No two closer than ``config.min_separation`` in one footprint.
    """
    detected: BoolArray = np.logical_or.reduce([band.detected for band in bands])
    if not detected.any():
        return []
    labels, count = ndimage.label(np.logical_or.reduce([band.footprint for band in bands]), EIGHT)
    peaks: list[Peak] = []
    known = np.zeros(detected.shape, dtype=bool)
    # Maxima are judged by their neighbours, and by unseen pixels within the rim of those.
    nearby = dilate_disc(detected, RIM + 2)
    for scale in config.peak_scales:
        contrast, certain = _contrast(bands, scale, nearby, config)
        found = prominent_peaks(find_peaks(contrast, config.peak_threshold), contrast, config.prominence)
        peaks += [p for p in found if detected[p.y, p.x] and certain[p.y, p.x]]
        known |= certain
    has_peak = np.zeros(count + 1, dtype=bool)
    has_peak[[labels[p.y, p.x] for p in peaks]] = True
    everywhere = np.ones(detected.shape, dtype=bool)
    total = combined_significance(((band.significance, everywhere) for band in bands), detected.shape)
    for peak in find_peaks(total, config.threshold):
        label = labels[peak.y, peak.x]
        if detected[peak.y, peak.x] and not (known[peak.y, peak.x] and has_peak[label]):
            peaks.append(peak)
            has_peak[label] = True
    groups = np.array([labels[p.y, p.x] for p in peaks], dtype=np.int64)
    return thin_peaks(peaks, groups, config.min_separation * max(band.pixels.fwhm for band in bands))


def _contrast(
    bands: Sequence[FilteredBand], scale: float, where: BoolArray, config: DetectConfig
) -> tuple[FloatArray, BoolArray]:
    """Significance over the surroundings (y, x) of all bands together ``where``, and where its maxima can be trusted.

    They cannot where no band sees, and on the rim of what one band does not see: what looks like a maximum there may
    be the flank of one that is masked.
    """
    planes = [contrast_plane(band, scale, where, config) for band in bands]
    certain: BoolArray = np.logical_or.reduce([seen for _, seen in planes])
    for _, seen in planes:
        certain &= ~seen | ~dilate_disc(where & ~seen, RIM)
    return combined_significance(planes, certain.shape), certain


def band_peaks(peaks: Sequence[Peak], band: FilteredBand) -> tuple[Peak, ...]:
    """Those of ``peaks`` that a band detects, with its own signal-to-noise ratio; highest first, ties by x then y."""
    own = [replace(p, value=float(band.significance[p.y, p.x])) for p in peaks if band.detected[p.y, p.x]]
    own.sort(key=lambda p: (-p.value, p.x, p.y))
    return tuple(replace(p, id=k) for k, p in enumerate(own))
