"""Writing a model store: rows of PSFs, then rows of parents, in row groups of a size that one look-up can afford."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from .._atomic import atomic_write
from ._index import INDEX_KEY, index_text
from ._records import PSF
from ._store_schema import STORE_TYPE, STORE_VERSION, store_fields
from .versions import header

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ._records import Record
    from .metadata import StoreMetadata

__all__ = ["write_records"]

# A row group is what must be read and decompressed to get at one parent; each takes 7 kB of the footer, which is read
# when a store is opened. See doc/decisions/model-store.md.
_GROUP_ROWS = 48
_GROUP_BYTES = 256 << 10

_DENSE = (".support", ".values")
"""Columns that are most of the bytes: zstd makes them smaller. Each column takes 20 µs to start it, so the rest are LZ4."""


def write_records(
    path: Path,
    metadata: StoreMetadata,
    objects: Mapping[int, Sequence[int]],
    n_psfs: int,
    records: Iterable[Record],
) -> None:
    """Write rows as they come, holding one row group in memory; the file appears whole or not at all.

    Parameters
    ----------
    path : Path
    metadata : StoreMetadata
    objects : mapping of int to sequence of int
        Objects of each parent, in the order of the rows.
    n_psfs : int
        Number of rows of PSFs, which come first.
    records : iterable of mapping
        Rows (`_records.psf_record`, `_records.parent_record`).
    """
    about = {**header(STORE_TYPE, STORE_VERSION, **metadata.to_dict()), INDEX_KEY: index_text(objects, n_psfs)}
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
        for group in _grouped(records):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))


def _leaves(kind: pa.DataType, path: str) -> Iterator[str]:
    """Paths of the columns that Parquet makes of a nested column."""
    if pa.types.is_struct(kind):
        for field in kind:
            yield from _leaves(field.type, f"{path}.{field.name}")
    elif pa.types.is_list(kind):
        yield from _leaves(kind.value_type, f"{path}.list.element")
    else:
        yield path


def _grouped(records: Iterable[Record]) -> Iterator[list[Record]]:
    group: list[Record] = []
    size = 0
    for record in records:
        # PSFs and parents have no group in common, as they are read apart.
        if group and (
            len(group) >= _GROUP_ROWS or size >= _GROUP_BYTES or (record["kind"] == PSF) != (group[-1]["kind"] == PSF)
        ):
            yield group
            group, size = [], 0
        group.append(record)
        size += _pixel_bytes(record)
    if group:
        yield group


def _pixel_bytes(record: Record) -> int:
    if record["kind"] == PSF:
        return len(record["array"]["values"])
    sources = (source for blend in record["blends"] for source in blend["sources"])
    pixels = (component["pixels"] for source in sources for component in source["components"])
    return sum(len(one["values"]) for one in pixels if one is not None)
