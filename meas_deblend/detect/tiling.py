"""Tiles, by which a coadd of any size is gone through in bounded memory, and the pixels of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ..geometry import Box

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ..geometry import BoolArray

Scalar = TypeVar("Scalar", bound=np.generic)

__all__ = ["TilePixels", "blocks", "padded", "row_strips", "tiles"]

STRIP = 1 << 18
"""Pixels of a strip of rows: a megabyte or two per array."""


@dataclass(frozen=True, slots=True, eq=False)
class TilePixels:
    """Pixels of one band on a box, which may reach beyond the image.

    Parameters
    ----------
    image, variance : float64 array (y, x)
        0 where not usable.
    usable : bool array (y, x)
        Both are finite here, and the variance is positive; False off the image.
    """

    image: NDArray[np.float64]
    variance: NDArray[np.float64]
    usable: BoolArray

    def cut(self, width: int) -> TilePixels:
        """Copy without the ``width`` outermost pixels on each side."""
        inner = (slice(width, -width),) * 2
        return TilePixels(self.image[inner].copy(), self.variance[inner].copy(), self.usable[inner].copy())

    def padded(self, columns: int) -> TilePixels:
        """Copy with ``columns`` more that are not usable behind the last one."""
        more = ((0, 0), (0, columns))
        return TilePixels(np.pad(self.image, more), np.pad(self.variance, more), np.pad(self.usable, more))


def tiles(shape: tuple[int, int], side: int) -> Iterator[Box]:
    """Boxes of at most ``side`` × ``side`` pixels that cover a frame of ``shape`` (y, x) once, in raster order."""
    return blocks(Box((0, 0), shape), (side, side))


def blocks(box: Box, sides: tuple[int, int]) -> Iterator[Box]:
    """Boxes of at most ``sides`` (y, x) pixels that cover a box once, in raster order."""
    for y in range(box.origin[0], box.stop[0], sides[0]):
        for x in range(box.origin[1], box.stop[1], sides[1]):
            yield Box.from_bounds(y, min(y + sides[0], box.stop[0]), x, min(x + sides[1], box.stop[1]))


def row_strips(shape: tuple[int, int]) -> Iterator[slice]:
    """Slices of rows that together cover a frame of ``shape`` (y, x), each of a megabyte or two per array."""
    rows = max(STRIP // max(shape[1], 1), 1)
    for y in range(0, shape[0], rows):
        yield slice(y, min(y + rows, shape[0]))


def padded(array: NDArray[Scalar], box: Box) -> NDArray[Scalar]:
    """Copy of the part of ``array`` (y, x) on ``box``, with zeros (False) where that reaches beyond the array."""
    out = np.zeros(box.shape, dtype=array.dtype)
    here, there = box.overlap_slices(Box((0, 0), (array.shape[0], array.shape[1])))
    out[here] = array[there]
    return out
