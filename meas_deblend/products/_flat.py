"""Nested Arrow columns as flat NumPy arrays with offsets: all rows of a row group, without a Python value for each.

Only what this package writes is understood. `UnusualError` says that something else is there; the reader of single
records (`_records`) then says what it is, or reads it all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Bytes", "Lists", "UnusualError", "numbers", "present", "strings", "take", "tuples"]


T = TypeVar("T")


class UnusualError(Exception):
    """The columns are not as this package writes them."""


@dataclass(frozen=True, slots=True, eq=False)
class Lists:
    """A column of lists.

    Parameters
    ----------
    offsets : int32 array (list + 1,)
        Where each list starts among the values, and where the last one ends.
    values : Array
        Those of all lists, one after the other.
    """

    offsets: NDArray[np.int32]
    values: pa.Array

    @classmethod
    def of(cls, array: pa.Array, nullable: bool = False) -> Lists:
        """Flatten a column; where null is allowed, it is an empty list.

        Raises
        ------
        UnusualError
            If there are nulls that may not be.
        """
        if not nullable:
            present(array)
        return cls(array.offsets.to_numpy(), array.values)

    def bounds(self, first: int, stop: int) -> tuple[int, int]:
        """Where the values of some lists start and end."""
        return int(self.offsets[first]), int(self.offsets[stop])

    def cut(self, first: int, stop: int, values: Sequence[T]) -> list[tuple[T, ...]]:
        """Cut the values of some lists, from the first one's first on, into a tuple for each list."""
        bounds = (self.offsets[first : stop + 1] - self.offsets[first]).tolist()
        return [tuple(values[a:b]) for a, b in pairwise(bounds)]

    def lengths(self, first: int, stop: int) -> NDArray[np.int32]:
        """Count the values of each of some lists."""
        return self.offsets[first + 1 : stop + 1] - self.offsets[first:stop]


@dataclass(frozen=True, slots=True, eq=False)
class Bytes:
    """A column of bytes; nulls have none.

    Parameters
    ----------
    offsets : int32 array (value + 1,)
    data : uint8 array
    """

    offsets: NDArray[np.int32]
    data: NDArray[np.uint8]

    @classmethod
    def of(cls, array: pa.Array) -> Bytes:
        """View a binary column."""
        _, offsets, data = array.buffers()
        bounds = np.frombuffer(offsets, np.int32, len(array) + 1, 4 * array.offset) if len(array) else _NOTHING
        return cls(bounds, np.frombuffer(data, np.uint8) if data is not None and data.size else _NO_BYTES)


_NOTHING, _NO_BYTES = np.zeros(1, np.int32), np.zeros(0, np.uint8)


def present(array: pa.Array) -> pa.Array:
    """Return the column, if nothing in it is null.

    Raises
    ------
    UnusualError
        If something is.
    """
    if array.null_count:
        raise UnusualError
    return array


def numbers(array: pa.Array, dtype: type[np.generic]) -> NDArray[Any]:
    """View a column of numbers; what stands where nulls are is undefined.

    Parameters
    ----------
    array : Array
        Of integers or floats of that type.
    dtype : type
    """
    if len(array) == 0:
        return np.empty(0, dtype)
    return np.frombuffer(array.buffers()[1], dtype, len(array), np.dtype(dtype).itemsize * array.offset)


def strings(array: pa.Array, first: int, stop: int) -> list[str]:
    """Values of a part of a column of strings.

    Raises
    ------
    UnusualError
        If there are nulls in the column.
    """
    return present(array).slice(first, stop - first).to_pylist()  # type: ignore[no-any-return]


def tuples(array: pa.Array, first: int, stop: int) -> list[tuple[str, ...]]:
    """Read lists of strings as tuples; equal ones are the same object, as most are equal.

    Raises
    ------
    UnusualError
        If there are nulls in the column.
    """
    lists = Lists.of(array)
    start, end = lists.bounds(first, stop)
    if start == end:
        return [()] * (stop - first)
    known: dict[tuple[str, ...], tuple[str, ...]] = {}
    return [known.setdefault(one, one) for one in lists.cut(first, stop, strings(lists.values, start, end))]


def take(starts: NDArray[np.integer[Any]], lengths: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Return the indices of several ranges, one after the other."""
    ends = np.cumsum(lengths, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(starts - (ends - lengths), lengths)
