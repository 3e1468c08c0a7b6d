"""A folder of model stores, one per patch, read as one."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exceptions import InputError, ModelError
from .lookup import unknown_object, unknown_parent
from .store import ModelStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..models import ParentModel
    from .metadata import StoreMetadata

__all__ = ["ModelDataset", "open_models"]

_NEUTRAL: dict[str, Any] = {"shape": (0, 0), "wcs": "", "provenance": {}}


class ModelDataset:
    """All model stores beneath a folder, looked up as one.

    Parameters
    ----------
    folder : Path
        Files named ``models.parquet``, or ``models-….parquet``, in it or in folders beneath are opened; of each only
        the footer is read.

    Raises
    ------
    InputError
        If an identifier is in two stores, or the stores differ in bands or units; the message names the files.
    CorruptModelError
        If a store is damaged.
    ModelError
        If there is no such folder, no store in it, or one that cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.path = Path(folder)
        if not self.path.is_dir():
            raise ModelError(f"there is no folder {self.path}")
        paths = sorted({*self.path.rglob("models.parquet"), *self.path.rglob("models-*.parquet")})
        if not paths:
            raise ModelError(f"there is no models.parquet in {self.path} or in the folders beneath")
        self.stores = tuple(ModelStore(path) for path in paths)
        self._parents: dict[int, ModelStore] = {}
        self._objects: dict[int, ModelStore] = {}
        for store in self.stores:
            self._add(store)
        self.metadata = _common(self.stores)

    def metadata_of(self, parent_id: int) -> StoreMetadata:
        """Metadata of a parent's patch: its own coordinates and shape.

        Raises
        ------
        ModelError
            If there is no such parent.
        """
        return self._store_of(parent_id).metadata

    def parent_ids(self) -> tuple[int, ...]:
        """Return the identifiers of all parents, increasing."""
        return tuple(sorted(self._parents))

    def object_ids(self) -> tuple[int, ...]:
        """Return the identifiers of all objects, by file, parent and peak."""
        return tuple(self._objects)

    def owner_of(self, object_id: int) -> int:
        """Return the identifier of the parent that holds an object: for an isolated object its own.

        Raises
        ------
        ModelError
            If there is no such object; the message says what identifiers there are.
        """
        if object_id not in self._objects:
            raise unknown_object(object_id, self)
        return self._objects[object_id].owner_of(object_id)

    def parent(self, parent_id: int) -> ParentModel:
        """Read one parent; see `ModelStore.parent`.

        Raises
        ------
        CorruptModelError
            If its record is damaged.
        ModelError
            If there is no such parent.
        """
        return self._store_of(parent_id).parent(parent_id)

    def parents(self) -> Iterator[ParentModel]:
        """Read all parents, file by file, by increasing id in each."""
        return (parent for store in self.stores for parent in store.parents())

    def _store_of(self, parent_id: int) -> ModelStore:
        if parent_id not in self._parents:
            raise unknown_parent(parent_id, self.parent_ids())
        return self._parents[parent_id]

    def _add(self, store: ModelStore) -> None:
        for ids, place in ((store.parent_ids(), self._parents), (store.object_ids(), self._objects)):
            for identifier in ids:
                # A parent of one store may not be an object of another either.
                other = self._parents.get(identifier) or self._objects.get(identifier)
                if other is not None and other is not store:
                    raise InputError(
                        f"the identifier {identifier} is in {other.path} and in {store.path}: identifiers must be "
                        "unique over a folder of stores"
                    )
                place[identifier] = store


def open_models(path: Path | str) -> ModelStore | ModelDataset:
    """Open a file as a `ModelStore`, a folder as a `ModelDataset`."""
    place = Path(path)
    return ModelDataset(place) if place.is_dir() else ModelStore(place)


def _common(stores: tuple[ModelStore, ...]) -> StoreMetadata:
    """Keep what is true of all stores; what differs from patch to patch is left open."""
    first = stores[0]
    changes: dict[str, Any] = {"pixel_error": max(store.metadata.pixel_error for store in stores)}
    for store in stores[1:]:
        for name in (field.name for field in fields(first.metadata)):
            mine, other = getattr(first.metadata, name), getattr(store.metadata, name)
            if mine == other or name == "pixel_error":
                continue
            if name == "zeropoints":
                known = changes.get(name, mine)
                changes[name] = tuple(a if a == b else None for a, b in zip(known, other, strict=True))
            elif name in _NEUTRAL:
                changes[name] = _NEUTRAL[name]
            else:
                raise InputError(f"{store.path} does not fit {first.path}: {name} is {other!r}, not {mine!r}")
    return replace(first.metadata, **changes)
