"""Parents split on their deconvolved image: what overlaps only through the seeing need not be fitted together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..exceptions import InputError
from ..geometry import Box, Footprint
from .deconvolved import detection_significance
from .dilation import dilate_disc
from .pieces import Pieces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..geometry import BoolArray, FloatArray, IntArray, Parent, Peak
    from .config import HierarchyConfig
    from .deconvolved import Deconvolved

__all__ = ["split_parents"]


def split_parents(parents: Sequence[Parent], deconvolved: Deconvolved, config: HierarchyConfig) -> tuple[Parent, ...]:
    """Split parents into blends: pieces of the deconvolved image that do not touch.

    Islands above the threshold, and every peak's pixel, grow by a disc and are cut at the parent's footprint; what is
    connected then (4-connectivity) and holds a peak is a blend.

    Parameters
    ----------
    parents : sequence of Parent
    deconvolved : Deconvolved
        Of the exposure in which the parents were found.
    config : HierarchyConfig

    Returns
    -------
    tuple of Parent
        The same parents with ``detect_image``, and with ``blends`` where there is more than one peak; each peak is in
        exactly one blend, and blends are in the order of their first peaks.

    Raises
    ------
    InputError
        If a peak lies outside its parent's bounding box.
    """
    frame = deconvolved.detect_image.box
    islands = _islands(detection_significance(deconvolved), config)
    y, x = (place - first for place, first in zip(_peak_places(parents), frame.origin, strict=True))
    inside = (y >= 0) & (y < frame.shape[0]) & (x >= 0) & (x < frame.shape[1])
    islands[y[inside], x[inside]] = True
    grown = Footprint(frame, dilate_disc(islands, config.grow_size))
    return tuple(
        replace(
            parent,
            blends=_blends(parent, grown) if len(parent.footprint.peaks) > 1 else (),
            detect_image=deconvolved.detect_image.project(parent.footprint.box),
            detect_sigma=deconvolved.match.sigma,
        )
        for parent in parents
    )


def _peak_places(parents: Sequence[Parent]) -> tuple[IntArray, IntArray]:
    """Pixels (y and x, each (n,)) of all parents' peaks, which must lie in their bounding boxes."""
    places = []
    for parent in parents:
        (top, left), (bottom, right) = parent.footprint.box.origin, parent.footprint.box.stop
        for peak in parent.footprint.peaks:
            if not (top <= peak.y < bottom and left <= peak.x < right):
                raise InputError(f"peak {peak.id} at (y, x) = {peak.y, peak.x} is outside parent {parent.id}")
            places.append((peak.y, peak.x))
    y, x = np.array(places, dtype=np.int64).reshape(-1, 2).T
    return y, x


def _islands(significance: FloatArray, config: HierarchyConfig) -> BoolArray:
    """Pieces (4-connectivity) above the threshold that are large enough."""
    above: BoolArray = significance > config.footprint_snr_thresh
    return Pieces.of(above, corners=False).without_small(config.min_deconvolved_area)


def _blends(parent: Parent, grown: Footprint) -> tuple[Footprint, ...]:
    """Return the connected pieces of ``grown`` within the parent that hold a peak, ordered by their first peaks."""
    from ._label_kernels import pieces_around  # noqa: PLC0415 - loads the compiler

    footprint = parent.footprint
    y0, x0 = footprint.box.origin
    # `grown` may cover a whole patch: only the parent's part of it is looked at.
    member = footprint.mask & grown.on(footprint.box)
    for peak in footprint.peaks:
        member[peak.y - y0, peak.x - x0] = True
    seeds = np.array([(peak.y - y0, peak.x - x0) for peak in footprint.peaks], dtype=np.int64)
    labels, own, bounds = pieces_around(member, seeds)
    peaks: list[list[Peak]] = [[] for _ in bounds]
    for label, peak in zip(own.tolist(), footprint.peaks, strict=True):
        peaks[label - 1].append(peak)
    return tuple(
        Footprint(
            Box.from_bounds(y0 + top, y0 + bottom, x0 + left, x0 + right),
            labels[top:bottom, left:right] == n,
            tuple(peaks[n - 1]),
        )
        for n, (top, bottom, left, right) in enumerate(bounds.tolist(), start=1)
    )
