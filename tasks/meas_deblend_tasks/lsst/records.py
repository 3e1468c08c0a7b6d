"""Frozen values as Arrow tables: what steps hand to each other, in a storage class that every repository has.

A row holds one parent, or everything that is not in a parent: a JSON text, and the bytes of the arrays that it names.
The Butler's Parquet files take no lists of anything but numbers, so the bytes of a row's arrays lie one behind another.
Nothing is executed on reading: classes are found by name among those that are listed here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from meas_deblend.exceptions import CorruptModelError, InputError, ModelError
from meas_deblend.framework.fields import validate_strictly
from meas_deblend.framework.layers import plain

__all__ = ["RECORDS_TYPE", "Recipe", "is_records", "read_records", "to_records"]

RECORDS_TYPE = "meas_deblend.records"
_VERSION = "1.0.0"
_HEADER = b"meas_deblend"

_SCHEMA = pa.schema([("kind", pa.string()), ("id", pa.int64()), ("record", pa.string()), ("pixels", pa.binary())])

_SEQUENCES: Mapping[str, Any] = {"tuple": tuple, "list": list, "frozenset": frozenset}
_DTYPES = ("bool", "uint8", "int16", "int32", "int64", "float32", "float64")


@dataclass(frozen=True, eq=False)
class Recipe:
    """How a dataset is made that is not kept: a task that does nothing until its results are asked for.

    Parameters
    ----------
    task : str
        Name of the task's class.
    config : mapping of str to object
        Its settings, as plain data.
    output : str
        Field of what it returns.
    kept : mapping of str to object
        Inputs of the task that whoever reads the dataset does not have.
    """

    task: str
    config: Mapping[str, Any]
    output: str
    kept: Mapping[str, Any] = field(default_factory=dict)


@cache
def _classes() -> Mapping[str, type]:
    """Classes that may be read, by name: values that the packages of pixels export, and settings."""
    from meas_deblend import apportion, detect, geometry, image  # noqa: PLC0415 - the numerics, when they are needed

    exported = (getattr(package, name) for package in (geometry, detect, image) for name in package.__all__)
    values: list[type] = [one for one in exported if isinstance(one, type) and is_dataclass(one)]
    known: list[type] = [*values, apportion.ApportionConfig, Recipe]
    return {cls.__name__: cls for cls in known}


def to_records(value: Any) -> pa.Table:
    """Return a value as a table: columns ``kind, id, record, pixels``, the value itself in the last row.

    Raises
    ------
    InputError
        If something in it is of a class that cannot be read back.
    """
    writer = _Writer()
    writer.row(value)
    about = {"type": RECORDS_TYPE, "version": _VERSION}
    return pa.Table.from_pylist(writer.rows, schema=_SCHEMA.with_metadata({_HEADER: json.dumps(about)}))


def is_records(table: pa.Table) -> bool:
    """Whether a table is one of records."""
    text = (table.schema.metadata or {}).get(_HEADER)
    return text is not None and json.loads(text).get("type") == RECORDS_TYPE


def read_records(table: pa.Table) -> Any:
    """Return the value that a table holds.

    Raises
    ------
    ModelError
        If the table holds something else, or was written by a later release.
    CorruptModelError
        If it is damaged.
    """
    if not is_records(table):
        raise ModelError(f"a table of {RECORDS_TYPE} is needed; the columns of this one are {table.column_names}")
    about = json.loads(table.schema.metadata[_HEADER])
    if about["version"] != _VERSION:
        raise ModelError(f"{RECORDS_TYPE} {about['version']} cannot be read: this release knows {_VERSION}")
    try:
        return _Reader(table.to_pylist()).root()
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise CorruptModelError(f"a table of {RECORDS_TYPE} is damaged: {error!r}") from error


class _Writer:
    """Rows of a table."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def row(self, value: Any) -> int:
        """Add a value as a row of its own, and return the row's number."""
        pixels = bytearray()
        tree = self._dataclass(value, pixels) if is_dataclass(value) else self._tree(value, pixels)
        kind, identifier = type(value).__name__, getattr(value, "id", None)
        self.rows.append({"kind": kind, "id": identifier, "record": json.dumps(tree), "pixels": bytes(pixels)})
        return len(self.rows) - 1

    def _tree(self, value: Any, pixels: bytearray) -> Any:
        if value is None or type(value) in (bool, int, float, str):
            return value
        if isinstance(value, np.ndarray | np.generic):
            return _put_array(value, pixels)
        items = self._items(value, pixels)
        if items is not None:
            return items
        if isinstance(value, BaseModel):
            return {"$": _known(value), "values": plain(value)}
        return {"$": "row", "at": self.row(value)} if _known(value) == "Parent" else self._dataclass(value, pixels)

    def _items(self, value: Any, pixels: bytearray) -> dict[str, Any] | None:
        if isinstance(value, Mapping):
            pairs = [[self._tree(key, pixels), self._tree(item, pixels)] for key, item in value.items()]
            return {"$": "mapping", "items": pairs}
        if type(value).__name__ not in _SEQUENCES:
            return None
        items = sorted(value) if isinstance(value, frozenset) else value
        return {"$": type(value).__name__, "items": [self._tree(item, pixels) for item in items]}

    def _dataclass(self, value: Any, pixels: bytearray) -> Any:
        given = {one.name: self._tree(getattr(value, one.name), pixels) for one in fields(value) if one.init}
        return {"$": _known(value), "fields": given}


def _known(value: Any) -> str:
    name = type(value).__name__
    if _classes().get(name) is not type(value):
        raise InputError(f"a {name} cannot be kept in a repository; these can: {', '.join(_classes())}")
    return name


class _Reader:
    """Values of rows."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._rows = rows
        self._read: dict[int, Any] = {}

    def root(self) -> Any:
        """Return the value of the last row."""
        return self._row(len(self._rows) - 1)

    def _row(self, number: int) -> Any:
        if number not in self._read:
            row = self._rows[number]
            self._read[number] = self._value(json.loads(row["record"]), row["pixels"])
        return self._read[number]

    def _value(self, tree: Any, pixels: bytes) -> Any:
        if not isinstance(tree, dict):
            return tree
        kind = tree["$"]
        if kind == "row":
            return self._row(tree["at"])
        if kind in ("array", "scalar"):
            found = _get_array(tree, pixels)
            return found[()] if kind == "scalar" else found
        return self._items(tree, pixels) if "items" in tree else self._object(tree, pixels)

    def _items(self, tree: Mapping[str, Any], pixels: bytes) -> Any:
        if tree["$"] == "mapping":
            return {self._value(key, pixels): self._value(item, pixels) for key, item in tree["items"]}
        return _SEQUENCES[tree["$"]](self._value(item, pixels) for item in tree["items"])

    def _object(self, tree: Mapping[str, Any], pixels: bytes) -> Any:
        cls = _classes()[tree["$"]]
        if issubclass(cls, BaseModel):
            return validate_strictly(cls, tree["values"])
        return cls(**{name: self._value(item, pixels) for name, item in tree["fields"].items()})


def _put_array(value: Any, pixels: bytearray) -> dict[str, Any]:
    array = np.asarray(value)
    if array.dtype.name not in _DTYPES:
        raise InputError(f"an array of type {array.dtype} cannot be kept; those of {', '.join(_DTYPES)} can")
    kind, first = "scalar" if isinstance(value, np.generic) else "array", len(pixels)
    pixels += array.astype(array.dtype.newbyteorder("<")).tobytes()
    return {"$": kind, "dtype": array.dtype.name, "shape": list(array.shape), "first": first}


def _get_array(tree: Mapping[str, Any], pixels: bytes) -> Any:
    if tree["dtype"] not in _DTYPES:
        raise ValueError(f"an array of type {tree['dtype']}")
    dtype = np.dtype(tree["dtype"])
    count = math.prod(tree["shape"])
    values = np.frombuffer(pixels, dtype.newbyteorder("<"), count, tree["first"]) if count else np.zeros(0)
    return values.astype(dtype).reshape(tree["shape"])
