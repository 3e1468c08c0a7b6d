"""Cubes of all bands whose planes are read straight into their places."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import DTypeLike, NDArray

__all__ = ["Cubes", "Places"]

_TYPES = {"image": np.dtype(np.float32), "variance": np.dtype(np.float32), "mask": np.dtype(np.int32)}


class Places(Protocol):
    """Gives the memory of the planes of one band."""

    def __call__(self, name: str, shape: tuple[int, ...], dtype: DTypeLike, /) -> NDArray[Any]:
        """Return an array for the plane ``name`` ("image", "variance" or "mask"); its values do not matter."""


class Cubes:
    """Images, variances and masks of all bands, each in one array (band, y, x).

    The first image tells the shape, unless it is said before.  A plane that is of another shape, or of a type that has
    to be converted after reading, gets an array of its own, and is put in its place later.

    Parameters
    ----------
    n_bands : int
        How many bands there will be; 0 if that is known only when all are read: then each plane gets its own array.
    empty : callable
        Makes arrays, from a shape and a type.
    """

    def __init__(self, n_bands: int, empty: Callable[[tuple[int, ...], Any], NDArray[Any]]) -> None:
        self._n_bands = n_bands
        self._empty = empty
        self._shape: tuple[int, ...] | None = None
        self._made: dict[str, NDArray[Any]] = {}

    def begin(self, shape: tuple[int, ...]) -> None:
        """Make the cubes for images of this shape, before processes are forked that shall have them in common."""
        if self._n_bands and len(shape) == 2:
            self._shape = shape
            for name in _TYPES:
                self._make(name, shape)

    def place(self, k: int, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array for a plane of band number ``k``: its place in the cube if it fits there."""
        if self._shape is None and len(shape) == 2:
            self._shape = shape
        if self._n_bands == 0 or shape != self._shape or np.dtype(dtype) != _TYPES[name]:
            return np.empty(shape, dtype)
        if name not in self._made:
            self._make(name, shape)
        return self.plane(k, name)

    def plane(self, k: int, name: str) -> NDArray[Any]:
        """Return the place of a plane in its cube, which has been made."""
        place: NDArray[Any] = self._made[name][k]
        return place

    def put(self, k: int, name: str, plane: NDArray[Any]) -> bool:
        """Put a plane in its place, where it may be already; False if it does not fit there as it is."""
        if name not in self._made:
            return False
        place = self.plane(k, name)
        if (plane.shape, plane.dtype) != (place.shape, place.dtype):
            return False
        if plane.ctypes.data != place.ctypes.data:
            place[...] = plane
        return True

    def take(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return the cube of all planes ``name``; a new one if what was made is not of this shape and type."""
        made = self._made.pop(name, None)
        if made is not None and (made.shape, made.dtype) == (shape, np.dtype(dtype)):
            return made
        return self._empty(shape, dtype)

    def _make(self, name: str, shape: tuple[int, ...]) -> None:
        self._made[name] = self._empty((self._n_bands, *shape), _TYPES[name])
