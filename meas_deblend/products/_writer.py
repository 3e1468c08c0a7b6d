"""Writing a model store: parents as they come, in row groups of a size that one look-up can afford.

Each group of parents follows those of their PSFs that no earlier group had.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from .._atomic import atomic_write
from ._index import INDEX_KEY, index_text
from ._records import parent_record, psf_planes, psf_record
from ._store_schema import STORE_TYPE, STORE_VERSION, store_fields
from .versions import header

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..models import ParentModel
    from ._records import Record
    from .metadata import StoreMetadata

__all__ = ["write_parents"]

# A row group is what must be read and decompressed to get at one parent; each takes 6 kB of the footer, which is read
# when a store is opened. See doc/decisions/model-store.md.
_GROUP_ROWS = 96
_GROUP_BYTES = 512 << 10

_DENSE = (".support", ".values")
"""Columns that are most of the bytes: zstd makes them smaller, but takes 20 µs to start for each. The rest are LZ4."""


def write_parents(path: Path, metadata: StoreMetadata, parents: Iterable[ParentModel], compact: bool = False) -> None:
    """Write parents as they come, holding one row group in memory; the file appears whole or not at all.

    Parameters
    ----------
    path : Path
    metadata : StoreMetadata
    parents : iterable of ParentModel
        By increasing id, checked (`consistency`).
    compact : bool
        Round the pixels of components.
    """
    about = header(STORE_TYPE, STORE_VERSION, **metadata.to_dict())
    schema = pa.schema(store_fields(), metadata=about)
    with (
        atomic_write(Path(path), "wb") as stream,
        pq.ParquetWriter(
            stream,
            schema,
            compression={
                path: "zstd" if path.endswith(_DENSE) else "lz4"
                for field in schema
                for path in _leaves(field.type, field.name)
            },
            use_dictionary=["kind", "deblender", "outcome", "reason"],
            write_statistics=["kind", "id"],
            write_page_checksum=True,
        ) as writer,
    ):
        rows = _Rows(writer, compact)
        for parent in parents:
            rows.add(parent)
        rows.flush()
        # In the footer, so that it may be known last.
        writer.add_key_value_metadata({INDEX_KEY: index_text(rows.objects, rows.psfs)})


class _Rows:
    """Rows that wait for their group to be full, and what the index says of those that were written."""

    def __init__(self, writer: pq.ParquetWriter, compact: bool) -> None:
        self.objects: dict[int, list[int]] = {}
        self.psfs: list[tuple[int, int]] = []
        self._writer, self._compact = writer, compact
        self._keys: set[str] = set()
        self._new_psfs: list[Record] = []
        self._parents: list[Record] = []
        self._size = self._written = 0

    def add(self, parent: ParentModel) -> None:
        """Take a parent."""
        if len(self._parents) >= _GROUP_ROWS or self._size >= _GROUP_BYTES:
            self.flush()
        planes = psf_planes(parent)
        for key, array in planes[2].items():
            if key not in self._keys:
                self._keys.add(key)
                self._new_psfs.append(psf_record(key, array))
        record = parent_record(parent, planes, self._compact)
        self._parents.append(record)
        self._size += _pixel_bytes(record)
        self.objects[record["id"]] = record["object_ids"]

    def flush(self) -> None:
        """Write what waits: PSFs and parents have no group in common, as they are read apart."""
        if self._new_psfs:
            self.psfs.append((self._written, len(self._new_psfs)))
        for group in (*_psf_groups(self._new_psfs), self._parents):
            if group:
                self._writer.write_table(pa.Table.from_pylist(group, schema=self._writer.schema))
                self._written += len(group)
        self._new_psfs, self._parents, self._size = [], [], 0


def _psf_groups(records: list[Record]) -> Iterator[list[Record]]:
    group: list[Record] = []
    size = 0
    for record in records:
        if len(group) >= _GROUP_ROWS or size >= _GROUP_BYTES:
            yield group
            group, size = [], 0
        group.append(record)
        size += len(record["array"]["values"])
    yield group


def _leaves(kind: pa.DataType, path: str) -> Iterator[str]:
    """Paths of the columns that Parquet makes of a nested column."""
    if pa.types.is_struct(kind):
        for field in kind:
            yield from _leaves(field.type, f"{path}.{field.name}")
    elif pa.types.is_list(kind):
        yield from _leaves(kind.value_type, f"{path}.list.element")
    else:
        yield path


def _pixel_bytes(record: Record) -> int:
    sources = (source for blend in record["blends"] for source in blend["sources"])
    pixels = (component["pixels"] for source in sources for component in source["components"])
    return sum(len(one["values"]) for one in pixels if one is not None)
