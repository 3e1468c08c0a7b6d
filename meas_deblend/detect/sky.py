"""Sky objects: apertures on empty sky, which measure what the background and the noise do to a source."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ..exceptions import InputError
from ..geometry import Footprint, Parent, Peak
from .dilation import dilate_disc

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..geometry import BoolArray
    from ..image import MultibandExposure
    from .merge import Detections

__all__ = ["SKY", "SkyObjectsConfig", "add_sky_objects", "is_sky"]

SKY = "sky"
"""What stands for a band in the peaks of sky objects, so that no other band is said to have seen them."""


class SkyObjectsConfig(BaseModel):
    """How many sky objects are placed, and how; the names are those of Rubin's SkyObjectsTask, in snake_case."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_sources: int = Field(0, ge=0, description="Number of sky objects that are asked for.")
    source_radius: int = Field(8, ge=1, le=200, description="Radius of their footprints in pixels.")
    n_trial_sources: int = Field(
        0,
        ge=0,
        description="Most positions that are tried; if they do not suffice, fewer are placed. 0: 20 for each.",
    )
    seed: int = Field(0, ge=0, description="Of the positions, together with tract and patch.")


def is_sky(parent: Parent) -> bool:
    """Whether a parent is a sky object: none of its peaks was detected or given."""
    peaks = parent.footprint.peaks
    return bool(peaks) and all(SKY in peak.bands for peak in peaks)


def add_sky_objects(
    detections: Detections,
    exposure: MultibandExposure,
    config: SkyObjectsConfig,
    ids: Callable[[int], int],
    patch: tuple[int, ...] = (),
) -> Detections:
    """Place sky objects where no parent is, no pixel is bad in any band, and no other sky object is.

    Parameters
    ----------
    detections : Detections
    exposure : MultibandExposure
        In which they were found.
    config : SkyObjectsConfig
    ids : callable
        Gives the id of the n-th parent; sky objects follow the others.
    patch : tuple of int
        Numbers that, with the seed, decide the positions: the same in every run, and others in every patch.

    Returns
    -------
    Detections
        With more parents: discs with one peak in the middle, which has no value.  Discs neither touch parents nor one
        another, and lie on the image as a whole.

    Raises
    ------
    InputError
        If a band is called "sky": its peaks could not be told from those of sky objects.
    """
    if config.n_sources == 0:
        return detections
    if SKY in exposure.bands:
        raise InputError(f"a band is called {SKY!r}, which is what marks sky objects: rename it, or set n_sources to 0")
    radius = config.source_radius
    # One pixel more, so that footprints do not touch.
    blocked = dilate_disc(_occupied(detections, exposure), radius + 1)
    places = _places(blocked, config, np.random.default_rng((config.seed, *patch)))
    first = len(detections.parents)
    parents = [_parent(ids(first + n), y, x, radius) for n, (y, x) in enumerate(places)]
    return replace(
        detections,
        parents=(*detections.parents, *parents),
        footprint_bands=MappingProxyType({**detections.footprint_bands, **{parent.id: () for parent in parents}}),
    )


def _occupied(detections: Detections, exposure: MultibandExposure) -> BoolArray:
    """Pixels (y, x) of parents, and those that are bad in any band."""
    box, planes = exposure.box, exposure.mask_planes
    occupied = np.zeros(box.shape, dtype=bool)
    for image, variance, mask in zip(exposure.images, exposure.variance, exposure.mask, strict=True):
        occupied |= planes.any_set(mask) | ~np.isfinite(image) | ~(np.isfinite(variance) & (variance > 0))
    for parent in detections.parents:
        here, there = parent.footprint.box.overlap_slices(box)
        occupied[there] |= parent.footprint.mask[here]
    return occupied


def _places(blocked: BoolArray, config: SkyObjectsConfig, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Positions of the objects, in the order in which they were drawn."""
    radius, (height, width) = config.source_radius, blocked.shape
    if min(height, width) < 2 * radius + 1:
        return []
    tries = config.n_trial_sources or 20 * config.n_sources
    places: list[tuple[int, int]] = []
    # All tries are drawn at once, so that they do not depend on what is found there.
    drawn = rng.integers((radius, radius), (height - radius, width - radius), size=(tries, 2))
    for y, x in drawn.tolist():
        near = any((y - v) ** 2 + (x - u) ** 2 <= (2 * radius + 2) ** 2 for v, u in places)
        if not blocked[y, x] and not near:
            places.append((y, x))
            if len(places) == config.n_sources:
                break
    return places


def _parent(identifier: int, y: int, x: int, radius: int) -> Parent:
    offsets = np.arange(-radius, radius + 1)
    disc = offsets[:, None] ** 2 + offsets**2 <= radius**2
    peak = Peak(0, y, x, bands=(SKY,))
    return Parent(identifier, Footprint.from_mask(disc, (y - radius, x - radius), (peak,)))
