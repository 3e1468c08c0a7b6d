"""Mask planes on the pixels of blends that are not what was asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from meas_deblend.deblenders import blend_footprints
from meas_deblend.geometry import Footprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from meas_deblend.geometry import Parent
    from meas_deblend.image import MultibandExposure
    from meas_deblend.models import BlendModel, ParentModel

__all__ = ["degraded_blends", "mark", "undeblended_blends"]


def mark(coadds: MultibandExposure, regions: Mapping[str | None, Sequence[Footprint]]) -> MultibandExposure:
    """Return an exposure with mask planes on some pixels, in all bands, and on no others.

    Parameters
    ----------
    coadds : MultibandExposure
        Where it has such a plane already, that is what an earlier run said.
    regions : mapping of str or None to sequence of Footprint
        By the name of the plane; None: they are not marked.
    """
    named = {plane: footprints for plane, footprints in regions.items() if plane is not None}
    if not named:
        return coadds
    planes = coadds.mask_planes
    for plane in named:
        planes = planes.with_plane(plane)
    if not any(named.values()) and not any(plane in coadds.mask_planes.bits for plane in named):
        # Nothing is to be marked, and nothing was: the pixels need no copy.
        return replace(coadds, mask_planes=planes)
    highest = max(planes.bits[plane] for plane in named)
    mask = coadds.mask.astype(coadds.mask.dtype if highest < 8 * coadds.mask.itemsize - 1 else np.int64)
    for plane, footprints in named.items():
        value = mask.dtype.type(planes.value([plane]))
        mask &= ~value
        for footprint in footprints:
            inside = footprint.box & coadds.box
            mask[(slice(None), *inside.slices_in(coadds.box))] |= value * footprint.on(inside)
    return replace(coadds, mask=mask, mask_planes=planes)


def degraded_blends(parents: Sequence[Parent], models: Sequence[ParentModel]) -> list[Footprint]:
    """Pixels of the blends in which a source is not on the rung that was asked for, though some have a model."""
    return list(_pixels_of_blends(parents, models, _is_degraded))


def undeblended_blends(parents: Sequence[Parent], models: Sequence[ParentModel]) -> list[Footprint]:
    """Pixels of the blends none of whose sources has a model."""
    return list(_pixels_of_blends(parents, models, lambda blend: not _has_model(blend)))


def _has_model(blend: BlendModel) -> bool:
    return any(source.components for source in blend.sources)


def _is_degraded(blend: BlendModel) -> bool:
    return _has_model(blend) and any(source.reason not in {"", "split"} for source in blend.sources)


def _pixels_of_blends(
    parents: Sequence[Parent], models: Sequence[ParentModel], chosen: Callable[[BlendModel], bool]
) -> Iterator[Footprint]:
    """Pixels of some of the fitted blends: those of the deconvolved one, within the box of the part that was fitted."""
    for parent, model in zip(parents, models, strict=True):
        blends = [blend for blend in model.blends if blend.sources and chosen(blend)]
        if not blends:
            continue
        held = {peak.id: footprint for footprint in blend_footprints(parent) for peak in footprint.peaks}
        for blend in blends:
            yield held[blend.sources[0].peak.id] & Footprint.from_box(blend.box)
