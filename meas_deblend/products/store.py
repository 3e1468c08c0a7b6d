"""The model store: one Parquet file with all models of a patch, any one of which can be read alone.

Each parent is one row; rows are sorted by id. The PSFs come first, as rows of their own that parents refer to. Plain
pyarrow reads the file; doc/how-to/read-without-us.md holds a reader of sixty lines.
"""

from __future__ import annotations

import heapq
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..exceptions import CorruptModelError, InputError, ModelError
from ._arrays import COMPACT_ERROR, read_pixels
from ._cache import SizedCache
from ._footer import Footer, footer_metadata, read_footer
from ._guard import check_group
from ._index import INDEX_KEY, read_index, scanned_index
from ._migrations import READABLE_STORES, migrated_psf
from ._records import PSF
from ._rows import DAMAGE, ParentRows
from ._store_schema import STORE_TYPE, store_fields
from ._writer import write_parents
from .consistency import checked_parents
from .lookup import unknown_object, unknown_parent
from .metadata import StoreMetadata
from .versions import check_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from ..models import ParentModel
    from ._index import StoreIndex

__all__ = ["ModelStore", "write_models"]

_PSF_ONLY = ("kind", "key", "array")
_CACHED_BYTES = 32 << 20
_CACHED_PSF_GROUPS = 8
_CACHED_PSFS = 64


def write_models(path: Path, parents: Iterable[ParentModel], metadata: StoreMetadata, *, compact: bool = False) -> None:
    """Write a model store, whole or not at all.

    Parameters
    ----------
    path : Path
        File to write, usually ``models.parquet``.
    parents : iterable of ParentModel
        In any order; they are written by increasing id, so the same models make the same file. What comes by
        increasing id is written as it comes, in bounded memory; what comes late is held until the end.
    metadata : StoreMetadata
        Bands, coordinates, units, provenance.
    compact : bool
        False: every bit is kept. True: pixels of components are rounded to 11 significant bits, a relative error of
        at most 2⁻¹¹ per pixel, which is noted in the store (`StoreMetadata.pixel_error`); spectra, PSFs and
        parameters stay exact.

    Raises
    ------
    InputError
        If the models do not fit each other or the bands (`consistency.checked_parents`).
    """
    path = Path(path)
    if compact:
        metadata = replace(metadata, pixel_error=max(metadata.pixel_error, COMPACT_ERROR))
    path.parent.mkdir(parents=True, exist_ok=True)
    late: list[ParentModel] = []
    with TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        part = Path(folder) / "part"
        write_parents(part, metadata, checked_parents(_increasing(parents, late), metadata), compact)
        if late:
            # What came in order is read again, so that only the others are held.
            late.sort(key=_identifier)
            every = heapq.merge(ModelStore(part).parents(), late, key=_identifier)
            write_parents(path, metadata, checked_parents(every, metadata), compact)
        else:
            part.replace(path)


def _increasing(parents: Iterable[ParentModel], late: list[ParentModel]) -> Iterator[ParentModel]:
    """Pass on what comes by increasing identifier, and keep the rest in a list."""
    last = None
    for parent in parents:
        if last is None or parent.id > last:
            last = parent.id
            yield parent
        else:
            late.append(parent)


def _identifier(parent: ParentModel) -> int:
    return parent.id


class ModelStore:
    """A model store that is open for reading.

    Opening reads the footer of the file only; each model is read when it is asked for, from older versions too.

    Parameters
    ----------
    path : Path
        File that `write_models` wrote.

    Raises
    ------
    CorruptModelError
        If the file is damaged.
    ModelError
        If the file is missing, of another type, or of a version that this release cannot read.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise ModelError(f"there is no model store at {self.path}")
        try:
            # The file stays open, so that a store that is written anew beneath does not change what this one reads.
            self._stream = pa.OSFile(str(self.path))
            self._footer = read_footer(self._stream)
            # Reading ahead starts threads, which takes longer than to read a row group from a file.
            self._file = pq.ParquetFile(
                self._stream, metadata=footer_metadata(self._footer), page_checksum_verification=True, pre_buffer=False
            )
            about = check_header(self._file.schema_arrow.metadata, STORE_TYPE, READABLE_STORES, str(self.path))
            self._version: str = about["version"]
            self._check_columns()
            self._index = self._read_index()
        except DAMAGE as error:
            raise CorruptModelError(f"{self.path} is damaged or is not a Parquet file: {error}") from error
        except CorruptModelError as error:
            raise CorruptModelError(f"{self.path} is damaged or is not a Parquet file: {error}") from error
        self.metadata = StoreMetadata.from_dict(about, str(self.path))
        self._checked: set[int] = set()
        self._rows = SizedCache(self._read_parents, _CACHED_BYTES)
        self._psf: Callable[[str], NDArray[Any]] = lru_cache(_CACHED_PSFS)(self._read_psf)
        self._psfs: Callable[[tuple[str, ...]], NDArray[Any]] = lru_cache(_CACHED_PSFS)(self._stack_psfs)
        self._psf_group = lru_cache(_CACHED_PSF_GROUPS)(lambda group: self._read_group(group, ("array",))["array"])
        self._places: Mapping[str, tuple[int, int]] | None = None

    @classmethod
    def open(cls, path: Path) -> ModelStore:
        """Open a file, as the constructor does."""
        return cls(path)

    def metadata_of(self, parent_id: int) -> StoreMetadata:  # noqa: ARG002  (one patch: the same for all)
        """Metadata of a parent's patch."""
        return self.metadata

    def parent_ids(self) -> tuple[int, ...]:
        """Return the identifiers of all parents, increasing."""
        return tuple(self._index.parents.tolist())

    def object_ids(self) -> tuple[int, ...]:
        """Return the identifiers of all objects, by parent and peak."""
        return tuple(self._index.objects.tolist())

    def owner_of(self, object_id: int) -> int:
        """Return the identifier of the parent whose row holds an object: for an isolated object its own.

        Raises
        ------
        ModelError
            If there is no such object; the message says what identifiers there are.
        """
        owner = self._index.owner(object_id)
        if owner is None:
            raise unknown_object(object_id, self)
        return owner

    def parent(self, parent_id: int) -> ParentModel:
        """Read one parent and no other row group than its own and those of its PSFs.

        The arrays of its PSFs are shared with other parents, and cannot be written to.

        Raises
        ------
        CorruptModelError
            If its record is damaged.
        ModelError
            If there is no such parent.
        """
        row = self._index.row_of_parent(parent_id)
        if row is None:
            raise unknown_parent(parent_id, self.parent_ids())
        with self._naming(parent_id):
            group, number = self._index.place(row)
            return _of_id(self._rows(group).parent(number), parent_id)

    def parents(self) -> Iterator[ParentModel]:
        """Read all parents, one after the other; one row group at a time is held in memory.

        Raises
        ------
        CorruptModelError
            When a record is reached that is damaged.
        """
        for group, ids, numbers in self._index.groups():
            with self._naming(ids[0]):
                rows = self._read_parents(group)
                together = rows.together(ids, numbers)
            if together is not None:
                yield from together
                continue
            for parent_id, number in zip(ids, numbers, strict=True):
                with self._naming(parent_id):
                    parent = _of_id(rows.parent(number), parent_id)
                yield parent

    def psf_keys(self) -> tuple[str, ...]:
        """Return the keys of all PSFs, in the order of their rows."""
        return tuple(self._psf_places())

    def psf(self, key: str) -> NDArray[Any]:
        """Read the PSF (y, x) of a key; it cannot be written to.

        Raises
        ------
        CorruptModelError
            If there is none, or it is damaged.
        """
        try:
            return self._psf(key)
        except (CorruptModelError, *DAMAGE) as error:
            raise CorruptModelError(f"{self.path} is damaged at the PSF {key!r}: {error!r}") from error

    @contextmanager
    def _naming(self, parent_id: int) -> Iterator[None]:
        """Say at which parent the file is damaged."""
        try:
            yield
        except (CorruptModelError, InputError, *DAMAGE) as error:
            raise CorruptModelError(f"{self.path} is damaged at parent {parent_id}: {error}") from error

    def _check_columns(self) -> None:
        schema = self._file.schema_arrow
        if not schema.equals(pa.schema(store_fields(self._version))):
            raise CorruptModelError(f"its columns are not those of version {self._version}")
        self._parent_columns = tuple(name for name in schema.names if name not in _PSF_ONLY)

    @cached_property
    def _columns(self) -> Footer:
        columns = Footer.parse(self._footer)
        if len(columns.groups) != self._file.num_row_groups:
            raise CorruptModelError("its footer is ambiguous")
        return columns

    def _read_index(self) -> StoreIndex:
        text = self._file.metadata.metadata.get(INDEX_KEY.encode())
        if text is None:
            for group in range(self._file.num_row_groups):
                check_group(self._columns.places(group), group, self._stream)
            return scanned_index(self._file)
        return read_index(text, self._file, self.path.stat().st_size)

    def _read_group(self, group: int, columns: tuple[str, ...] | None = None) -> pa.Table:
        if group not in self._checked:
            check_group(self._columns.places(group), group, self._stream)
            self._checked.add(group)
        return self._file.read_row_group(group, columns=columns and list(columns), use_threads=False)

    def _read_parents(self, group: int) -> ParentRows:
        # Each column costs time to open, though it holds nothing in the rows of parents.
        table = self._read_group(group, self._parent_columns)
        return ParentRows(table, self._version, self.metadata.bands, self._psfs)

    def _psf_places(self) -> Mapping[str, tuple[int, int]]:
        if self._places is None:
            groups = sorted({self._index.place(int(row))[0] for row in self._index.psf_rows})
            pairs = ((group, self._read_group(group, ("kind", "key")).to_pylist()) for group in groups)
            self._places = {
                row["key"]: (group, number)
                for group, rows in pairs
                for number, row in enumerate(rows)
                if row["kind"] == PSF
            }
        return self._places

    def _read_psf(self, key: str) -> NDArray[Any]:
        group, number = self._psf_places()[key]
        record = self._psf_group(group)[number].as_py()
        array = read_pixels(migrated_psf(record, self._version))
        array.setflags(write=False)
        return array

    def _stack_psfs(self, keys: tuple[str, ...]) -> NDArray[Any]:
        planes = [self._psf(key) for key in keys]
        # Planes of different types or shapes would be broadcast or promoted in silence.
        if len({(plane.dtype, plane.shape) for plane in planes}) != 1:
            raise CorruptModelError(f"the PSFs {', '.join(keys)} are no stack")
        stack = np.stack(planes)
        stack.setflags(write=False)
        return stack


def _of_id(parent: ParentModel, parent_id: int) -> ParentModel:
    if parent.id != parent_id:
        raise CorruptModelError(f"its row is that of {parent.id}")
    return parent
