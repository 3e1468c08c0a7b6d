"""Compiled cutting out of pixels, and replacement of all objects but one by noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..scarlet._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray

    Float = NDArray[np.float64]

__all__ = ["keep_own", "place_child", "place_usable", "replace_by_noise"]


@jit
def place_usable(
    planes: tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.integer]],
    bad: int,
    first: tuple[int, int],
    out: tuple[Float, Float, BoolArray],
) -> None:
    """Write flux and variance of usable pixels, and which these are, to a window.

    Parameters
    ----------
    planes : tuple
        Image, variance and mask (B, m, n).
    bad : int
        Bits of the mask that make a pixel unusable.
    first : tuple of int
        Row and column of the planes at which the window begins; may be negative.
    out : tuple
        Flux and variance (B, h, w) float64, and usable pixels bool: zeros; are filled.
    """
    (images, variance, mask), (flux, noise, usable) = planes, out
    down, right = first
    for band in range(images.shape[0]):
        for row in range(max(down, 0), min(down + flux.shape[1], images.shape[1])):
            for column in range(max(right, 0), min(right + flux.shape[2], images.shape[2])):
                value, spread = np.float64(images[band, row, column]), np.float64(variance[band, row, column])
                free = np.int64(mask[band, row, column]) & bad == 0
                if free and np.isfinite(value) and 0 < spread < np.inf:
                    y, x = row - down, column - right
                    flux[band, y, x], noise[band, y, x] = value, spread
                    usable[band, y, x] = True


@jit
def place_child(
    planes: tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.integer]],
    bad: int,
    child: tuple[NDArray[np.floating], NDArray[np.floating], tuple[int, int]],
    first: tuple[int, int],
    out: tuple[Float, Float],
) -> None:
    """Write flux and variance of a child on the usable pixels of which it has a share.

    Parameters
    ----------
    planes, bad
        As for `place_usable`.
    child : tuple
        Flux and share (B, k, l), and row and column of the planes at which they begin.
    first : tuple of int
        Row and column of the planes at which the window begins; the window lies inside of them.
    out : tuple of float64 array (B, h, w)
        Flux and variance ρ² V: zeros; are filled.
    """
    (images, variance, mask), (own, share, (top, left)), (flux, noise) = planes, child, out
    for band in range(flux.shape[0]):
        for row in range(max(first[0], top), min(first[0] + flux.shape[1], top + share.shape[1])):
            for column in range(max(first[1], left), min(first[1] + flux.shape[2], left + share.shape[2])):
                part, spread = (
                    np.float64(share[band, row - top, column - left]),
                    np.float64(variance[band, row, column]),
                )
                free = np.int64(mask[band, row, column]) & bad == 0
                if part > 0 and free and np.isfinite(images[band, row, column]) and 0 < spread < np.inf:
                    flux[band, row - first[0], column - first[1]] = own[band, row - top, column - left]
                    noise[band, row - first[0], column - first[1]] = part**2 * spread


@jit
def keep_own(
    whole: tuple[Float, Float, BoolArray],
    free: BoolArray,
    child: tuple[NDArray[np.floating], NDArray[np.floating]],
    first: tuple[int, int],
    out: tuple[Float, Float],
) -> bool:
    """Keep sky and a child's part of the pixels; return whether others are left that can be replaced by noise.

    Parameters
    ----------
    whole : tuple
        Flux and variance (B, h, w), and which pixels are usable.
    free : bool array (h, w)
        Sky.
    child : tuple of float array (B, m, n)
        Flux and share of the child.
    first : tuple of int
        Row and column of the window at which the child's arrays begin; may be negative.
    out : tuple of float64 array (B, h, w)
        Flux and variance; are filled. The variance of pixels that can be replaced is −1.
    """
    (flux, variance, usable), (own_flux, own_share), (new_flux, new_variance) = whole, child, out
    left = False
    for band in range(flux.shape[0]):
        for y in range(flux.shape[1]):
            row = y - first[0]
            inside = 0 <= row < own_share.shape[1]
            for x in range(flux.shape[2]):
                column = x - first[1]
                share, value = (1.0, flux[band, y, x]) if free[y, x] else (0.0, 0.0)
                if inside and 0 <= column < own_share.shape[2] and own_share[band, row, column] > 0:
                    share = np.float64(own_share[band, row, column])
                    if usable[band, y, x]:
                        value = np.float64(own_flux[band, row, column])
                new_flux[band, y, x] = value
                new_variance[band, y, x] = share**2 * variance[band, y, x]
                if share == 0 and usable[band, y, x]:
                    new_variance[band, y, x] = -1.0
                    left = True
    return left


@jit
def replace_by_noise(drawn: Float, variance: Float, out: tuple[Float, Float]) -> None:
    """Put noise of unit variance (B, h, w), scaled, on the pixels that `keep_own` marked."""
    new_flux, new_variance = out
    for band in range(drawn.shape[0]):
        for y in range(drawn.shape[1]):
            for x in range(drawn.shape[2]):
                if new_variance[band, y, x] < 0:
                    new_variance[band, y, x] = variance[band, y, x]
                    new_flux[band, y, x] = np.sqrt(variance[band, y, x]) * drawn[band, y, x]
