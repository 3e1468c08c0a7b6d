"""Rows of tables as plain bytes: what is measured of one parent, until all parents are together.

A row of objects has hundreds of columns. As a dictionary of numbers it takes ten times the memory of its values, which
for a whole patch is more than the images take.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .checks import declaration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from .columns import CatalogLayout

__all__ = ["PackedRows", "pack_rows", "unpack_rows"]

# Wider than the columns, so that whoever makes the table sees values that do not fit.
_WIDE = {"int32": "<i8", "int64": "<i8", "float32": "<f8", "float64": "<f8", "bool": "?"}


@dataclass(frozen=True, slots=True, eq=False)
class PackedRows:
    """Some rows of a table.

    Parameters
    ----------
    numbers : uint8 array (n, bytes)
        Integers, floats and flags of each row, by increasing place of their columns.
    texts : tuple of tuple of str
        Values (n,) of each column of strings.
    """

    numbers: NDArray[np.uint8]
    texts: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.numbers)


def pack_rows(table: str, columns: Mapping[str, Any], layout: CatalogLayout) -> PackedRows:
    """Pack columns (n,) of a table.

    Parameters
    ----------
    table : str
        Name, e.g. "objects".
    columns : mapping of str to array or list
        All that are declared; others are left out.
    layout : CatalogLayout

    Raises
    ------
    KeyError
        If one is missing.
    TypeError
        If its values are of another kind than declared.
    """
    kind, names = _row(table, layout)
    lengths = {len(columns[name]) for name in (*(kind.names or ()), *names)}
    if len(lengths) > 1:
        raise TypeError(f"columns of {table} differ in length: {sorted(lengths)}")
    rows = np.zeros(lengths.pop() if lengths else 0, dtype=kind)
    if len(rows):
        for name in kind.names or ():
            rows[name] = np.asarray(columns[name]).astype(kind[name], casting="same_kind")
    return PackedRows(
        rows.view(np.uint8).reshape(len(rows), kind.itemsize), tuple(tuple(map(str, columns[name])) for name in names)
    )


def unpack_rows(table: str, packs: Sequence[PackedRows], layout: CatalogLayout) -> dict[str, NDArray[Any]]:
    """Join packed rows of a table, in their order; return its columns by name, empty ones without any row.

    Numbers are views of one array of rows.
    """
    kind, names = _row(table, layout)
    nothing = np.zeros((0, kind.itemsize), dtype=np.uint8)
    rows = np.concatenate([nothing, *(pack.numbers for pack in packs)]).reshape(-1).view(kind)
    columns = {name: rows[name] for name in kind.names or ()}
    for k, name in enumerate(names):
        columns[name] = np.array([text for pack in packs for text in pack.texts[k]], dtype=object)
    return {column.name: columns[column.name] for column in declaration(table).unfold(layout)}


@lru_cache(16)
def _row(table: str, layout: CatalogLayout) -> tuple[np.dtype[Any], tuple[str, ...]]:
    """Type of a row's numbers, and names of the columns of strings."""
    columns = declaration(table).unfold(layout)
    numbers = [(column.name, _WIDE[column.dtype]) for column in columns if column.dtype != "string"]
    return np.dtype(numbers), tuple(column.name for column in columns if column.dtype == "string")
