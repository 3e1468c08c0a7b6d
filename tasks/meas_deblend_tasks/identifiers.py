"""Which identifier goes to whom: parents as they are detected, then blends and children as they are deblended."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meas_deblend.exceptions import InputError
from meas_deblend.products import pack_id, unpack_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meas_deblend.geometry import Parent
    from meas_deblend.models import ParentModel

__all__ = ["object_places", "parent_id", "with_unique_ids"]


def parent_id(tract: int, patch: int, n: int) -> int:
    """Make the identifier of the n-th parent (n = 0, 1, …) of a patch."""
    return pack_id(tract, patch, n + 1)


def object_places(parents: Iterable[Parent]) -> dict[int, tuple[int, int]]:
    """Say which objectId each peak will have: by identifier the index of the parent, and of the peak in it."""
    every = list(enumerate(parents))
    if not every:
        return {}
    ordered = sorted(every, key=lambda item: item[1].id)
    tract, patch, counter = unpack_id(ordered[-1][1].id)
    places = {}
    for k, parent in ordered:
        peaks = len(parent.footprint.peaks)
        if peaks == 1:
            places[parent.id] = (k, 0)
        else:
            places |= {pack_id(tract, patch, counter + n + 1): (k, n) for n in range(peaks)}
            counter += peaks
        counter += peaks  # its blends
    return places


def with_unique_ids(models: Iterable[ParentModel]) -> tuple[ParentModel, ...]:
    """Give blends and sources identifiers that are unique over a survey.

    An isolated source has its parent's identifier. After the last parent the counter goes on parent by parent, in the
    order of their identifiers: one number for each peak of a parent that has several, then one for each of its blends,
    of which there can be as many as peaks. Identifiers so follow from detection alone: neither who was deblended
    first, nor into how many blends a parent was split, nor which parents were left out changes that of any object.

    Raises
    ------
    InputError
        If a parent has more blends than peaks.
    """
    parents = tuple(models)
    if not parents:
        return ()
    ordered = sorted(parents, key=lambda parent: parent.id)
    tract, patch, counter = unpack_id(ordered[-1].id)
    renamed = {}
    for parent in ordered:
        peaks = parent.footprint.peaks
        if len(parent.blends) > len(peaks):
            raise InputError(f"parent {parent.id} has {len(parent.blends)} blends for {len(peaks)} peaks: one is empty")
        children = {peaks[0].id: parent.id} if len(peaks) == 1 else {}
        for peak in peaks if not children else ():
            counter += 1
            children[peak.id] = pack_id(tract, patch, counter)
        blends = (
            replace(
                blend,
                id=pack_id(tract, patch, counter + k),
                sources=tuple(replace(source, id=children[source.peak.id]) for source in blend.sources),
            )
            for k, blend in enumerate(parent.blends, start=1)
        )
        renamed[parent.id] = replace(parent, blends=tuple(blends))
        counter += len(peaks)
    return tuple(renamed[parent.id] for parent in parents)
