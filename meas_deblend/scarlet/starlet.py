"""Starlets: the isotropic undecimated wavelet transform (Starck, Fadili & Murtagh 2007, IEEE TIP 16, 297)."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..geometry import FloatArray

__all__ = ["scale_count", "starlet_inverse", "starlet_transform"]

Generation = Literal[1, 2]

TAPS = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
"""Cubic B-spline, at offsets −2 … 2 times 2^scale."""


def scale_count(shape: tuple[int, int], requested: int | None = None) -> int:
    """Return the number of scales for an image of ``shape``: at most ⌊log₂(shorter side)⌋ − 1."""
    most = max(int(np.log2(max(min(shape), 1))) - 1, 0)
    return most if requested is None else min(requested, most)


def starlet_transform(image: FloatArray, scales: int | None = None, generation: Generation = 2) -> FloatArray:
    """Wavelet planes of an image, from fine to coarse.

    Parameters
    ----------
    image : array (..., y, x)
        Zero outside.
    scales : int, optional
        Number of wavelet planes wanted; fewer are made of a small image (see `scale_count`).
    generation : {1, 2}
        1: w = c − h∗c, so that the planes sum to the image. 2: w = c − h∗h∗c, whose inverse is positive.

    Returns
    -------
    array (scales + 1, ..., y, x)
        The last plane is the smooth rest.
    """
    count = scale_count((image.shape[-2], image.shape[-1]), scales)
    smooth = image
    planes = []
    for j in range(count):
        coarser = _smooth(smooth, j)
        planes.append(smooth - (coarser if generation == 1 else _smooth(coarser, j)))
        smooth = coarser
    return np.stack([*planes, smooth])


def starlet_inverse(planes: FloatArray, generation: Generation = 2) -> FloatArray:
    """Image of which `starlet_transform` made ``planes`` (scales + 1, ..., y, x)."""
    if generation == 1:
        total: FloatArray = planes.sum(axis=0)
        return total
    image: FloatArray = planes[-1]
    for j in range(len(planes) - 2, -1, -1):
        image = planes[j] + _smooth(image, j)
    return image


def _smooth(image: FloatArray, scale: int) -> FloatArray:
    """Convolve with the spline, taps 2^scale apart, along both axes."""
    for axis in (-1, -2):
        out = TAPS[2] * image
        for taps in (1, 2):
            shift = taps << scale
            if shift < image.shape[axis]:
                low = (..., slice(None, -shift)) if axis == -1 else (..., slice(None, -shift), slice(None))
                high = (..., slice(shift, None)) if axis == -1 else (..., slice(shift, None), slice(None))
                out[high] += TAPS[2 + taps] * image[low]
                out[low] += TAPS[2 - taps] * image[high]
        image = out
    return image
