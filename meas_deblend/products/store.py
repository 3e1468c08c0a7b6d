"""The model store: one Parquet file with all models of a patch, any one of which can be read alone.

Each parent is one row; rows are sorted by id. The PSFs come first, as rows of their own that parents refer to. Plain
pyarrow reads the file: pixels are bytes beside their type and shape.
"""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from .._atomic import atomic_write
from ..exceptions import ModelError
from ._migrations import READABLE_STORES, migrated
from ._records import PARENT, PSF, parent_from_record, parent_record, psf_planes, read_array
from ._store_schema import STORE_TYPE, STORE_VERSION, store_fields
from .consistency import sorted_parents
from .lookup import object_owners, unknown_object, unknown_parent
from .metadata import StoreMetadata
from .versions import check_header, header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from ..models import ParentModel
    from ._records import Record

__all__ = ["ModelStore", "write_models"]

# A row group is what must be read and decompressed to get at one parent.
_GROUP_ROWS = 256
_GROUP_BYTES = 2 << 20
_CACHED_GROUPS = 8
_CACHED_PSFS = 64

_DAMAGE = (pa.ArrowException, OSError, ValueError, KeyError, TypeError)


def write_models(path: Path, parents: Iterable[ParentModel], metadata: StoreMetadata) -> None:
    """Write a model store, whole or not at all.

    Parameters
    ----------
    path : Path
        File to write, usually ``models.parquet``.
    parents : iterable of ParentModel
        In any order; they are written by increasing id, so the same models make the same file.
    metadata : StoreMetadata
        Bands, coordinates, units, provenance.

    Raises
    ------
    InputError
        If the models do not fit each other or the bands (`sorted_parents`).
    """
    ordered = sorted_parents(parents, metadata)
    about = header(STORE_TYPE, STORE_VERSION, **metadata.to_dict())
    schema = pa.schema(store_fields(), metadata=about)
    with (
        atomic_write(Path(path), "wb") as stream,
        pq.ParquetWriter(
            stream,
            schema,
            compression="zstd",
            use_dictionary=["kind", "deblender", "outcome", "reason"],
            write_statistics=["kind", "id"],
            write_page_checksum=True,
        ) as writer,
    ):
        for records in (_psf_records(ordered), map(parent_record, ordered)):
            for group in _grouped(records):
                writer.write_table(pa.Table.from_pylist(group, schema=schema))


def _psf_records(parents: Iterable[ParentModel]) -> Iterator[Record]:
    # In the order of their first use, so that the PSFs of neighbouring rows lie together.
    seen: set[str] = set()
    for parent in parents:
        for key, array in psf_planes(parent)[2].items():
            if key not in seen:
                seen.add(key)
                yield {"kind": PSF, "id": 0, "key": key, "array": array}


def _grouped(records: Iterable[Record]) -> Iterator[list[Record]]:
    group: list[Record] = []
    size = 0
    for record in records:
        group.append(record)
        size += _pixel_bytes(record)
        if len(group) >= _GROUP_ROWS or size >= _GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _pixel_bytes(record: Record) -> int:
    if record["kind"] == PSF:
        return len(record["array"]["data"])
    sources = (source for blend in record["blends"] for source in blend["sources"])
    return sum(len(component["pixels"]["data"]) for source in sources for component in source["components"])


class _Place(NamedTuple):
    group: int
    row: int


class _Index(NamedTuple):
    """Where each row is: parents and PSFs by id and key, parents by the id of an object."""

    parents: Mapping[int, _Place]
    psfs: Mapping[str, _Place]
    owners: Mapping[int, int]


class ModelStore:
    """A model store that is open for reading.

    Only the identifiers are read when it is opened; each model when it is asked for, from older versions too.

    Parameters
    ----------
    path : Path
        File that `write_models` wrote.

    Raises
    ------
    ModelError
        If the file is missing, damaged, of another type, or of a version that this release cannot read.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise ModelError(f"there is no model store at {self.path}")
        try:
            file = pq.ParquetFile(self.path, page_checksum_verification=True)
            about = check_header(file.schema_arrow.metadata, STORE_TYPE, READABLE_STORES, str(self.path))
            version: str = about["version"]
            if not file.schema_arrow.equals(pa.schema(store_fields(version))):
                raise ModelError(f"{self.path} is damaged: its columns are not those of version {version}")
            index = _read_index(file)
        except _DAMAGE as error:
            raise ModelError(f"{self.path} is damaged or is not a Parquet file: {error}") from error
        self.metadata = StoreMetadata.from_dict(about, str(self.path))
        self._index = index
        self._version = version
        # The file stays open, so that a store that is written anew beneath does not change what this one reads.
        self._group: Callable[[int], pa.Table] = lru_cache(_CACHED_GROUPS)(partial(_read_group, file))
        self._psf: Callable[[str], NDArray[Any]] = lru_cache(_CACHED_PSFS)(self._read_psf)

    @classmethod
    def open(cls, path: Path) -> ModelStore:
        """Open a file, as the constructor does."""
        return cls(path)

    def parent_ids(self) -> tuple[int, ...]:
        """Return the identifiers of all parents, increasing."""
        return tuple(self._index.parents)

    def object_ids(self) -> tuple[int, ...]:
        """Return the identifiers of all objects, by parent and peak."""
        return tuple(self._index.owners)

    def owner_of(self, object_id: int) -> int:
        """Return the identifier of the parent whose row holds an object: for an isolated object its own.

        Raises
        ------
        ModelError
            If there is no such object; the message says what identifiers there are.
        """
        if object_id not in self._index.owners:
            raise unknown_object(object_id, self)
        return self._index.owners[object_id]

    def parent(self, parent_id: int) -> ParentModel:
        """Read one parent and no other row group than its own and those of its PSFs.

        Raises
        ------
        ModelError
            If there is no such parent, or its record is damaged.
        """
        if parent_id not in self._index.parents:
            raise unknown_parent(parent_id, self.parent_ids())
        try:
            record = migrated(self._row(self._index.parents[parent_id]), self._version)
            keys = {*record["psfs"], *([] if record["model_psf"] is None else [record["model_psf"]])}
            return parent_from_record(record, {key: self._psf(key) for key in keys})
        except (ModelError, *_DAMAGE) as error:
            raise ModelError(f"{self.path} is damaged at parent {parent_id}: {error}") from error

    def parents(self) -> Iterator[ParentModel]:
        """Read all parents, one after the other."""
        return (self.parent(parent_id) for parent_id in self._index.parents)

    def _read_psf(self, key: str) -> NDArray[Any]:
        return read_array(self._row(self._index.psfs[key])["array"])

    def _row(self, place: _Place) -> Record:
        rows: list[Record] = self._group(place.group).slice(place.row, 1).to_pylist()
        return rows[0]


def _read_group(file: pq.ParquetFile, group: int) -> pa.Table:
    return file.read_row_group(group)


def _read_index(file: pq.ParquetFile) -> _Index:
    parents: dict[int, _Place] = {}
    psfs: dict[str, _Place] = {}
    objects: dict[int, list[int]] = {}
    for group in range(file.num_row_groups):
        rows = file.read_row_group(group, columns=["kind", "id", "key", "object_ids"]).to_pylist()
        for number, row in enumerate(rows):
            if row["kind"] == PARENT:
                parents[row["id"]] = _Place(group, number)
                objects[row["id"]] = row["object_ids"]
            else:
                psfs[row["key"]] = _Place(group, number)
    return _Index(parents, psfs, object_owners(objects))
