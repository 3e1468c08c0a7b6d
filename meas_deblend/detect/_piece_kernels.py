"""Connected pixels as runs along rows, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..scarlet._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray

    Int = NDArray[np.int64]

__all__ = ["connected", "mark_touched", "paint", "put_members", "runs_of"]


@jit
def runs_of(mask: BoolArray) -> Int:
    """Find runs of true pixels along the rows of a mask (y, x): rows ``(y, x_first, x_stop)``, in raster order."""
    number = 0
    for row in mask:
        before = False
        for member in row:
            number += member & (not before)
            before = member
    runs = np.empty((number, 3), dtype=np.int64)
    count = 0
    for y in range(len(mask)):
        row, inside = mask[y], False
        for x in range(row.size):
            if row[x] != inside:
                inside = row[x]
                if inside:
                    runs[count, 0], runs[count, 1] = y, x
                else:
                    runs[count, 2] = x
                    count += 1
        if inside:
            runs[count, 2] = row.size
            count += 1
    return runs


@jit
def connected(runs: Int, corners: int) -> tuple[NDArray[np.int32], Int]:
    """Find the connected pieces that runs along rows form.

    Parameters
    ----------
    runs : int64 array (n, 3)
        See `runs_of`.
    corners : int
        1: pixels that share a corner are neighbours; 0: only those that share a side.

    Returns
    -------
    int32 array (n,)
        Number of the piece of each run, from 1, in the order of their first runs.
    int64 array (pieces, 4)
        First row, stop, first column and stop of each piece.
    """
    before = np.arange(len(runs))
    above = 0
    for n in range(len(runs)):
        y, first, stop = runs[n, 0], runs[n, 1], runs[n, 2]
        # What ends before this run, or lies further up, touches no later one either.
        while runs[above, 0] < y - 1 or (runs[above, 0] == y - 1 and runs[above, 2] + corners <= first):
            above += 1
        k = above
        while runs[k, 0] == y - 1 and runs[k, 1] < stop + corners:
            # The first run of a piece has none before it; that of both pieces is the earlier of the two.
            one, other = k, n
            while before[one] != one:
                before[one] = before[before[one]]
                one = before[one]
            while before[other] != other:
                before[other] = before[before[other]]
                other = before[other]
            before[max(one, other)] = min(one, other)
            k += 1
    number, bounds = np.empty(len(runs), dtype=np.int32), np.empty((len(runs), 4), dtype=np.int64)
    pieces = 0
    for n in range(len(runs)):
        y, first, stop = runs[n, 0], runs[n, 1], runs[n, 2]
        if before[n] == n:
            bounds[pieces, 0], bounds[pieces, 2], bounds[pieces, 3] = y, first, stop
            pieces += 1
            number[n] = pieces
        else:
            number[n] = number[before[n]]
        box = bounds[number[n] - 1]
        box[1], box[2], box[3] = y + 1, min(box[2], first), max(box[3], stop)
    return number, bounds[:pieces].copy()


@jit
def paint(runs: Int, values: NDArray[Any], plane: NDArray[Any]) -> None:
    """Set the pixels of runs (n, 3) in a plane (y, x) to the runs' values (n,)."""
    for k in range(len(runs)):
        plane[runs[k, 0], runs[k, 1] : runs[k, 2]] = values[k]


@jit
def mark_touched(runs: Int, number: NDArray[np.int32], mask: BoolArray, touched: BoolArray) -> None:
    """Set ``touched`` (n,) for the numbers (runs,) of runs with a pixel of a mask (y, x)."""
    for k in range(len(runs)):
        # One pixel is enough, and most masks have one near the beginning.
        if not touched[number[k]]:
            for x in range(runs[k, 1], runs[k, 2]):
                if mask[runs[k, 0], x]:
                    touched[number[k]] = True
                    break


@jit
def put_members(
    mask: BoolArray, bounds: tuple[tuple[int, int], tuple[int, int]], values: NDArray[Any], plane: NDArray[Any]
) -> None:
    """Set the pixels of a mask (y, x) in a box to values (n,) in raster order.

    Parameters
    ----------
    mask : bool array (y, x)
    bounds : tuple of tuple of int
        First pixel (y, x) of the box, and the first behind it along both axes.
    values : array (n,)
    plane : array (y, x)
        Is changed.
    """
    (top, left), (bottom, right) = bounds
    count = 0
    for y in range(top, bottom):
        for x in range(left, right):
            if mask[y, x]:
                plane[y, x] = values[count]
                count += 1
