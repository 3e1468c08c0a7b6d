"""Compiled sums over the pixels of parents and children: how well they are described, and what they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..scarlet._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray, IntArray

    Float = NDArray[np.float64]
    Planes = tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.integer]]

__all__ = ["count_covered", "share_sums", "squared_residuals", "supported_sums"]


@jit
def squared_residuals(
    planes: Planes, bad: int, first: tuple[int, int], inside: BoolArray, out: tuple[Float, BoolArray]
) -> None:
    """Replace a model by (data − model)² / variance, 0 where that is not known.

    Parameters
    ----------
    planes : tuple
        Images, variances and masks (B, m, n).
    bad : int
        Bits of the mask that make a pixel unusable.
    first : tuple of int
        Row and column of the planes at which the model begins.
    inside : bool array (h, w)
        Pixels that count.
    out : tuple of array (B, h, w)
        The model, changed in place, and usable pixels, which are filled.
    """
    (images, variances, masks), (model, usable) = planes, out
    for band in range(model.shape[0]):
        for y in range(model.shape[1]):
            for x in range(model.shape[2]):
                row, column = y + first[0], x + first[1]
                value, variance = np.float64(images[band, row, column]), np.float64(variances[band, row, column])
                good = inside[y, x] and np.int64(masks[band, row, column]) & bad == 0
                usable[band, y, x] = good and np.isfinite(value) and 0 < variance < np.inf
                change = value - model[band, y, x]
                model[band, y, x] = change * change / variance if usable[band, y, x] else 0.0


@jit
def supported_sums(
    values: Float, usable: BoolArray, support: BoolArray, corner: tuple[int, int], anything: BoolArray
) -> Float:
    """Sum of values over the usable pixels of a support, and their number (2, B).

    Parameters
    ----------
    values, usable : array (B, H, W)
    support : bool array (B, h, w)
        Inside of the values.
    corner : tuple of int
        Row and column of the values at which it begins.
    anything : bool array (B, H, W)
        Usable pixels of the support are set in it.
    """
    out = np.zeros((2, len(values)))
    for band in range(support.shape[0]):
        for row in range(support.shape[1]):
            for column in range(support.shape[2]):
                y, x = row + corner[0], column + corner[1]
                if support[band, row, column] and usable[band, y, x]:
                    anything[band, y, x] = True
                    out[0, band] += values[band, y, x]
                    out[1, band] += 1
    return out


@jit
def share_sums(values: Float, usable: BoolArray, share: NDArray[np.floating], corner: tuple[int, int]) -> Float:
    """Sum ρ, ρ², and ρ times values over usable pixels (3, B).

    Parameters
    ----------
    values, usable : array (B, H, W)
    share : float array (B, h, w)
        ρ.
    corner : tuple of int
        Row and column of the values at which it begins; it may reach beyond them.
    """
    out = np.zeros((3, len(values)))
    for band in range(share.shape[0]):
        for y in range(max(corner[0], 0), min(corner[0] + share.shape[1], values.shape[1])):
            for x in range(max(corner[1], 0), min(corner[1] + share.shape[2], values.shape[2])):
                if usable[band, y, x]:
                    weight = np.float64(share[band, y - corner[0], x - corner[1]])
                    out[0, band] += weight
                    out[1, band] += weight * weight
                    out[2, band] += weight * values[band, y, x]
    return out


@jit
def count_covered(
    planes: Planes,
    bits: tuple[int, int],
    first: tuple[int, int],
    child: tuple[NDArray[np.floating], BoolArray],
    covered: IntArray,
) -> tuple[int, bool, tuple[int, int, int, int]]:
    """Look at the pixels that a child claims in any band.

    Parameters
    ----------
    planes : tuple
        Images, variances and masks (B, m, n).
    bits : tuple of int
        Bits of the mask that say that there are no data, and that a pixel is at the edge.
    first : tuple of int
        Row and column of the planes at which the child begins.
    child : tuple of array (B, h, w)
        Its share, and which pixels of it are masked.
    covered : int array (B,)
        Pixels with data are added to it.

    Returns
    -------
    int
        Number of pixels.
    bool
        Whether any has a bit of an edge.
    tuple of int
        First and last row, and first and last column of the planes; without a pixel they mean nothing.
    """
    (images, variances, masks), (share, masked) = planes, child
    count, at_edge, (top, bottom, left, right) = 0, False, (images.shape[1], -1, images.shape[2], -1)
    for y in range(share.shape[1]):
        for x in range(share.shape[2]):
            mine = False
            for band in range(share.shape[0]):
                mine = mine or share[band, y, x] > 0 or masked[band, y, x]
            if not mine:
                continue
            row, column = y + first[0], x + first[1]
            count, top, bottom = count + 1, min(top, row), max(bottom, row)
            left, right = min(left, column), max(right, column)
            for band in range(share.shape[0]):
                mask, variance = np.int64(masks[band, row, column]), variances[band, row, column]
                at_edge = at_edge or mask & bits[1] != 0
                if mask & bits[0] == 0 and np.isfinite(images[band, row, column]) and 0 < variance < np.inf:
                    covered[band] += 1
    return count, at_edge, (top, bottom, left, right)
