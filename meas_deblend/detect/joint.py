"""Peaks of all bands together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from .._each import in_turn
from ..geometry import Box, Peak
from .dilation import dilate_disc
from .filtered_contrast import contrasts_on
from .noise import combined_significance, gaussian_deviation
from .peaks import find_peaks, prominent_peaks, thin_peaks
from .significance import EIGHT
from .tiling import padded, row_strips, tiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from .._each import Each
    from ..geometry import BoolArray
    from .config import DetectConfig
    from .filtering import FilteredBand

__all__ = ["band_peaks", "joint_peaks"]

RIM = 2
"""Width in pixels of the rim of an unseen region: a maximum within is not surrounded by what is seen."""


def joint_peaks(
    bands: Sequence[FilteredBand], squares: NDArray[np.float32], config: DetectConfig, each: Each = in_turn
) -> list[Peak]:
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
    each : callable
        Does tiles one after the other or several at a time.

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
    fallback = _peaks_of_squares(squares, (nearby, detected), len(bands), config)
    peaks: list[Peak] = []
    known = np.zeros(detected.shape, dtype=bool)
    for contrast, certain in _contrasts(bands, nearby, config, each, squares):
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


def _peaks_of_squares(
    squares: NDArray[np.float32], where: tuple[BoolArray, BoolArray], bands: int, config: DetectConfig
) -> list[Peak]:
    """Peaks of the combined signal-to-noise ratio, which takes the place of the ``squares`` that it is made of.

    It is computed where the first of two masks (y, x) is true, and 0 elsewhere; peaks are wanted where the second is.
    """
    nearby, wanted = where
    for rows in row_strips((squares.shape[0], squares.shape[1])):
        part, here = squares[rows], nearby[rows]
        values = gaussian_deviation(np.sqrt(part[here], dtype=np.float64), bands)
        part[:] = 0
        part[here] = values
    return find_peaks(squares, config.threshold, wanted)


@dataclass(frozen=True, slots=True, eq=False)
class _Tiles:
    """Where the contrast of all bands together is computed.

    Parameters
    ----------
    bands : sequence of FilteredBand
    config : DetectConfig
    where : bool array (y, x)
        Pixels that are looked at.
    tiles : tuple of Box
        Those that have such pixels.
    """

    bands: Sequence[FilteredBand]
    config: DetectConfig
    where: BoolArray
    tiles: tuple[Box, ...]


def _contrasts(
    bands: Sequence[FilteredBand],
    where: BoolArray,
    config: DetectConfig,
    each: Each,
    contrast: NDArray[np.float32],
) -> Iterator[tuple[NDArray[np.float32], BoolArray]]:
    """Significance over the surroundings (y, x) of all bands together ``where``, and where its maxima can be trusted.

    They cannot where no band sees, and on the rim of what one band does not see: what looks like a maximum there may
    be the flank of one that is masked.  One pair for each of ``config.peak_scales``; the first of the two takes the
    place of what ``contrast`` held.
    """
    frame = Box((0, 0), bands[0].pixels.shape)
    inside = tuple(tile for tile in tiles(frame.shape, config.tile_size) if where[tile.slices_in(frame)].any())
    found = list(each(_contrast_on_tile, range(len(inside)), _Tiles(bands, config, where, inside)))
    for scale in range(len(config.peak_scales)):
        certain = np.zeros(frame.shape, dtype=bool)
        contrast[:] = 0
        for tile, by_scale in zip(inside, found, strict=True):
            here = tile.slices_in(frame)
            wanted = where[here]
            contrast[here][wanted], certain[here][wanted] = by_scale[scale]
        yield contrast, certain


def _contrast_on_tile(shared: _Tiles, number: int) -> list[tuple[NDArray[np.float32], BoolArray]]:
    """Contrast on the pixels (n,) of a tile that are looked at, and where it can be trusted, by scale."""
    tile = shared.tiles[number]
    wide = tile.grow(RIM)
    wanted = padded(shared.where, wide)
    inner = tile.slices_in(wide)
    here = wanted[inner]
    planes: list[list[tuple[NDArray[np.float32], BoolArray]]] = [[] for _ in shared.config.peak_scales]
    sure = [np.zeros(here.shape, dtype=bool) for _ in planes]
    rims = [np.zeros(here.shape, dtype=bool) for _ in planes]
    for band in shared.bands:
        for scale, (significance, seen) in enumerate(contrasts_on(band.pixels, tile, (wide, wanted), shared.config)):
            planes[scale].append((significance[inner][here] / np.float32(band.noise[scale]), seen[inner][here]))
            sure[scale] |= seen[inner]
            rims[scale] |= seen[inner] & dilate_disc(wanted & ~seen, RIM)[inner]
    return [
        (combined_significance(own, (int(np.count_nonzero(here)),)).astype(np.float32), (found & ~rim)[here])
        for own, found, rim in zip(planes, sure, rims, strict=True)
    ]


def band_peaks(peaks: Sequence[Peak], band: FilteredBand) -> tuple[Peak, ...]:
    """Those of ``peaks`` that a band detects, with its own signal-to-noise ratio; highest first, ties by x then y."""
    y, x = (np.array([getattr(p, axis) for p in peaks], dtype=np.int64) for axis in "yx")
    values, seen = band.significance(y, x)
    index = np.flatnonzero(seen)
    order = index[np.lexsort((y[index], x[index], -values[index]))].tolist()
    heights = values.tolist()
    own = ((peaks[n], heights[n]) for n in order)
    # Thousands in each band: replacing two fields of each takes three times as long as making it anew.
    return tuple(Peak(k, p.y, p.x, height, p.bands, p.position, p.name) for k, (p, height) in enumerate(own))
