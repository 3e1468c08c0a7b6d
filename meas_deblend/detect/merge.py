"""From detections per band to parents: union of footprints, peaks identified between bands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from itertools import compress
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from ..exceptions import InputError
from ..geometry import Box, Footprint, Parent, Peak
from .pieces import Pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from ..geometry import BoolArray, IntArray
    from .band import BandDetections
    from .config import DetectConfig
    from .structure import MergedPeak

__all__ = ["Detections", "merge_detections", "parents_of_mask"]


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Parents of one patch.

    Parameters
    ----------
    parents : tuple of Parent
        In raster order of their first pixels; disjoint, and no two of them touch.
    footprint_bands : mapping of int to tuple of str
        For each parent's id the bands that have a footprint in it, in the exposure's order.
    rejected : tuple of Peak
        Given positions that lie off the image; empty for detected ones.
    merged : tuple of MergedPeak
        Detected peaks that are parts of large sources, and no longer peaks of their parents.
    """

    parents: tuple[Parent, ...]
    footprint_bands: Mapping[int, tuple[str, ...]]
    rejected: tuple[Peak, ...] = ()
    merged: tuple[MergedPeak, ...] = ()


def merge_detections(
    detections: Mapping[str, BandDetections], config: DetectConfig, ids: Callable[[int], int]
) -> Detections:
    """Bring the bands' detections together.

    Footprints are the connected pieces (8-connectivity) of the union over bands.  Peaks are taken highest first,
    whatever their band; each takes in the nearest free peak of every other band within the merge radius and the
    same footprint, so the position comes from the band that knows it best, and two peaks that one band keeps
    apart stay apart.

    Parameters
    ----------
    detections : mapping of str to BandDetections
        By band, in the exposure's order; all on one frame.
    config : DetectConfig
        ``merge_radius`` is read, in units of the broadest PSF.
    ids : callable
        Gives the id of the n-th parent, n = 0, 1, …

    Returns
    -------
    Detections
        Peaks carry the bands that saw them and their best value, highest first, ties by x then y.

    Raises
    ------
    InputError
        If there is no band, or the bands' frames differ.
    """
    pieces = Pieces.of(union_of_footprints(detections))
    radius = config.merge_radius * max(d.fwhm for d in detections.values())
    peaks = _merge_peaks(detections, pieces, radius)
    return _parents_of_pieces(pieces, peaks, {band: d.footprint for band, d in detections.items()}, ids)


def union_of_footprints(detections: Mapping[str, BandDetections]) -> BoolArray:
    """Pixels (y, x) that any band detected.

    Raises
    ------
    InputError
        If there is no band, or the bands' frames differ.
    """
    shapes = {band: d.footprint.shape for band, d in detections.items()}
    if len(set(shapes.values())) != 1:
        raise InputError(f"detections to merge must be of at least one band and on one frame; got shapes {shapes}")
    return reduce(np.logical_or, (d.footprint for d in detections.values()))


def _merge_peaks(detections: Mapping[str, BandDetections], pieces: Pieces, radius: float) -> list[Peak]:
    """Peaks of all bands, identified within ``radius`` (pixels) and one piece; numbered within their pieces."""
    from ._peak_kernels import identified  # noqa: PLC0415 - loads the compiler

    peaks = [peak for found in detections.values() for peak in found.peaks]
    if not peaks:
        return []
    y, x = (np.array([getattr(peak, axis) for peak in peaks], dtype=np.int64) for axis in "yx")
    value = np.array([peak.value for peak in peaks])
    band = np.repeat(np.arange(len(detections)), [len(found.peaks) for found in detections.values()])
    # Ties stay in band order.
    order = np.lexsort((y, x, -value))
    where, labels = np.array([peak.center for peak in peaks])[order], pieces.at(y, x)[order]
    seen = np.zeros((len(peaks), len(detections)), dtype=bool)
    kept = np.flatnonzero(identified(band[order], _neighbours(where, labels, radius), seen))
    number = _places_within(labels[kept]).tolist()
    named = _named(seen[kept], tuple(detections))
    old = (peaks[n] for n in order[kept].tolist())
    return [
        Peak(n, peak.y, peak.x, peak.value, bands, peak.position, peak.name)
        for n, peak, bands in zip(number, old, named, strict=True)
    ]


def _named(seen: BoolArray, bands: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Names of the bands that are true in each row (n, band): equal rows have one tuple."""
    kinds, kind = np.unique(seen, axis=0, return_inverse=True)
    names = [tuple(compress(bands, row)) for row in kinds]
    return [names[n] for n in kind.ravel().tolist()]


def _places_within(labels: IntArray) -> NDArray[np.int64]:
    """How many of some labels (n,) are the same as one and come before it."""
    order = np.argsort(labels, kind="stable")
    first = np.unique(labels[order], return_index=True, return_inverse=True)
    places = np.empty(len(labels), dtype=np.int64)
    places[order] = np.arange(len(labels)) - first[1][first[2].ravel()]
    return places


def _neighbours(
    where: NDArray[np.float64], labels: IntArray, radius: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Points (n, 2) and those behind them within ``radius`` and of one label, by point, nearest first: arrays (m,)."""
    first, second = cKDTree(where).query_pairs(radius, output_type="ndarray").T
    alike = labels[first] == labels[second]
    first, second = first[alike], second[alike]
    distance = np.square(where[first] - where[second]).sum(axis=1)
    order = np.lexsort((second, distance, first))
    return first[order], second[order]


def parents_of_mask(
    mask: BoolArray, peaks: Sequence[Peak], footprints: Mapping[str, BoolArray], ids: Callable[[int], int]
) -> Detections:
    """Parents from the connected pieces (8-connectivity) of ``mask`` that hold a peak.

    Parameters
    ----------
    mask : bool array (y, x)
    peaks : sequence of Peak
        Each on a true pixel of ``mask``; a parent's peaks keep this order and are numbered anew from 0.
    footprints : mapping of str to bool array (y, x)
        By band, to tell which bands have a footprint in which parent.
    ids : callable
        Gives the id of the n-th parent.

    Returns
    -------
    Detections
    """
    return _parents_of_pieces(Pieces.of(mask), peaks, footprints, ids)


def _parents_of_pieces(
    pieces: Pieces, peaks: Sequence[Peak], footprints: Mapping[str, BoolArray], ids: Callable[[int], int]
) -> Detections:
    """Do what `parents_of_mask` does, with the pieces of the mask."""
    y, x = (np.array([getattr(peak, axis) for peak in peaks], dtype=np.int64) for axis in "yx")
    members: dict[int, list[Peak]] = {}
    for label, peak in zip(pieces.at(y, x).tolist(), peaks, strict=True):
        members.setdefault(label, []).append(peak)
    present = {band: pieces.touched(mask).tolist() for band, mask in footprints.items()}
    labels, bounds = pieces.labels(), pieces.bounds.tolist()
    parents, footprint_bands = [], {}
    for n, label in enumerate(sorted(members)):
        top, bottom, left, right = bounds[label - 1]
        mask = labels[top:bottom, left:right] == label
        numbered = tuple(_numbered(peak, k) for k, peak in enumerate(members[label]))
        parent = Parent(ids(n), Footprint(Box.from_bounds(top, bottom, left, right), mask, numbered))
        parents.append(parent)
        footprint_bands[parent.id] = tuple(band for band, has in present.items() if has[label])
    return Detections(tuple(parents), MappingProxyType(footprint_bands))


def _numbered(peak: Peak, number: int) -> Peak:
    """Return a peak with a number, itself if it has it."""
    if peak.id == number:
        return peak
    return Peak(number, peak.y, peak.x, peak.value, peak.bands, peak.position, peak.name)
