"""How an image is divided into patches that overlap."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from ..exceptions import InputError

if TYPE_CHECKING:
    from .inputs import Inner

__all__ = ["Tile", "tile_grid"]

_MOST = 100
"""Patches along a side: their number is column + 100 × row."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of an image.

    Parameters
    ----------
    column, row : int
        Which one; its patch is called "column,row".
    x0, x1, y0, y1 : int
        Columns x0 to x1 - 1 of rows y0 to y1 - 1, counted from 0.
    inner : tuple of int
        What it owns of it (X0, X1, Y0, Y1), in its own pixels: those of all tiles cover the image once.
    """

    column: int
    row: int
    x0: int
    x1: int
    y0: int
    y1: int
    inner: Inner

    @property
    def patch(self) -> str:
        """Name of the patch."""
        return f"{self.column},{self.row}"

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.y1 - self.y0, self.x1 - self.x0


def tile_grid(shape: tuple[int, int], size: int, overlap: int) -> tuple[Tile, ...]:
    """Divide an image into tiles of nearly equal size.

    Parameters
    ----------
    shape : tuple of int
        Of the image (y, x).
    size : int
        Largest side of a tile, pixels, overlaps included.
    overlap : int
        Pixels that neighbours share, at least; half of them are within the inner region of each.

    Returns
    -------
    tuple of Tile
        Row by row.

    Raises
    ------
    InputError
        If the overlap is negative or not below half the size, or there are more than 100 tiles along a side.

    Examples
    --------
    >>> [(tile.x0, tile.x1, tile.inner[:2]) for tile in tile_grid((100, 250), 140, 20)]
    [(0, 93, (0, 83)), (73, 177, (10, 94)), (157, 250, (10, 93))]
    """
    if overlap < 0 or size <= 2 * overlap:
        raise InputError(f"tiles of {size} pixels cannot overlap by {overlap}: it must be 0 or more, and below half")
    columns, rows = _parts(shape[1], size, overlap), _parts(shape[0], size, overlap)
    if max(len(columns), len(rows)) > _MOST:
        raise InputError(
            f"{len(columns)} × {len(rows)} tiles of {size} pixels: more than {_MOST} along a side cannot be numbered; "
            "choose a larger --size"
        )
    return tuple(
        Tile(
            column,
            row,
            *x[:2],
            *y[:2],
            (x[2] - x[0], x[3] - x[0], y[2] - y[0], y[3] - y[0]),
        )
        for row, y in enumerate(rows)
        for column, x in enumerate(columns)
    )


def _parts(length: int, size: int, overlap: int) -> list[tuple[int, int, int, int]]:
    """Parts (first, end, first of the inner, end of the inner) of a side."""
    if length <= size:
        return [(0, length, 0, length)]
    # Half an overlap on each side; rounding up may add a pixel to the inner part, and one to the overlap.
    half = math.ceil(overlap / 2)
    count = math.ceil(length / max(1, size - 2 * half - 1))
    borders = [round(k * length / count) for k in range(count + 1)]
    return [(max(0, a - half), min(length, b + half), a, b) for a, b in pairwise(borders)]
