"""Peaks of all bands together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from .._each import in_turn
from ..geometry import Box, Peak
from .dilation import dilate_disc
from .filtered_contrast import contrasts_on
from .noise import combined_significance, gaussian_deviation
from .peaks import Maxima, find_maxima, prominent_maxima, thinned
from .pieces import Pieces
from .tiling import padded, row_strips, tiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from .._each import Each
    from ..geometry import BoolArray, IntArray
    from .config import DetectConfig
    from .filtering import FilteredBand

__all__ = ["band_peaks", "joint_peaks"]

RIM = 2
"""Width in pixels of the rim of an unseen region: a maximum within is not surrounded by what is seen."""
SQUARES = -1
"""Number of what is done beside the tiles."""


def joint_peaks(
    bands: Sequence[FilteredBand], squares: NDArray[np.float32], config: DetectConfig, each: Each = in_turn
) -> Maxima:
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
    Maxima
        No two closer than ``config.min_separation`` in one footprint; those of an earlier scale first.
    """
    detected = _any_band(band.detected for band in bands)
    if not detected.any():
        return Maxima.none()
    # Maxima are judged by their neighbours, and by unseen pixels within the rim of those.
    nearby = dilate_disc(detected, RIM + 2)
    frame = Box((0, 0), bands[0].pixels.shape)
    inside = tuple(tile for tile in tiles(frame.shape, config.tile_size) if nearby[tile.slices_in(frame)].any())
    places = (SQUARES, *range(len(inside)))
    fallback, *parts = each(_part, places, _Tiles(bands, config, (nearby, detected), inside, squares))
    kept = []
    known = np.zeros(len(fallback), dtype=bool)
    for contrast, certain in _contrasts(inside, nearby, parts, squares):
        found = find_maxima(contrast, config.peak_threshold)
        kept.append(prominent_maxima(found, contrast, config.prominence, found.on(detected) & found.on(certain)))
        known |= fallback.on(certain)
    found = Maxima.together(kept)
    pieces = Pieces.of(_any_band(band.footprint for band in bands))
    needed = _is_needed(pieces.at(found.y, found.x), pieces.at(fallback.y, fallback.x), known)
    found = Maxima.together([found, fallback.of(needed)])
    radius = config.min_separation * max(band.pixels.fwhm for band in bands)
    return thinned(found, pieces.at(found.y, found.x), radius)


def _is_needed(peaks: IntArray, fallback: IntArray, known: BoolArray) -> BoolArray:
    """Which maxima (n,) take part that do where nothing else is: all but those that are ``known`` to be nothing.

    The first of a footprint that has no peak does in any case.

    Parameters
    ----------
    peaks, fallback : int array (m,), (n,)
        Numbers of the footprints of peaks, and of the maxima, the highest first.
    known : bool array (n,)
    """
    first = np.zeros(len(fallback), dtype=bool)
    first[np.unique(fallback, return_index=True)[1]] = True
    return ~known | (first & ~np.isin(fallback, peaks))


def _any_band(planes: Iterable[BoolArray]) -> BoolArray:
    """Pixels (y, x) that are true in any of the planes, of which one at a time is held."""
    return reduce(np.logical_or, planes)


@dataclass(frozen=True, slots=True, eq=False)
class _Tiles:
    """Where the contrast of all bands together is computed.

    Parameters
    ----------
    bands : sequence of FilteredBand
    config : DetectConfig
    where : tuple of bool array (y, x)
        Pixels that are looked at, and those of them that are detected.
    tiles : tuple of Box
        Those that have such pixels.
    squares : float32 array (y, x)
        See `joint_peaks`.
    """

    bands: Sequence[FilteredBand]
    config: DetectConfig
    where: tuple[BoolArray, BoolArray]
    tiles: tuple[Box, ...]
    squares: NDArray[np.float32]


def _part(shared: _Tiles, number: int) -> Maxima | list[tuple[NDArray[np.float32], BoolArray]]:
    """Do one tile, or what is done beside the tiles."""
    return _maxima_of_squares(shared) if number == SQUARES else _contrast_on_tile(shared, number)


def _maxima_of_squares(shared: _Tiles) -> Maxima:
    """Find detected maxima of the combined signal-to-noise ratio, which takes the place of its squares.

    It is computed where pixels are looked at, and 0 elsewhere.
    """
    squares, (nearby, detected) = shared.squares, shared.where
    for rows in row_strips((squares.shape[0], squares.shape[1])):
        part, here = squares[rows], nearby[rows]
        values = gaussian_deviation(np.sqrt(part[here], dtype=np.float64), len(shared.bands))
        part[:] = 0
        part[here] = values
    return find_maxima(squares, shared.config.threshold, detected)


def _contrasts(
    inside: Sequence[Box],
    where: BoolArray,
    parts: Sequence[Sequence[tuple[NDArray[np.float32], BoolArray]]],
    contrast: NDArray[np.float32],
) -> Iterator[tuple[NDArray[np.float32], BoolArray]]:
    """Significance over the surroundings (y, x) of all bands together, and where its maxima can be trusted.

    They cannot where no band sees, and on the rim of what one band does not see: what looks like a maximum there may
    be the flank of one that is masked.

    Parameters
    ----------
    inside : sequence of Box
        Tiles.
    where : bool array (y, x)
        Pixels that are looked at.
    parts : sequence of sequence of tuple of arrays (n,)
        For each tile and scale (`_contrast_on_tile`).
    contrast : float32 array (y, x)
        Is overwritten, and given with each scale.
    """
    from ._piece_kernels import put_members  # noqa: PLC0415 - loads the compiler

    certain = np.zeros(contrast.shape, dtype=bool)
    # The same pixels are set at each scale, and the others stay as they are.
    contrast[:] = 0
    for scale in zip(*parts, strict=True):
        for tile, (values, sure) in zip(inside, scale, strict=True):
            put_members(where, (tile.origin, tile.stop), values, contrast)
            put_members(where, (tile.origin, tile.stop), sure, certain)
        yield contrast, certain


def _contrast_on_tile(shared: _Tiles, number: int) -> list[tuple[NDArray[np.float32], BoolArray]]:
    """Contrast on the pixels (n,) of a tile that are looked at, and where it can be trusted, by scale."""
    tile = shared.tiles[number]
    wide = tile.grow(RIM)
    wanted = padded(shared.where[0], wide)
    inner = tile.slices_in(wide)
    here = wanted[inner]
    # Places are followed faster than a mask, and they are asked for again and again.
    members = np.flatnonzero(padded(here, Box((-RIM, -RIM), wide.shape)))
    planes: list[list[tuple[NDArray[np.float32], BoolArray]]] = [[] for _ in shared.config.peak_scales]
    sure = [np.zeros(here.shape, dtype=bool) for _ in planes]
    rims = [np.zeros(here.shape, dtype=bool) for _ in planes]
    for band in shared.bands:
        for scale, (significance, seen) in enumerate(contrasts_on(band.pixels, tile, (wide, wanted), shared.config)):
            values = np.take(significance, members) / np.float32(band.noise[scale])
            planes[scale].append((values, np.take(seen, members)))
            sure[scale] |= seen[inner]
            rims[scale] |= seen[inner] & dilate_disc(wanted & ~seen, RIM)[inner]
    return [
        (combined_significance(own, members.shape).astype(np.float32), (found & ~rim)[here])
        for own, found, rim in zip(planes, sure, rims, strict=True)
    ]


def band_peaks(peaks: Maxima, band: FilteredBand) -> tuple[Peak, ...]:
    """Those of ``peaks`` that a band detects, with its own signal-to-noise ratio; highest first, ties by x then y."""
    values, seen = band.significance(peaks.y, peaks.x)
    index = np.flatnonzero(seen)
    order = index[np.lexsort((peaks.y[index], peaks.x[index], -values[index]))]
    own = peaks.of(order)
    rows = zip(own.y.tolist(), own.x.tolist(), values[order].tolist(), own.position.tolist(), strict=True)
    return tuple(Peak(k, y, x, height, position=(v, u)) for k, (y, x, height, (v, u)) in enumerate(rows))
