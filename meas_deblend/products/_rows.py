"""Parents of one row group: decoded together where that is possible, else from one record after the other."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ..exceptions import CorruptModelError
from ._decoder import GroupDecoder
from ._flat import UnusualError
from ._migrations import migrated
from ._records import parent_from_record
from ._store_schema import STORE_VERSION
from .consistency import check_parent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from ..models import ParentModel

__all__ = ["DAMAGE", "ParentRows"]

DAMAGE = (pa.ArrowException, OSError, ValueError, KeyError, TypeError, IndexError, OverflowError, MemoryError)
"""What reading a damaged file raises, beside errors of this package."""


class ParentRows:
    """Rows of a row group.

    Parameters
    ----------
    table : Table
        All columns of parents.
    version : str
        Of the store.
    bands : tuple of str
        Of the store.
    psfs : callable
        Takes keys to the stack (key, y, x) of their PSFs.
    """

    def __init__(
        self, table: pa.Table, version: str, bands: tuple[str, ...], psfs: Callable[[tuple[str, ...]], NDArray[Any]]
    ) -> None:
        self._table, self._version, self._bands, self._psfs = table, version, bands, psfs

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the rows take."""
        return int(self._table.get_total_buffer_size())

    def parent(self, number: int) -> ParentModel:
        """Read one row.

        Raises
        ------
        CorruptModelError, InputError, or one of `DAMAGE`
            If it is damaged.
        """
        # For one row alone, dictionaries are made sooner than columns are cut.
        return self._from_record(self._table.slice(number, 1).to_pylist()[0])

    def together(self, ids: Sequence[int], numbers: Sequence[int]) -> list[ParentModel] | None:
        """Read several rows, if they are as this package writes them: if not, `parent` tells what is wrong with which.

        Parameters
        ----------
        ids : sequence of int
            Identifiers that the rows must have.
        numbers : sequence of int
            Rows, increasing.
        """
        if self._version != STORE_VERSION or len(numbers) != numbers[-1] - numbers[0] + 1:
            return None
        try:
            with _no_collections():
                parents = GroupDecoder(self._table, len(self._bands)).parents(numbers[0], numbers[-1] + 1, self._psfs)
        except (UnusualError, CorruptModelError, *DAMAGE):
            return None
        return parents if [parent.id for parent in parents] == ids else None

    def _from_record(self, record: dict[str, Any]) -> ParentModel:
        parent = parent_from_record(migrated(record, self._version), self._psfs)
        check_parent(parent, self._bands)
        return parent


@contextmanager
def _no_collections() -> Iterator[None]:
    """Keep Python from looking for cycles, for some milliseconds.

    Thousands of values are made, none of which is part of a cycle: looking through them again and again is a fifth of
    the time to read a store.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
