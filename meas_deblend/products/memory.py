"""Models of a run that is still in memory, looked up as those of a file are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .consistency import sorted_parents
from .lookup import object_owners, unknown_object, unknown_parent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..models import ParentModel
    from .metadata import StoreMetadata

__all__ = ["MemoryStore"]


class MemoryStore:
    """Parents in memory.

    Parameters
    ----------
    parents : iterable of ParentModel
        In any order.
    metadata : StoreMetadata
        Bands, coordinates, units and provenance.

    Raises
    ------
    InputError
        If the models do not fit each other or the bands.
    """

    def __init__(self, parents: Iterable[ParentModel], metadata: StoreMetadata) -> None:
        self.metadata = metadata
        self._parents = {parent.id: parent for parent in sorted_parents(parents, metadata)}
        self._owners = object_owners({key: [s.id for s in parent.sources] for key, parent in self._parents.items()})

    def metadata_of(self, parent_id: int) -> StoreMetadata:  # noqa: ARG002  (one patch: the same for all)
        """Metadata of a parent's patch."""
        return self.metadata

    def parent_ids(self) -> tuple[int, ...]:
        """Return the identifiers of all parents, increasing."""
        return tuple(self._parents)

    def object_ids(self) -> tuple[int, ...]:
        """Return the identifiers of all objects, by parent and peak."""
        return tuple(self._owners)

    def owner_of(self, object_id: int) -> int:
        """Return the identifier of the parent that holds an object: for an isolated object its own.

        Raises
        ------
        ModelError
            If there is no such object; the message says what identifiers there are.
        """
        if object_id not in self._owners:
            raise unknown_object(object_id, self)
        return self._owners[object_id]

    def parent(self, parent_id: int) -> ParentModel:
        """Return one parent.

        Raises
        ------
        ModelError
            If there is no such parent.
        """
        if parent_id not in self._parents:
            raise unknown_parent(parent_id, self.parent_ids())
        return self._parents[parent_id]

    def parents(self) -> Iterator[ParentModel]:
        """All parents by increasing identifier."""
        return iter(self._parents.values())
