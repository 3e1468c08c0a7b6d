"""Smoothing and monotone projection of template images."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import FloatArray

__all__ = ["median_smooth", "project_monotone"]

CHUNK = 5
"""Rings that cast their shadows at the same time, and the length of a shadow, in pixels."""

HALF_SLOPE = 0.3
"""A shadow widens by this many pixels per pixel to either side of its ray."""


def median_smooth(image: FloatArray, halfsize: int) -> FloatArray:
    """Replace each pixel that is ``halfsize`` from every border by the median of the box around it.

    Parameters
    ----------
    image : float64 array (y, x)
        Finite. Returned as it is if it is smaller than the box.
    halfsize : int
        The box has ``2·halfsize + 1`` pixels on a side.

    Returns
    -------
    float64 array (y, x)
        Pixels at the borders keep their values, so that the result has the symmetry of the input.
    """
    size = 2 * halfsize + 1
    if min(image.shape) < size:
        return image
    inner = (slice(halfsize, -halfsize), slice(halfsize, -halfsize))
    out = image.copy()
    out[inner] = ndimage.median_filter(image, size=size)[inner]
    return out


def project_monotone(image: FloatArray, center: tuple[int, int]) -> FloatArray:
    """Lower pixels until none is brighter than what lies between it and the peak ("shadow casting").

    Every pixel limits those behind it, as seen from the peak, in a cone of half-slope 0.3 and length 5; square rings
    around the peak are handled from the inside out, five at a time.  The peak itself casts no shadow.  A circular
    Gaussian is unchanged; zeros shadow too.

    Parameters
    ----------
    image : float64 array (y, x)
        Finite.
    center : tuple of int
        Index ``(y, x)`` of the peak in ``image``; may lie outside.

    Returns
    -------
    float64 array (y, x)
        At most ``image`` everywhere, with its symmetry under a half turn about the peak; it scales with the image.
    """
    out = np.array(image, order="C")
    flat = out.reshape(-1)
    (height, width), (cy, cx) = image.shape, center
    reach = max(cx, width - cx, cy, height - cy)
    for first in range(0, reach, CHUNK):
        source, target = _shadows(first)
        ty, tx, sy, sx = target[0] + cy, target[1] + cx, source[0] + cy, source[1] + cx
        inside = (ty >= 0) & (ty < height) & (tx >= 0) & (tx < width)
        inside &= (sy >= 0) & (sy < height) & (sx >= 0) & (sx < width)
        flat_source, flat_target = (sy * width + sx)[inside], (ty * width + tx)[inside]
        # All sources of a chunk are read before any of its pixels is lowered.
        np.minimum.at(flat, flat_target, flat[flat_source])
    return out


@lru_cache(maxsize=128)
def _shadows(first: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Offsets (2, n) as (y, x) from the peak of the pixels of rings ``first … first + 4``, and of those they shadow."""
    sources, targets = [], []
    for ring in range(max(first, 1), first + CHUNK):
        up, down = np.arange(-ring, ring), np.arange(ring, -ring, -1)
        side = np.full(2 * ring, ring)
        # Columns right and left of the peak shadow along x, rows below and above it along y.
        for along, across, swap in ((side, up, False), (side, down, True), (-side, down, False), (-side, up, True)):
            source, target = _cones(along, across)
            sources.append(source if swap else source[::-1])
            targets.append(target if swap else target[::-1])
    if not sources:
        return np.zeros((2, 0), np.int32), np.zeros((2, 0), np.int32)
    return np.concatenate(sources, axis=1), np.concatenate(targets, axis=1)


def _cones(along: NDArray[np.int64], across: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return sources and their shadows as (2, n) offsets (along, across)."""
    low = across / along - HALF_SLOPE
    high = low + 2 * HALF_SLOPE
    step = np.arange(1, CHUNK + 1)
    start, stop = _round(step * low[:, None]), _round(step * high[:, None])
    # A cone of half-slope 0.3 is at most 4 pixels wide after 5 steps.
    b = start[..., None] + np.arange(5)
    sign = np.sign(along)[:, None, None]
    source = np.broadcast_arrays(along[:, None, None], across[:, None, None], b)[:2]
    target = (along[:, None, None] + sign * step[:, None] + 0 * b, across[:, None, None] + sign * b)
    used = b <= stop[..., None]
    return (
        np.stack([s[used] for s in source]).astype(np.int32),
        np.stack([t[used] for t in target]).astype(np.int32),
    )


def _round(z: FloatArray) -> NDArray[np.int64]:
    """Nearest integer, halves away from zero (adding ½ would carry a value just below a half over it)."""
    whole = np.trunc(z)
    return np.asarray(whole + np.sign(z) * (np.abs(z - whole) >= 0.5), dtype=np.int64)
