"""Which neighbour's light lies on an object, and how much of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..apportion import render_templates
from .render import source_box

if TYPE_CHECKING:
    from ..geometry import FloatArray, Image
    from ..models import ParentModel

__all__ = ["neighbour_overlaps"]


def neighbour_overlaps(parent: ParentModel, object_id: int) -> dict[int, float]:
    """Part of the models' light at an object that is each neighbour's.

    Σ m n / Σ m T, summed over pixels and bands, with the object's model m, the neighbour's n and the sum T of the
    models of all of the parent's objects, all as they are seen in each band.  With the object's own part, Σ m² / Σ m T,
    the parts add up to 1.

    Parameters
    ----------
    parent : ParentModel
    object_id : int
        One of its sources.

    Returns
    -------
    dict of int to float
        By identifier of the neighbour, the largest part first; those that share no light are left out.
    """
    near = _only_near(parent, object_id)
    templates = dict(zip((source.id for source in near.sources), _seen(near), strict=True))
    mine = templates.pop(object_id)
    shared = {number: _product(mine, other) for number, other in templates.items()}
    total = float((_clipped(mine.array) ** 2).sum()) + sum(shared.values())
    parts = {number: value / total for number, value in shared.items() if value > 0}
    return dict(sorted(parts.items(), key=lambda item: (-item[1], item[0])))


def _only_near(parent: ParentModel, object_id: int) -> ParentModel:
    """Parent with the sources alone that may reach the object: convolution widens boxes by less than a PSF stamp."""
    reach = (parent.psfs.shape[1], parent.psfs.shape[2])
    boxes = {source.id: source_box(source) for source in parent.sources}
    around = boxes[object_id].grow(reach).grow(reach)
    kept = {number for number, box in boxes.items() if number == object_id or not (box & around).is_empty}
    blends = (
        replace(blend, sources=tuple(source for source in blend.sources if source.id in kept))
        for blend in parent.blends
    )
    peaks = {source.peak.id for source in parent.sources if source.id in kept}
    footprint = parent.footprint.with_peaks(tuple(peak for peak in parent.footprint.peaks if peak.id in peaks))
    return replace(parent, footprint=footprint, blends=tuple(blend for blend in blends if blend.sources))


def _seen(parent: ParentModel) -> tuple[Image, ...]:
    frame = parent.footprint.box
    for source in parent.sources:
        frame |= source_box(source)
    return render_templates(parent, frame.grow((parent.psfs.shape[1], parent.psfs.shape[2])))


def _product(one: Image, other: Image) -> float:
    here, there = one.box.overlap_slices(other.box)
    return float((_clipped(one.array[(slice(None), *here)]) * _clipped(other.array[(slice(None), *there)])).sum())


def _clipped(array: FloatArray) -> FloatArray:
    """Template as it is when pixels are shared: kernels that ring leave values below 0."""
    return np.maximum(array, 0.0).astype(np.float64)
