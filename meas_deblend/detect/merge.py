"""From detections per band to parents: union of footprints, peaks identified between bands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ..exceptions import InputError
from ..geometry import Box, Footprint, Parent, Peak
from .significance import EIGHT

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
    mask = union_of_footprints(detections)
    labelled = ndimage.label(mask, EIGHT)
    radius = config.merge_radius * max(d.fwhm for d in detections.values())
    peaks = _merge_peaks(detections, labelled[0], radius)
    return _parents_of_labels(labelled, peaks, {band: d.footprint for band, d in detections.items()}, ids)


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


def _merge_peaks(detections: Mapping[str, BandDetections], labels: IntArray, radius: float) -> list[Peak]:
    """Peaks of all bands, identified within ``radius`` (pixels) and one label of ``labels`` (y, x)."""
    pairs = [(band, peak) for band, found in detections.items() for peak in found.peaks]
    if not pairs:
        return []
    y, x, value = (np.array([getattr(peak, name) for _, peak in pairs]) for name in ("y", "x", "value"))
    # Ties stay in band order.
    order = np.lexsort((y, x, -value))
    pairs = [pairs[n] for n in order.tolist()]
    near = _neighbours(np.array([peak.center for _, peak in pairs]), labels[y[order], x[order]], radius)
    free = [True] * len(pairs)
    merged = []
    for k, (band, peak) in enumerate(pairs):
        if not free[k]:
            continue
        seen = {band}
        for j in near.get(k, ()):
            if free[j] and pairs[j][0] not in seen:
                seen.add(pairs[j][0])
                free[j] = False
        bands = tuple(b for b in detections if b in seen)
        merged.append(Peak(peak.id, peak.y, peak.x, peak.value, bands, peak.position, peak.name))
    return merged


def _neighbours(where: NDArray[np.float64], labels: IntArray, radius: float) -> dict[int, list[int]]:
    """For the points (n, 2) that have any, the points behind them within ``radius`` and of one label, nearest first."""
    first, second = cKDTree(where).query_pairs(radius, output_type="ndarray").T
    alike = labels[first] == labels[second]
    first, second = first[alike], second[alike]
    distance = np.square(where[first] - where[second]).sum(axis=1)
    order = np.lexsort((second, distance, first))
    near: dict[int, list[int]] = {}
    for k, j in zip(first[order].tolist(), second[order].tolist(), strict=True):
        near.setdefault(k, []).append(j)
    return near


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
    return _parents_of_labels(ndimage.label(mask, EIGHT), peaks, footprints, ids)


def _parents_of_labels(
    labelled: tuple[IntArray, int],
    peaks: Sequence[Peak],
    footprints: Mapping[str, BoolArray],
    ids: Callable[[int], int],
) -> Detections:
    """Do what `parents_of_mask` does, with the labels (y, x) of its pieces and how many they are."""
    labels, count = labelled
    members: dict[int, list[Peak]] = {}
    for peak in peaks:
        members.setdefault(int(labels[peak.y, peak.x]), []).append(peak)
    present = {band: _labels_within(labels, m, count) for band, m in footprints.items()}
    slices = ndimage.find_objects(labels)
    parents, footprint_bands = [], {}
    for n, label in enumerate(sorted(members)):
        rows, columns = slices[label - 1]
        numbered = tuple(
            Peak(k, peak.y, peak.x, peak.value, peak.bands, peak.position, peak.name)
            for k, peak in enumerate(members[label])
        )
        box = Box.from_bounds(rows.start, rows.stop, columns.start, columns.stop)
        parent = Parent(ids(n), Footprint(box, labels[rows, columns] == label, numbered))
        parents.append(parent)
        footprint_bands[parent.id] = tuple(band for band, has in present.items() if has[label])
    return Detections(tuple(parents), MappingProxyType(footprint_bands))


def _labels_within(labels: IntArray, mask: BoolArray, count: int) -> BoolArray:
    """Which labels (count + 1,) some pixel of a mask (y, x) has."""
    from ._label_kernels import mark_labels  # noqa: PLC0415 - loads the compiler

    present = np.zeros(count + 1, dtype=bool)
    mark_labels(labels, mask, present)
    return present
