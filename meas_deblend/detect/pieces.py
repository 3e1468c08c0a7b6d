"""Connected pieces of a mask, as runs of pixels along its rows: far fewer than there are pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray, IntArray

__all__ = ["Pieces"]


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """Connected pieces of a mask, numbered from 1 in raster order of their first pixels.

    Parameters
    ----------
    shape : tuple of int
        Of the mask (y, x).
    runs : int64 array (n, 3)
        Rows ``(y, x_first, x_stop)``, half-open in x, in raster order.
    number : int32 array (n,)
        The piece of each run.
    bounds : int64 array (pieces, 4)
        First row, stop, first column and stop of each.
    """

    shape: tuple[int, int]
    runs: NDArray[np.int64]
    number: NDArray[np.int32]
    bounds: NDArray[np.int64]

    @classmethod
    def of(cls, mask: BoolArray, *, corners: bool = True) -> Pieces:
        """Find the pieces of a mask (y, x), in which pixels that share a side are neighbours, and ``corners`` too."""
        from ._piece_kernels import connected, runs_of  # noqa: PLC0415 - loads the compiler

        runs = runs_of(np.ascontiguousarray(mask, dtype=bool))
        return cls((mask.shape[0], mask.shape[1]), runs, *connected(runs, int(corners)))

    def labels(self) -> NDArray[np.int32]:
        """Return the number of the piece of each pixel (y, x); 0 in none."""
        from ._piece_kernels import paint  # noqa: PLC0415 - loads the compiler

        out = np.zeros(self.shape, dtype=np.int32)
        paint(self.runs, self.number, out)
        return out

    def at(self, y: IntArray, x: IntArray) -> NDArray[np.int32]:
        """Numbers (n,) of the pieces of some pixels; 0 in none."""
        if len(self.runs) == 0:
            return np.zeros(len(y), dtype=np.int32)
        across = self.shape[1]
        last = np.searchsorted(self.runs[:, 0] * across + self.runs[:, 1], y * across + x, side="right") - 1
        inside = (last >= 0) & (self.runs[last, 0] == y) & (x < self.runs[last, 2])
        return np.where(inside, self.number[last], np.int32(0))

    def areas(self) -> NDArray[np.int64]:
        """Pixels of each piece (pieces + 1,), by its number."""
        lengths = self.runs[:, 2] - self.runs[:, 1]
        return np.bincount(self.number, lengths, len(self.bounds) + 1).astype(np.int64)

    def touched(self, mask: BoolArray) -> BoolArray:
        """Which pieces (pieces + 1,), by their numbers, have a pixel of another mask (y, x)."""
        from ._piece_kernels import mark_touched  # noqa: PLC0415 - loads the compiler

        out = np.zeros(len(self.bounds) + 1, dtype=bool)
        mark_touched(self.runs, self.number, np.ascontiguousarray(mask, dtype=bool), out)
        return out

    def without_small(self, area: int) -> BoolArray:
        """Return the mask (y, x) without its pieces of fewer than ``area`` pixels."""
        from ._piece_kernels import paint  # noqa: PLC0415 - loads the compiler

        large = self.areas()[self.number] >= area
        out = np.zeros(self.shape, dtype=bool)
        paint(self.runs, large, out)
        return out
