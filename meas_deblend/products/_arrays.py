"""Arrays as bytes: plain ones, and pixels, of which most are 0.

Pixels are stored as the set of those that are not 0, one bit each, and the bytes of their values in planes: first the
lowest byte of every value, then the next. Neighbouring bytes are then alike, and compress; what was chosen among, with
sizes and times, stands in ``doc/decisions/model-store.md``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import CorruptModelError, ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["COMPACT_ERROR", "array_record", "pixel_record", "read_array", "read_pixels", "rounded"]

_DTYPES: dict[str, np.dtype[Any]] = {"<f4": np.dtype("<f4"), "<f8": np.dtype("<f8")}
_LARGEST_SIDE = 2**31 - 1

COMPACT_BITS = 10
"""Bits of the mantissa that are kept of a pixel in the compact mode."""

COMPACT_ERROR = 2.0 ** -(COMPACT_BITS + 1)
"""Largest relative error of a pixel in the compact mode: half of the last bit that is kept."""


def array_record(array: NDArray[Any]) -> dict[str, Any]:
    """Little-endian bytes ``data`` in row-major order, with ``dtype`` ("<f4" or "<f8") and ``shape``.

    Raises
    ------
    ModelError
        If the array is of another type.
    """
    plain = _little_endian(array)
    return {"dtype": plain.dtype.str, "shape": list(array.shape), "data": plain.tobytes()}


def read_array(record: Mapping[str, Any]) -> NDArray[Any]:
    """Read what `array_record` gave, as an array that owns its memory.

    Raises
    ------
    CorruptModelError
        If type, shape and number of bytes do not fit each other.
    """
    dtype, shape = _kind(record)
    data = record["data"]
    if math.prod(shape) * dtype.itemsize != len(data):
        raise CorruptModelError(f"{len(data)} bytes do not make an array of type {dtype.str} and shape {shape}")
    return np.frombuffer(data, dtype=dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=True)


def pixel_record(array: NDArray[Any], compact: bool = False) -> dict[str, Any]:
    """Pixels that are not 0 as byte planes ``values``, and which those are as bits ``support``.

    Parameters
    ----------
    array : float32 or float64 array
        Of any shape; every bit is kept, that of -0.0 and the payloads of NaN included.
    compact : bool
        Round to `COMPACT_BITS` bits of the mantissa first.

    Raises
    ------
    ModelError
        If the array is of another type.
    """
    plain = _little_endian(rounded(array) if compact else array).reshape(-1)
    bits = plain.view(f"<u{plain.dtype.itemsize}")
    support = bits != 0
    planes = bits[support].view(np.uint8).reshape(-1, plain.dtype.itemsize).T
    return {
        "dtype": plain.dtype.str,
        "shape": list(array.shape),
        "support": np.packbits(support).tobytes(),
        "values": planes.tobytes(),
    }


def read_pixels(record: Mapping[str, Any]) -> NDArray[Any]:
    """Read what `pixel_record` gave, as an array that owns its memory.

    It is never larger than 64 times the bytes of the record, so that no declared shape can ask for more memory.

    Raises
    ------
    CorruptModelError
        If type, shape and numbers of bytes do not fit each other.
    """
    dtype, shape = _kind(record)
    size, support, values = math.prod(shape), record["support"], record["values"]
    if (size + 7) // 8 != len(support):
        raise CorruptModelError(f"{len(support)} bytes of support do not make an array of shape {shape}")
    chosen = np.unpackbits(np.frombuffer(support, np.uint8), count=size).view(np.bool_)
    planes = np.frombuffer(values, np.uint8)
    if planes.size != dtype.itemsize * np.count_nonzero(chosen):
        raise CorruptModelError(
            f"{planes.size} bytes do not make the {np.count_nonzero(chosen)} pixels of type {dtype.str} that are not 0"
        )
    out = np.zeros(size, dtype.newbyteorder("="))
    out[chosen] = planes.reshape(dtype.itemsize, -1).T.copy().view(dtype)[:, 0]
    return out.reshape(shape)


def rounded(array: NDArray[Any]) -> NDArray[Any]:
    """Round to `COMPACT_BITS` bits of the mantissa, half to even.

    The relative error is at most `COMPACT_ERROR`; below the smallest normal number, at most that part of this number.
    What is not finite stays as it is, and the largest numbers do not become infinite.

    Raises
    ------
    ModelError
        If the array is of another type than float32 or float64.
    """
    plain = _little_endian(array)
    unsigned = np.dtype(f"<u{plain.dtype.itemsize}")
    bits = plain.view(unsigned)
    drop = unsigned.type(np.finfo(plain.dtype).nmant - COMPACT_BITS)
    one = unsigned.type(1)
    odd = (bits >> drop) & one
    kept = ~((one << drop) - one)
    nearest = ((bits + ((one << (drop - one)) - one + odd)) & kept).view(plain.dtype)
    finite = np.where(np.isfinite(nearest), nearest, (bits & kept).view(plain.dtype))
    out: NDArray[Any] = np.where(np.isfinite(plain), finite, plain)
    return out


def _little_endian(array: NDArray[Any]) -> NDArray[Any]:
    dtype = array.dtype.newbyteorder("<")
    if dtype.str not in _DTYPES:
        raise ModelError(f"models hold arrays of float32 or float64, got {array.dtype}")
    return array.astype(dtype, order="C", copy=False)


def _kind(record: Mapping[str, Any]) -> tuple[np.dtype[Any], tuple[int, ...]]:
    dtype, shape = _DTYPES.get(record["dtype"]), tuple(record["shape"])
    if dtype is None:
        raise CorruptModelError(f"an array of type {record['dtype']!r}; models hold {' or '.join(_DTYPES)}")
    for side in shape:
        if type(side) is not int or not 0 <= side <= _LARGEST_SIDE:
            raise CorruptModelError(f"{shape} is not the shape of an array")
    if len(shape) > 3:
        raise CorruptModelError(f"an array of {len(shape)} dimensions")
    return dtype, shape
