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

# Wider than the columns, so that whoever makes the table sees values that do not fit. Rows hold all of a kind together.
_WIDE = {"float32": "<f8", "float64": "<f8", "int32": "<i8", "int64": "<i8", "bool": "?"}
_KINDS = ("<f8", "<i8", "?")


@dataclass(frozen=True, slots=True, eq=False)
class PackedRows:
    """Some rows of a table.

    Parameters
    ----------
    numbers : uint8 array (n, bytes)
        Floats, integers and flags of each row, those of a kind by increasing place of their columns.
    texts : tuple of tuple of str
        Values (n,) of each column of strings.
    """

    numbers: NDArray[np.uint8]
    texts: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.numbers)


def pack_rows(
    table: str, columns: Mapping[str, Any], layout: CatalogLayout, left_out: frozenset[str] = frozenset()
) -> PackedRows:
    """Pack columns (n,) of a table.

    Parameters
    ----------
    table : str
        Name, e.g. "objects".
    columns : mapping of str to array or list
        All that are declared; others are left out.
    layout : CatalogLayout
    left_out : frozenset of str, optional
        Declared columns that are kept elsewhere.

    Raises
    ------
    KeyError
        If one is missing.
    TypeError
        If its values are of another kind than declared.
    """
    parts, names = _row(table, layout, left_out)
    lengths = {len(columns[name]) for name in (*(name for _, some in parts for name in some), *names)}
    if len(lengths) > 1:
        raise TypeError(f"columns of {table} differ in length: {sorted(lengths)}")
    count = lengths.pop() if lengths else 0
    # One copy for all columns of a kind: there are hundreds, of a few rows each.
    blocks = [_block([columns[name] for name in some], np.dtype(kind), count) for kind, some in parts]
    return PackedRows(np.concatenate(blocks, axis=1), tuple(tuple(map(str, columns[name])) for name in names))


def _block(values: Sequence[Any], kind: np.dtype[Any], count: int) -> NDArray[np.uint8]:
    """Bytes (n, ·) of columns of one kind."""
    block = np.empty((count, len(values)), dtype=kind)
    if count:
        for given in {np.asarray(column).dtype for column in values}:
            if not np.can_cast(given, kind, casting="same_kind"):
                raise TypeError(f"Cannot cast array data from {given!r} to {kind!r} according to the rule 'same_kind'")
        block[:] = np.array(values).T
    return block.view(np.uint8).reshape(count, len(values) * kind.itemsize)


def unpack_rows(
    table: str, packs: Sequence[PackedRows], layout: CatalogLayout, left_out: frozenset[str] = frozenset()
) -> dict[str, NDArray[Any]]:
    """Join packed rows of a table, in their order; return its columns by name, empty ones without any row.

    Numbers are views of one array of rows.
    """
    parts, names = _row(table, layout, left_out)
    kind = np.dtype([(name, wide) for wide, some in parts for name in some])
    nothing = np.zeros((0, kind.itemsize), dtype=np.uint8)
    rows = np.concatenate([nothing, *(pack.numbers for pack in packs)]).reshape(-1).view(kind)
    columns = {name: rows[name] for name in kind.names or ()}
    for k, name in enumerate(names):
        columns[name] = np.array([text for pack in packs for text in pack.texts[k]], dtype=object)
    declared = declaration(table).unfold(layout)
    return {column.name: columns[column.name] for column in declared if column.name not in left_out}


@lru_cache(16)
def _row(
    table: str, layout: CatalogLayout, left_out: frozenset[str]
) -> tuple[tuple[tuple[str, tuple[str, ...]], ...], tuple[str, ...]]:
    """Kinds of a row's numbers with the names of their columns, and names of the columns of strings."""
    columns = [c for c in declaration(table).unfold(layout) if c.name not in left_out]
    parts = ((kind, tuple(c.name for c in columns if _WIDE.get(c.dtype) == kind)) for kind in _KINDS)
    return tuple(part for part in parts if part[1]), tuple(c.name for c in columns if c.dtype == "string")
