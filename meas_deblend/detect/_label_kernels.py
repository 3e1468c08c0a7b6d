"""Connected pixels and their labels, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..scarlet._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray, IntArray

    Int = NDArray[np.int64]

__all__ = ["every_nth", "members_before", "pieces_around"]


@jit
def every_nth(mask: BoolArray, step: int) -> Int:
    """Flat indices (n,) of the first true pixel of a mask (y, x) in raster order, and of each ``step``-th after it."""
    height, width = mask.shape
    number = 0
    for y in range(height):
        for x in range(width):
            number += mask[y, x]
    out = np.empty((number + step - 1) // step, dtype=np.int64)
    wait, count = 0, 0
    for y in range(height):
        for x in range(width):
            if mask[y, x]:
                if wait == 0:
                    out[count] = y * width + x
                    count += 1
                    wait = step
                wait -= 1
    return out


@jit
def pieces_around(mask: BoolArray, seeds: Int) -> tuple[NDArray[np.int32], Int, Int]:
    """Pieces of a mask (4-connectivity) that hold a seed, in the order of their first seeds.

    Parameters
    ----------
    mask : bool array (y, x)
    seeds : int array (n, 2)
        Pixels (y, x) of the mask.

    Returns
    -------
    int32 array (y, x)
        Number of the piece that a pixel belongs to, from 1; 0 in no piece or one without a seed.
    int64 array (n,)
        Number of each seed's piece.
    int64 array (pieces, 4)
        First row, stop, first column and stop of each.
    """
    height, width = mask.shape
    labels, own = np.zeros((height, width), dtype=np.int32), np.zeros(len(seeds), dtype=np.int64)
    bounds = np.empty((len(seeds), 4), dtype=np.int64)
    # Each pixel is put there once: it is labelled then.
    waiting = np.empty(mask.size, dtype=np.int64)
    count = 0
    for k in range(len(seeds)):
        y, x = seeds[k, 0], seeds[k, 1]
        if labels[y, x] == 0:
            bounds[count] = np.array([y, y + 1, x, x + 1])
            count += 1
            labels[y, x] = count
            waiting[0], left = y * width + x, 1
            box = bounds[count - 1]
            while left > 0:
                left -= 1
                y, x = waiting[left] // width, waiting[left] % width
                box[0], box[1] = min(box[0], y), max(box[1], y + 1)
                box[2], box[3] = min(box[2], x), max(box[3], x + 1)
                for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1)):
                    v, u = y + dy, x + dx
                    if 0 <= v < height and 0 <= u < width and mask[v, u] and labels[v, u] == 0:
                        labels[v, u] = count
                        waiting[left] = v * width + u
                        left += 1
        own[k] = labels[seeds[k, 0], seeds[k, 1]]
    return labels, own, bounds[:count]


@jit
def members_before(bits: NDArray[np.uint8], where: tuple[IntArray, IntArray]) -> Int:
    """Count the members of a mask that come before some pixels in raster order; −1 for pixels that are no members.

    Parameters
    ----------
    bits : uint8 array (y, ⌈x / 8⌉)
        The mask, eight pixels to a byte, the first one in the highest bit (`numpy.packbits`); 0 beyond the last column.
    where : tuple of int array (n,)
        Pixels (y, x).

    Returns
    -------
    int64 array (n,)
    """
    number = np.zeros(256, dtype=np.int64)
    for byte in range(256):
        number[byte] = number[byte >> 1] + (byte & 1)
    before = np.zeros(len(bits) + 1, dtype=np.int64)
    for y in range(len(bits)):
        before[y + 1] = before[y]
        for byte in bits[y]:
            before[y + 1] += number[byte]
    out = np.full(len(where[0]), -1)
    for k in range(len(out)):
        y, x = where[0][k], where[1][k]
        last = np.int64(bits[y, x // 8])
        if (last >> (7 - x % 8)) & 1:
            out[k] = before[y] + number[last >> (8 - x % 8)]
            for byte in bits[y, : x // 8]:
                out[k] += number[byte]
    return out
