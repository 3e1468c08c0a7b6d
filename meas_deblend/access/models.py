"""All models of a patch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..products import MemoryStore, open_models, write_models
from ..products.rubin import is_rubin_file, read_rubin_models
from .blend import Blend
from .segmentation import segmentation_of
from .source import Source
from .stamps import StampOptions, make_stamps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..image import MultibandExposure
    from ..models import ParentModel
    from ..products import ModelSource, StoreMetadata
    from .segmentation import Segmentation
    from .stamp import Stamp

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

    def stamps(
        self,
        coadds: MultibandExposure,
        neighbours: str = "subtracted",
        ids: Iterable[int] | None = None,
        **options: Any,
    ) -> Iterator[Stamp]:
        """Cut out every object with its neighbours gone, one after the other, in bounded memory.

        Parameters
        ----------
        coadds : MultibandExposure
            What the models were made from; may hold more bands.
        neighbours : {"subtracted", "noise-filled"}
            "subtracted": the coadd less the neighbours' models as seen. "noise-filled": the object's share ρ of each
            pixel and √(1 − ρ²) of noise, on pixels of others noise alone, and the coadd where nothing was detected.
            In both, noise is as large as ``variance`` says.
        ids : iterable of int, optional
            Objects, in that order; default: all.
        **options
            ``size``, ``margin``, ``noise_correlation``, ``seed``: see `access.StampOptions`.

        Returns
        -------
        iterator of Stamp
            Each with ``image``, ``variance``, ``mask``, ``noise``, ``model`` (band, y, x), ``psf`` and ``wcs``.

        Raises
        ------
        ModelError
            If there is no such object, or the coadds are not those of the models.
        InputError
            If an option is out of range.
        """
        return make_stamps(self.store, coadds, StampOptions(neighbours, **options), ids)

    def segmentation(self) -> Segmentation:
        """Which object each pixel of the coadds belongs to; ``to_photutils()`` makes a `SegmentationImage` of it.

        Raises
        ------
        ModelError
            If a footprint leaves the coadds.
        """
        return segmentation_of(self.store)

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
        A file that was written by `Models.write` or a run; a folder, of which all files ``models.parquet`` and
        ``models-….parquet`` are opened, those in folders beneath included; or a file of Rubin's pipelines (see
        `products.rubin.read_rubin_models`), which is read whole.

    Raises
    ------
    CorruptModelError
        If a file is damaged.
    ModelError
        If the file is missing, of another type, or of a version that this release cannot read.
    InputError
        If stores of a folder do not fit each other.
    """
    if Path(path).is_file() and is_rubin_file(Path(path)):
        return Models(MemoryStore(*read_rubin_models(Path(path))))
    return Models(open_models(path))
