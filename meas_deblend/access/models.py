"""All models of a patch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..products import MemoryStore, open_models, write_models
from .blend import Blend
from .source import Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..models import ParentModel
    from ..products import ModelSource, StoreMetadata

__all__ = ["Models", "load_models"]


class Models:
    """Models by identifier, from a file or from a run that is still in memory.

    Parameters
    ----------
    store : ModelSource
        Where they come from: `products.ModelStore`, `products.ModelDataset` or `products.MemoryStore`.

    Examples
    --------
    >>> models = load_models("models.parquet")  # doctest: +SKIP
    >>> models.source(models.ids[0]).model(band="r").array  # doctest: +SKIP
    """

    def __init__(self, store: ModelSource) -> None:
        self.store = store

    @classmethod
    def from_parents(cls, parents: Iterable[ParentModel], metadata: StoreMetadata) -> Models:
        """Models in memory.

        Raises
        ------
        InputError
            If they do not fit each other or the bands.
        """
        return cls(MemoryStore(parents, metadata))

    @property
    def metadata(self) -> StoreMetadata:
        """Bands, coordinates, zero points, units and provenance."""
        return self.store.metadata

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands, in the order of cubes."""
        return self.store.metadata.bands

    @property
    def ids(self) -> tuple[int, ...]:
        """Identifiers of all objects."""
        return self.store.object_ids()

    @property
    def parent_ids(self) -> tuple[int, ...]:
        """Identifiers of all parents, those of isolated objects included."""
        return self.store.parent_ids()

    def source(self, object_id: int) -> Source:
        """One object, deblended or isolated.

        Raises
        ------
        ModelError
            If there is no such object; the message says which there are.
        """
        parent_id = self.store.owner_of(int(object_id))
        return Source(int(object_id), self.store.parent(parent_id), self.store.metadata_of(parent_id))

    def blend(self, parent_id: int) -> Blend:
        """One parent with all its objects; for an isolated object its own identifier.

        Raises
        ------
        ModelError
            If there is no such parent; the message says which there are.
        """
        return Blend(self.store.parent(int(parent_id)), self.store.metadata_of(int(parent_id)))

    def blends(self) -> Iterator[Blend]:
        """All parents, one after the other, without holding more than one in memory."""
        return (Blend(parent, self.store.metadata_of(parent.id)) for parent in self.store.parents())

    def write(self, path: str | Path, *, compact: bool = False) -> None:
        """Write all models to a Parquet file, whole or not at all.

        Parameters
        ----------
        path : path
        compact : bool
            Round pixels to a relative error of 2⁻¹¹; see `products.write_models`.
        """
        write_models(Path(path), self.store.parents(), self.metadata, compact=compact)

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"<Models: {len(self)} objects of {len(self.parent_ids)} parents, bands {', '.join(self.bands)}>"


def load_models(path: str | Path) -> Models:
    """Open a model store, or a folder of them as one; each model is read when it is asked for.

    Parameters
    ----------
    path : path
        A file that was written by `Models.write` or a run; or a folder, of which all files ``models.parquet`` and
        ``models-….parquet`` are opened, those in folders beneath included.

    Raises
    ------
    CorruptModelError
        If a file is damaged.
    ModelError
        If the file is missing, of another type, or of a version that this release cannot read.
    InputError
        If stores of a folder do not fit each other.
    """
    return Models(open_models(path))
