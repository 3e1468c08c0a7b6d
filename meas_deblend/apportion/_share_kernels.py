"""Compiled sharing out of pixels: what each template gets of them, in passes without intermediate images."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..scarlet._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray

    Float = NDArray[np.float64]

__all__ = ["Pixels", "add_relative", "raise_largest", "share_out"]


class Pixels(NamedTuple):
    """The pixels that are shared out: values (B, H, W) float64, usable ones; claimable and detected ones (H, W)."""

    data: Float
    usable: BoolArray
    claimable: BoolArray
    inside: BoolArray


@jit
def raise_largest(values: NDArray[np.floating], corner: tuple[int, int], claimable: BoolArray, largest: Float) -> None:
    """Raise the largest template of each claimable pixel to a template, where that is finite and above 0.

    Parameters
    ----------
    values : float array (B, h, w)
        The template.
    corner : tuple of int
        Row and column ``(y, x)`` of the pixels at which it begins; may be negative.
    claimable : bool array (H, W)
    largest : float64 array (B, H, W)
        At least 0; changed in place.
    """
    (down, right), (height, width) = corner, claimable.shape
    for band in range(values.shape[0]):
        for y in range(max(down, 0), min(down + values.shape[1], height)):
            for x in range(max(right, 0), min(right + values.shape[2], width)):
                value = np.float64(values[band, y - down, x - right])
                if claimable[y, x] and largest[band, y, x] < value < np.inf:
                    largest[band, y, x] = value


@jit
def add_relative(
    values: NDArray[np.floating], corner: tuple[int, int], claimable: BoolArray, largest: Float, total: Float
) -> None:
    """Add a template, relative to the largest one of each pixel, to ``total`` (B, H, W); as `raise_largest` else."""
    (down, right), (height, width) = corner, claimable.shape
    for band in range(values.shape[0]):
        for y in range(max(down, 0), min(down + values.shape[1], height)):
            for x in range(max(right, 0), min(right + values.shape[2], width)):
                value = np.float64(values[band, y - down, x - right])
                if claimable[y, x] and 0.0 < value < np.inf:
                    total[band, y, x] += value / largest[band, y, x]


@jit
def share_out(
    template: tuple[NDArray[np.floating], tuple[int, int]],
    pixels: Pixels,
    sums: tuple[Float, Float],
    first: tuple[int, int],
    out: tuple[NDArray[np.floating], NDArray[np.floating], BoolArray, Float],
) -> None:
    """Give a template its part of the pixels.

    Parameters
    ----------
    template : tuple
        Values (B, h, w), and row and column of the pixels at which they begin.
    pixels : Pixels
    sums : tuple of float64 array (B, H, W)
        By `raise_largest` and `add_relative` of all templates.
    first : tuple of int
        Row and column of the pixels at which the child begins.
    out : tuple of array
        Flux and share, and which of the claimed pixels are not usable (B, m, n): zeros, the child's pixels are written.
        Flux inside and outside the detected pixels (2, B), before it is rounded: zeros, too.
    """
    (values, (down, right)), (largest, total), (flux, share, masked, got) = template, sums, out
    for band in range(flux.shape[0]):
        for row in range(flux.shape[1]):
            y = row + first[0]
            for column in range(flux.shape[2]):
                x = column + first[1]
                value = np.float64(values[band, y - down, x - right])
                if not (pixels.claimable[y, x] and 0.0 < value < np.inf):
                    continue
                weight = value / largest[band, y, x]
                if pixels.usable[band, y, x] and weight > 0:
                    part = weight / total[band, y, x]
                    light = part * pixels.data[band, y, x]
                    share[band, row, column], flux[band, row, column] = part, light
                    got[0 if pixels.inside[y, x] else 1, band] += light
                elif weight > 0:
                    masked[band, row, column] = True
