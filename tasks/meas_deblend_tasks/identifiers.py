"""Which identifier goes to whom: parents as they are detected, then blends and children as they are deblended."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meas_deblend.products import pack_id, unpack_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meas_deblend.models import ParentModel

__all__ = ["parent_id", "with_unique_ids"]


def parent_id(tract: int, patch: int, n: int) -> int:
    """Make the identifier of the n-th parent (n = 0, 1, …) of a patch."""
    return pack_id(tract, patch, n + 1)


def with_unique_ids(models: Iterable[ParentModel]) -> tuple[ParentModel, ...]:
    """Give blends and sources identifiers that are unique over a survey.

    An isolated source has its parent's; blends and the children of a parent continue the counter after the last
    parent, in the order of the parents' identifiers, so that the result does not depend on who was deblended first.
    """
    parents = tuple(models)
    if not parents:
        return ()
    ordered = sorted(parents, key=lambda parent: parent.id)
    tract, patch, counter = unpack_id(ordered[-1].id)
    renamed = {}
    for parent in ordered:
        isolated = len(parent.footprint.peaks) == 1
        blends = []
        for blend in parent.blends:
            counter += 1
            blend_id = pack_id(tract, patch, counter)
            sources = []
            for source in blend.sources:
                counter += 0 if isolated else 1
                sources.append(replace(source, id=parent.id if isolated else pack_id(tract, patch, counter)))
            blends.append(replace(blend, id=blend_id, sources=tuple(sources)))
        renamed[parent.id] = replace(parent, blends=tuple(blends))
    return tuple(renamed[parent.id] for parent in parents)
