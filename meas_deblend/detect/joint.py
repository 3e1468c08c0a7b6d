"""Peaks of all bands together."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ..geometry import Box
from .dilation import dilate_disc
from .filtered_contrast import contrast_noise, contrast_on, stencils_on
from .noise import combined_significance, gaussian_deviation
from .peaks import find_peaks, prominent_peaks, thin_peaks
from .significance import EIGHT
from .tiling import padded, row_strips, tiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from ..geometry import BoolArray, Peak
    from .config import DetectConfig
    from .contrast import ContrastStencils
    from .filtering import FilteredBand

__all__ = ["band_peaks", "joint_peaks"]

RIM = 2
"""Width in pixels of the rim of an unseen region: a maximum within is not surrounded by what is seen."""


def joint_peaks(bands: Sequence[FilteredBand], squares: NDArray[np.float32], config: DetectConfig) -> list[Peak]:
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
    squares : float32 array (y, x)
        Sum over bands of the squares of positive significances; it is overwritten.
    config : DetectConfig

    Returns
    -------
    list of Peak
        No two closer than ``config.min_separation`` in one footprint.
    """
    detected = _any_band(band.detected for band in bands)
    if not detected.any():
        return []
    # Maxima are judged by their neighbours, and by unseen pixels within the rim of those.
    nearby = dilate_disc(detected, RIM + 2)
    fallback = [p for p in _peaks_of_squares(squares, nearby, len(bands), config) if detected[p.y, p.x]]
    peaks: list[Peak] = []
    known = np.zeros(detected.shape, dtype=bool)
    for scale in config.peak_scales:
        contrast, certain = _contrast(bands, scale, nearby, config, squares)
        found = prominent_peaks(find_peaks(contrast, config.peak_threshold), contrast, config.prominence)
        peaks += [p for p in found if detected[p.y, p.x] and certain[p.y, p.x]]
        known |= certain
    labels, count = ndimage.label(_any_band(band.footprint for band in bands), EIGHT)
    has_peak = np.zeros(count + 1, dtype=bool)
    has_peak[[labels[p.y, p.x] for p in peaks]] = True
    for peak in fallback:
        label = labels[peak.y, peak.x]
        if not (known[peak.y, peak.x] and has_peak[label]):
            peaks.append(peak)
            has_peak[label] = True
    groups = np.array([labels[p.y, p.x] for p in peaks], dtype=np.int64)
    return thin_peaks(peaks, groups, config.min_separation * max(band.pixels.fwhm for band in bands))


def _any_band(planes: Iterable[BoolArray]) -> BoolArray:
    """Pixels (y, x) that are true in any of the planes, of which one at a time is held."""
    return reduce(np.logical_or, planes)


def _peaks_of_squares(squares: NDArray[np.float32], nearby: BoolArray, bands: int, config: DetectConfig) -> list[Peak]:
    """Peaks of the combined signal-to-noise ratio, which takes the place of the ``squares`` that it is made of."""
    for rows in row_strips((squares.shape[0], squares.shape[1])):
        part, here = squares[rows], nearby[rows]
        values = gaussian_deviation(np.sqrt(part[here], dtype=np.float64), bands)
        part[:] = 0
        part[here] = values
    return find_peaks(squares, config.threshold)


def _contrast(
    bands: Sequence[FilteredBand], scale: float, where: BoolArray, config: DetectConfig, contrast: NDArray[np.float32]
) -> tuple[NDArray[np.float32], BoolArray]:
    """Significance over the surroundings (y, x) of all bands together ``where``, and where its maxima can be trusted.

    They cannot where no band sees, and on the rim of what one band does not see: what looks like a maximum there may
    be the flank of one that is masked.  The first of the two takes the place of what ``contrast`` held.
    """
    frame = Box((0, 0), bands[0].pixels.shape)
    noise = [contrast_noise(band, scale, config) for band in bands]
    certain = np.zeros(frame.shape, dtype=bool)
    contrast[:] = 0
    made: dict[int, ContrastStencils] = {}
    for tile in tiles(frame.shape, config.tile_size):
        here = tile.slices_in(frame)
        if not where[here].any():
            continue
        wide = tile.grow(RIM)
        wanted = padded(where, wide)
        planes = []
        for k, (band, ratio) in enumerate(zip(bands, noise, strict=True)):
            made[k] = stencils_on(band.pixels, tile, scale, wide.shape, made.get(k))
            significance, seen = contrast_on(band.pixels, made[k], (wide, wanted), config)
            planes.append((significance / np.float32(ratio), seen))
        sure: BoolArray = np.logical_or.reduce([seen for _, seen in planes])
        for _, seen in planes:
            sure &= ~seen | ~dilate_disc(wanted & ~seen, RIM)
        inner = tile.slices_in(wide)
        contrast[here] = combined_significance(planes, wide.shape)[inner]
        certain[here] = sure[inner]
    return contrast, certain


def band_peaks(peaks: Sequence[Peak], band: FilteredBand) -> tuple[Peak, ...]:
    """Those of ``peaks`` that a band detects, with its own signal-to-noise ratio; highest first, ties by x then y."""
    y, x = (np.array([getattr(p, axis) for p in peaks], dtype=np.int64) for axis in "yx")
    values, seen = band.significance(y, x)
    own = [replace(p, value=float(v)) for p, v, detected in zip(peaks, values, seen, strict=True) if detected]
    own.sort(key=lambda p: (-p.value, p.x, p.y))
    return tuple(replace(p, id=k) for k, p in enumerate(own))
