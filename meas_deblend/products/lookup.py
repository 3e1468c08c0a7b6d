"""Finding models by identifier, in a file or in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..exceptions import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..models import ParentModel
    from .metadata import StoreMetadata

__all__ = ["ModelSource", "object_owners", "unknown_object", "unknown_parent"]


class ModelSource(Protocol):
    """Where models come from: a file, or the result of a run that is still in memory."""

    @property
    def metadata(self) -> StoreMetadata:
        """Bands, coordinates, units and provenance."""
        ...

    def metadata_of(self, parent_id: int) -> StoreMetadata:
        """Bands, coordinates, units and provenance of a parent's patch."""
        ...

    def parent_ids(self) -> tuple[int, ...]:
        """Return the identifiers of all parents, increasing."""
        ...

    def object_ids(self) -> tuple[int, ...]:
        """Return the identifiers of all objects, by parent and peak."""
        ...

    def owner_of(self, object_id: int) -> int:
        """Return the identifier of the parent that holds an object: for an isolated object its own."""
        ...

    def parent(self, parent_id: int) -> ParentModel:
        """One parent."""
        ...

    def parents(self) -> Iterator[ParentModel]:
        """All parents by increasing identifier."""
        ...


def object_owners(objects: Mapping[int, Sequence[int]]) -> dict[int, int]:
    """Parent of each object, from the objects of each parent."""
    return {object_id: parent_id for parent_id, ids in objects.items() for object_id in ids}


def unknown_object(object_id: int, source: ModelSource) -> ModelError:
    """Error that says what to ask for instead."""
    ids = source.object_ids()
    if object_id in source.parent_ids():
        children = [child for child in ids if source.owner_of(child) == object_id]
        shown = ", ".join(str(child) for child in children[:5]) + (" …" if len(children) > 5 else "")
        return ModelError(
            f"{object_id} is a parent, not an object: it has {len(children)} children ({shown}); "
            f"ask for one of them, or for blend({object_id})"
        )
    return ModelError(f"no object {object_id!r}{_range('object', ids)}")


def unknown_parent(parent_id: int, ids: Sequence[int]) -> ModelError:
    """Error that says which identifiers there are."""
    return ModelError(f"no parent {parent_id!r}{_range('parent', ids)}")


def _range(what: str, ids: Sequence[int]) -> str:
    if not ids:
        return f"; there are no {what}s"
    return f"; there are {len(ids)} {what}s, with identifiers from {min(ids)} to {max(ids)}"
