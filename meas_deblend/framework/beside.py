"""Large arrays that need no way back from the process that made them."""

import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ._start import start_method

__all__ = ["SharedArray", "SharedRoom", "can_call_beside"]


def can_call_beside() -> bool:
    """Whether a call can begin at once, and leave arrays where this process finds them (Linux)."""
    return hasattr(os, "memfd_create") and start_method() == "fork"


@dataclass(frozen=True, slots=True)
class SharedArray:
    """Where an array lies in a `SharedRoom`.

    Parameters
    ----------
    offset : int
        Where it begins, in bytes.
    shape : tuple of int
    dtype : str
    """

    offset: int
    shape: tuple[int, ...]
    dtype: str


class SharedRoom:
    """Memory that a process and those that it forks have in common: arrays that are made there are found here.

    Made before the fork; close it when all arrays have been taken out, which stay.
    """

    def __init__(self) -> None:
        self._file = os.memfd_create("meas_deblend")
        self._made: dict[int, SharedArray] = {}

    def empty(self, shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
        """Make an array; its values are 0."""
        size = max(int(np.prod(shape)) * np.dtype(dtype).itemsize, 1)
        offset = os.fstat(self._file).st_size
        # Where an array begins must be a multiple of this.
        whole = -(-size // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
        os.ftruncate(self._file, offset + whole)
        place = SharedArray(offset, tuple(shape), np.dtype(dtype).str)
        made = self._map(place, mmap.MAP_SHARED)
        self._made[made.ctypes.data] = place
        return made

    def place_of(self, array: NDArray[Any]) -> SharedArray:
        """Say where an array lies; one that was made elsewhere is copied here."""
        place = self._made.get(array.ctypes.data)
        if place is not None and (place.shape, place.dtype) == (array.shape, array.dtype.str):
            return place
        copy = self.empty(array.shape, array.dtype)
        copy[...] = array
        return self._made[copy.ctypes.data]

    def take(self, place: SharedArray) -> NDArray[Any]:
        """Return an array that was made by another process; what is written to it from now on, nobody else sees."""
        return self._map(place, mmap.MAP_PRIVATE)

    def close(self) -> None:
        """Make and take no more."""
        os.close(self._file)

    def _map(self, place: SharedArray, flags: int) -> NDArray[Any]:
        dtype, count = np.dtype(place.dtype), int(np.prod(place.shape))
        size = max(count * dtype.itemsize, 1)
        pages = mmap.mmap(self._file, size, flags, mmap.PROT_READ | mmap.PROT_WRITE, offset=place.offset)
        return np.frombuffer(pages, dtype, count).reshape(place.shape)
