"""Which identifier goes to whom: parents as they are detected, then blends and children as they are deblended."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meas_deblend.exceptions import InputError
from meas_deblend.products import pack_id, unpack_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meas_deblend.geometry import Parent
    from meas_deblend.models import BlendModel, ParentModel

__all__ = ["first_counters", "object_places", "parent_id", "with_ids", "with_unique_ids"]


def parent_id(tract: int, patch: int, n: int) -> int:
    """Make the identifier of the n-th parent (n = 0, 1, …) of a patch."""
    return pack_id(tract, patch, n + 1)


def object_places(parents: Iterable[Parent]) -> dict[int, tuple[int, int]]:
    """Say which objectId each peak will have: by identifier the index of the parent, and of the peak in it."""
    every = tuple(parents)
    counters = first_counters(every)
    places = {}
    for k, parent in enumerate(every):
        tract, patch, _ = unpack_id(parent.id)
        peaks = len(parent.footprint.peaks)
        if peaks == 1:
            places[parent.id] = (k, 0)
        else:
            places |= {pack_id(tract, patch, counters[parent.id] + n + 1): (k, n) for n in range(peaks)}
    return places


def first_counters(parents: Iterable[Parent | ParentModel]) -> dict[int, int]:
    """Say where the counter of a patch stands before each parent, by the parent's identifier.

    After the last parent the counter goes on parent by parent, in the order of their identifiers: one number for each
    peak of a parent that has several, then one for each of its blends, of which there can be as many as peaks.
    """
    ordered = sorted(parents, key=lambda parent: parent.id)
    if not ordered:
        return {}
    counter = unpack_id(ordered[-1].id).counter
    found = {}
    for parent in ordered:
        found[parent.id] = counter
        peaks = len(parent.footprint.peaks)
        counter += peaks if peaks == 1 else 2 * peaks
    return found


def with_unique_ids(models: Iterable[ParentModel]) -> tuple[ParentModel, ...]:
    """Give blends and sources identifiers that are unique over a survey; models that have them stay as they are.

    Identifiers follow from detection alone: neither who was deblended first, nor into how many blends a parent was
    split, nor which parents were left out changes that of any object.

    Raises
    ------
    InputError
        If a parent has more blends than peaks.
    """
    parents = tuple(models)
    counters = first_counters(parents)
    return tuple(with_ids(parent, counters[parent.id]) for parent in parents)


def with_ids(parent: ParentModel, counter: int) -> ParentModel:
    """Give the blends and sources of a parent their identifiers; an isolated source has its parent's.

    Parameters
    ----------
    parent : ParentModel
        Returned as it is if it has them.
    counter : int
        Where the counter of the patch stands before it, see `first_counters`.

    Raises
    ------
    InputError
        If it has more blends than peaks.
    """
    peaks = parent.footprint.peaks
    if len(parent.blends) > len(peaks):
        raise InputError(f"parent {parent.id} has {len(parent.blends)} blends for {len(peaks)} peaks: one is empty")
    tract, patch, _ = unpack_id(parent.id)
    children = {peaks[0].id: parent.id} if len(peaks) == 1 else {}
    for peak in peaks if not children else ():
        counter += 1
        children[peak.id] = pack_id(tract, patch, counter)
    wanted = [pack_id(tract, patch, counter + k) for k in range(1, len(parent.blends) + 1)]
    if all(_has_ids(blend, one, children) for blend, one in zip(parent.blends, wanted, strict=True)):
        return parent
    blends = (
        replace(blend, id=one, sources=tuple(replace(source, id=children[source.peak.id]) for source in blend.sources))
        for blend, one in zip(parent.blends, wanted, strict=True)
    )
    return replace(parent, blends=tuple(blends))


def _has_ids(blend: BlendModel, identifier: int, children: Mapping[int, int]) -> bool:
    return blend.id == identifier and all(source.id == children[source.peak.id] for source in blend.sources)
