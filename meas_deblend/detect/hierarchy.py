"""Parents split on their deconvolved image: what overlaps only through the seeing need not be fitted together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ..exceptions import InputError
from ..geometry import Footprint
from .deconvolved import detection_significance
from .dilation import dilate_disc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..geometry import BoolArray, FloatArray, Parent
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
    for parent in parents:
        for peak in parent.footprint.peaks:
            if not parent.footprint.box.contains(peak.y, peak.x):
                raise InputError(f"peak {peak.id} at (y, x) = {peak.y, peak.x} is outside parent {parent.id}")
            if frame.contains(peak.y, peak.x):
                islands[peak.y - frame.origin[0], peak.x - frame.origin[1]] = True
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


def _islands(significance: FloatArray, config: HierarchyConfig) -> BoolArray:
    """Pieces (4-connectivity) above the threshold that are large enough."""
    islands: BoolArray = significance > config.footprint_snr_thresh
    labels, count = ndimage.label(islands)
    islands &= (np.bincount(labels.ravel(), minlength=count + 1) >= config.min_deconvolved_area)[labels]
    return islands


def _blends(parent: Parent, grown: Footprint) -> tuple[Footprint, ...]:
    """Return the connected pieces of ``grown`` within the parent that hold a peak."""
    footprint = parent.footprint
    y0, x0 = footprint.box.origin
    # `grown` may cover a whole patch: only the parent's part of it is looked at.
    member = footprint.mask & grown.on(footprint.box)
    for peak in footprint.peaks:
        member[peak.y - y0, peak.x - x0] = True
    labels = ndimage.label(member)[0]
    order: dict[int, list[int]] = {}
    for k, peak in enumerate(footprint.peaks):
        order.setdefault(int(labels[peak.y - y0, peak.x - x0]), []).append(k)
    return tuple(
        Footprint.from_mask(labels == label, (y0, x0), tuple(footprint.peaks[k] for k in index))
        for label, index in order.items()
    )
