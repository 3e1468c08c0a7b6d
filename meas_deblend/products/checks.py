"""Whether a table is what was declared: unknown or missing columns, types, missing values, repeated keys."""

from __future__ import annotations

from collections import Counter
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import InputError
from .columns import TABLE_VERSION
from .declarations import TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .columns import CatalogLayout, Column, TableDeclaration

__all__ = ["check_table", "declaration", "typed_columns"]

_KINDS = {"int32": "iu", "int64": "iu", "float32": "f", "float64": "f", "bool": "b", "string": "UO"}


def declaration(name: str) -> TableDeclaration:
    """Return the declaration of a table.

    Raises
    ------
    InputError
        If there is no such table; the message lists those that there are.
    """
    if name not in TABLES:
        raise InputError(f"no table {name!r}; there are {', '.join(TABLES)}")
    return TABLES[name]


def check_table(name: str, table: Mapping[str, Any], layout: CatalogLayout, version: str = TABLE_VERSION) -> None:
    """Check a table against its declaration.

    Parameters
    ----------
    name : str
        Table, e.g. "objects".
    table : astropy.table.Table or mapping of str to array
        Columns of equal length.
    layout : CatalogLayout
        Bands, apertures and units.
    version : str
        Version of the tables whose columns it must have.

    Raises
    ------
    InputError
        With everything that is wrong: columns that are unknown or missing, of another type, without a value where
        there must be one, of different lengths, or a key that occurs twice.
    """
    declared = declaration(name)
    expected = {column.name: column for column in declared.unfold(layout, version)}
    names = [str(key) for key in table.keys()]  # noqa: SIM118  (iterating an astropy Table gives rows)
    given = {key: np.asarray(table[key]) for key in names}
    problems = _name_problems(expected, given)
    problems += [f"{key} has masked rows" for key in names if np.any(getattr(table[key], "mask", False))]
    for key, column in expected.items():
        if key in given:
            problems += _value_problems(column, given[key])
    lengths = {key: len(values) for key, values in given.items()}
    if len(set(lengths.values())) > 1:
        problems.append(f"columns differ in length: {lengths}")
    if not problems:
        problems += _key_problems(declared.key, given)
    if problems:
        raise InputError(f"table {name!r} is not as declared: " + "; ".join(problems))


def typed_columns(
    name: str, columns: Mapping[str, Any], layout: CatalogLayout, version: str = TABLE_VERSION
) -> dict[str, NDArray[Any]]:
    """Check columns and put them into the declared order and types.

    Parameters
    ----------
    name, columns, layout, version
        As for `check_table`. Wider numbers are narrowed to the declared width.

    Raises
    ------
    InputError
        If the table is not as declared, or an integer does not fit its column.
    """
    check_table(name, columns, layout, version)
    declared = declaration(name).unfold(layout, version)
    return {column.name: _narrow(column, np.asarray(columns[column.name])) for column in declared}


def _name_problems(expected: Mapping[str, Column], given: Mapping[str, Any]) -> list[str]:
    missing = [key for key in expected if key not in given]
    problems = [f"missing columns {', '.join(missing)}"] if missing else []
    for key in given:
        if key not in expected:
            near = get_close_matches(key, list(expected), 1)
            problems.append(f"unknown column {key!r}" + (f" (did you mean {near[0]!r}?)" if near else ""))
    return problems


def _value_problems(column: Column, values: NDArray[Any]) -> list[str]:
    if values.ndim != 1:
        return [f"{column.name} must be one-dimensional, got shape {values.shape}"]
    if values.size == 0:
        return []  # an empty list has no type of its own
    if values.dtype.kind not in _KINDS[column.dtype]:
        return [f"{column.name} must be {column.dtype}, got {values.dtype}"]
    if values.dtype.kind == "O" and not all(isinstance(value, str) for value in values):
        return [f"{column.name} must hold strings only"]
    if column.dtype.startswith("float") and not column.nullable and np.isnan(values).any():
        return [f"{column.name} has {int(np.isnan(values).sum())} rows without a value"]
    return []


def _key_problems(key: tuple[str, ...], given: Mapping[str, NDArray[Any]]) -> list[str]:
    rows = zip(*(given[name].tolist() for name in key), strict=True)
    twice = [row for row, count in Counter(rows).items() if count > 1]
    return [f"{' and '.join(key)} must identify a row, but {twice[0]} occurs more than once"] if twice else []


def _narrow(column: Column, values: NDArray[Any]) -> NDArray[Any]:
    if column.dtype == "string":
        return values.astype(object)
    narrow = values.astype(column.dtype)
    if column.dtype.startswith("int") and not np.array_equal(narrow, values):
        raise InputError(f"{column.name}: a value does not fit {column.dtype}")
    return narrow
