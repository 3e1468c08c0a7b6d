"""Arrays of many components at once: the bytes of a whole column become views of one buffer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ._flat import UnusualError, take

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ._flat import Bytes

__all__ = ["pixel_arrays", "plain_arrays"]

_ITEMSIZES = {"<f4": 4, "<f8": 8}

_BITS_SET = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1, dtype=np.uint8)
"""Number of bits that are set in each byte."""

Shape = tuple[int, ...]


def plain_arrays(
    dtypes: Sequence[str | None], data: Bytes, first: int, shapes: Sequence[Shape | None]
) -> list[NDArray[Any]]:
    """Arrays that `_arrays.read_array` would give one by one, as views of one buffer per type.

    Parameters
    ----------
    dtypes : sequence of str, or None
        Of each array; None for what is null.
    data : Bytes
    first : int
        Number of the first array in ``data``.
    shapes : sequence of tuple of int, or None
        Of each array; None for what is null.

    Raises
    ------
    UnusualError
        If types or numbers of bytes are not those of such arrays; null where there is a shape.
    """
    sizes = np.array([-1 if shape is None else math.prod(shape) for shape in shapes], dtype=np.int64)
    starts = data.offsets[first : first + len(shapes) + 1].astype(np.int64)
    out: list[NDArray[Any]] = [_NO_ARRAY] * len(shapes)
    for dtype, chosen in _by_type(dtypes, sizes >= 0):
        lengths = sizes[chosen] * dtype.itemsize
        if not np.array_equal(np.diff(starts)[chosen], lengths):
            raise UnusualError
        flat = data.data[take(starts[:-1][chosen], lengths)].view(dtype)
        shape = shapes[int(chosen[0])]
        if flat.size and shape is not None and len(chosen) == shapes.count(shape) == len(shapes):
            return list(flat.astype(flat.dtype.newbyteorder("="), copy=False).reshape(-1, *shape))
        ends = np.cumsum(sizes[chosen])
        _cut(out, flat, chosen, (ends - sizes[chosen], ends), shapes)
    return out


def pixel_arrays(
    dtypes: Sequence[str | None], planes: tuple[Bytes, Bytes], first: int, shapes: Sequence[Shape | None]
) -> list[NDArray[Any]]:
    """Arrays that `_arrays.read_pixels` would give one by one; see `plain_arrays`.

    Parameters
    ----------
    dtypes : sequence of str, or None
    planes : tuple of Bytes
        Support, and values.
    first : int
    shapes : sequence of tuple of int, or None

    Raises
    ------
    UnusualError
        If types or numbers of bytes are not those of such arrays; null where there is a shape.
    """
    sizes = np.array([-1 if shape is None else math.prod(shape) for shape in shapes], dtype=np.int64)
    support, values = planes
    places, starts = (one.offsets[first : first + len(shapes) + 1].astype(np.int64) for one in planes)
    out: list[NDArray[Any]] = [_NO_ARRAY] * len(shapes)
    for dtype, chosen in _by_type(dtypes, sizes >= 0):
        lengths = (sizes[chosen] + 7) // 8
        if not np.array_equal(np.diff(places)[chosen], lengths):
            raise UnusualError
        packed = support.data[take(places[:-1][chosen], lengths)]
        ends = np.cumsum(lengths)
        # Each array starts with a byte of its own; the bits behind its end belong to none.
        padded = (lengths * 8 - sizes[chosen])[lengths > 0]
        if (packed[ends[lengths > 0] - 1] & ((1 << padded) - 1).astype(np.uint8)).any():
            raise UnusualError
        bits = np.unpackbits(packed).view(np.bool_)
        flat = np.zeros(bits.size, dtype)
        flat[bits] = _joined(values.data, starts, chosen, _counts(packed, ends, lengths), dtype)
        begins = (ends - lengths) * 8
        _cut(out, flat, chosen, (begins, begins + sizes[chosen]), shapes)
    return out


_NO_ARRAY: NDArray[Any] = np.zeros(0, np.float32)


def _by_type(dtypes: Sequence[str | None], there: NDArray[np.bool_]) -> list[tuple[np.dtype[Any], NDArray[np.int64]]]:
    """Each type, and the numbers of the arrays that are of it."""
    types = {dtype for dtype in dtypes if dtype is not None}
    if not types <= _ITEMSIZES.keys() or [dtype is not None for dtype in dtypes] != there.tolist():
        raise UnusualError
    if len(types) == 1:
        return [(np.dtype(types.pop()), np.flatnonzero(there))]
    return [(np.dtype(name), np.array([k for k, dtype in enumerate(dtypes) if dtype == name])) for name in types]


def _counts(packed: NDArray[np.uint8], ends: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bits that are set in each of several ranges of bytes."""
    total = np.concatenate([[0], np.cumsum(_BITS_SET[packed], dtype=np.int64)])
    counts: NDArray[np.int64] = total[ends] - total[ends - lengths]
    return counts


def _joined(
    data: NDArray[np.uint8],
    starts: NDArray[np.int64],
    chosen: NDArray[np.int64],
    counts: NDArray[np.int64],
    dtype: np.dtype[Any],
) -> NDArray[Any]:
    """Values from the byte planes of the chosen arrays, one after the other."""
    if not np.array_equal(np.diff(starts)[chosen], counts * dtype.itemsize):
        raise UnusualError
    lowest = take(starts[:-1][chosen], counts)
    step = np.repeat(counts, counts)
    joined = np.empty((len(lowest), dtype.itemsize), np.uint8)
    for plane in range(dtype.itemsize):
        joined[:, plane] = data[lowest]
        lowest += step
    return joined.view(dtype)[:, 0]


def _cut(
    out: list[NDArray[Any]],
    flat: NDArray[Any],
    chosen: NDArray[np.int64],
    bounds: tuple[NDArray[np.int64], NDArray[np.int64]],
    shapes: Sequence[Shape | None],
) -> None:
    """Put the parts of an array between bounds where the chosen ones belong."""
    flat = flat.astype(flat.dtype.newbyteorder("="), copy=False)
    for number, start, stop in zip(*(one.tolist() for one in (chosen, *bounds)), strict=True):
        out[number] = flat[start:stop].reshape(shapes[number])
