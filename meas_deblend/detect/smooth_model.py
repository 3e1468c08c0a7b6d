"""The smooth light of one large source: elliptical isophotes around its peak, with a median of each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ..geometry import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray, FloatArray

__all__ = ["SmoothModel", "Stamp", "smooth_model"]

FAINTEST = 3.0
"""Height, in standard deviations of a pixel of all bands together, at which a source is taken to end."""
SHARE = 0.03
"""The same as a share of the height of its peak, so that the ellipse is not that of a halo."""
RING = 0.1
"""Width of a ring over its radius; a pixel at least."""
LEAST = 5
"""Pixels of a ring whose median counts."""


@dataclass(frozen=True, slots=True, eq=False)
class Stamp:
    """Pixels around a peak.

    Parameters
    ----------
    box : Box
    images, variance : float array (band, y, x)
        Image units, and their square.
    usable : bool array (band, y, x)
    center : tuple of int
        Pixel (y, x) of the peak.
    """

    box: Box
    images: FloatArray
    variance: FloatArray
    usable: BoolArray
    center: tuple[int, int]

    def together(self) -> NDArray[np.float64]:
        """Sum over bands (y, x) of image / noise, in units of the noise of that sum; NaN where no band is usable."""
        noise = np.sqrt(np.where(self.usable, self.variance, np.inf).min(axis=(1, 2)))
        known = np.isfinite(noise)
        count = self.usable[known].sum(axis=0)
        total = np.where(self.usable[known], self.images[known] / noise[known, None, None], 0).sum(axis=0)
        return np.where(count > 0, total / np.sqrt(np.maximum(count, 1)), np.nan)


@dataclass(frozen=True, eq=False)
class SmoothModel:
    """A source with nested elliptical isophotes.

    Parameters
    ----------
    stamp : Stamp
        What it is a model of.
    radius : float64 array (y, x)
        Of the isophote of each pixel of the stamp: geometric mean of its semi-axes, pixels.
    ring : int array (y, x)
        Number of the ring between two isophotes that a pixel lies in.
    edges : tuple of float
        Outer radii of the rings.
    last : int
        First ring without light.
    half_light : float
        Radius of the isophote that holds half of the light of all bands together, pixels.
    """

    stamp: Stamp
    radius: NDArray[np.float64]
    ring: NDArray[np.intp]
    edges: tuple[float, ...]
    last: int
    half_light: float

    @cached_property
    def images(self) -> NDArray[np.float64]:
        """Model (band, y, x) in image units; most sources are too small for anybody to ask for it."""
        middle = np.concatenate([[0.0], 0.5 * (np.array(self.edges[:-1]) + np.array(self.edges[1:]))])
        # Behind the last ring the profile is 0, whatever is there.
        inside = self.ring < self.last
        profiles = (
            _falling(_medians(image, usable & inside, self.ring, len(self.edges)), self.last)
            for image, usable in zip(self.stamp.images, self.stamp.usable, strict=True)
        )
        return np.stack([np.interp(self.radius, middle, profile) for profile in profiles])


def smooth_model(stamp: Stamp) -> SmoothModel | None:
    """Model the light of the source in the middle of a stamp, whatever lies on and around it.

    Its ellipse has the second moments of the pixels above a threshold that the image has on both sides of the peak,
    which the light of a neighbour has not. The median of a ring does not see what covers less than half of it: spiral
    arms, clumps, neighbours. Outwards the model never rises.

    Parameters
    ----------
    stamp : Stamp

    Returns
    -------
    SmoothModel or None
        None if there is too little of a source, or it has not ended within the stamp.
    """
    together = stamp.together()
    region = _two_sided(together, stamp)
    if region is None:
        return None
    radius = _isophotes(region, stamp)
    edges = [0.5]
    reach = min(min(stamp.box.shape) // 2, float(radius.max()))
    while edges[-1] < reach:
        edges.append(edges[-1] + max(1.0, RING * edges[-1]))
    ring = np.digitize(radius, edges)
    level = _medians(together, np.isfinite(together), ring, len(edges))
    ended = np.flatnonzero(level < 1.0)
    if ended.size == 0:
        return None
    last = int(ended[0])
    level[last:] = 0
    growth = np.cumsum(level * np.bincount(ring.ravel(), minlength=len(edges))[: len(edges)])
    half_light = float(np.interp(0.5 * growth[-1], np.concatenate([[0.0], growth]), [0.0, *edges]))
    return SmoothModel(stamp, radius, ring, tuple(edges), last, half_light)


def _two_sided(together: FloatArray, stamp: Stamp) -> BoolArray | None:
    """Pixels (y, x) around the peak that are above the threshold on both sides of it."""
    y, x = stamp.center[0] - stamp.box.origin[0], stamp.center[1] - stamp.box.origin[1]
    height, width = together.shape
    filled = np.nan_to_num(together, nan=0.0)
    half_y, half_x = min(y, height - 1 - y), min(x, width - 1 - x)
    part = filled[y - half_y : y + half_y + 1, x - half_x : x + half_x + 1]
    both = np.zeros_like(filled)
    both[y - half_y : y + half_y + 1, x - half_x : x + half_x + 1] = np.minimum(part, part[::-1, ::-1])
    # Noise makes holes in what is faint.
    both = ndimage.uniform_filter(both, 3)
    labels = ndimage.label(both > max(FAINTEST, SHARE * both[y, x]))[0]
    if labels[y, x] == 0:
        return None
    region: BoolArray = labels == labels[y, x]
    return region if np.count_nonzero(region) >= LEAST else None


def _isophotes(region: BoolArray, stamp: Stamp) -> NDArray[np.float64]:
    """Radius (y, x) of ellipses with the axis ratio and the angle of a region's second moments about the peak."""
    dy, dx = (
        np.arange(n)[:, None] + o - c if axis == 0 else np.arange(n)[None, :] + o - c
        for axis, (n, o, c) in enumerate(zip(stamp.box.shape, stamp.box.origin, stamp.center, strict=True))
    )
    yy, xx, xy = (float(np.broadcast_to(p, region.shape)[region].mean()) for p in (dy * dy, dx * dx, dx * dy))
    # A pixel has a width itself: without it a line of pixels would have no area.
    yy, xx = yy + 1 / 12, xx + 1 / 12
    determinant = max(yy * xx - xy**2, 1e-6)
    return np.asarray(np.sqrt((xx * dy**2 - 2 * xy * dx * dy + yy * dx**2) / np.sqrt(determinant)))


def _medians(image: FloatArray, usable: BoolArray, ring: NDArray[np.intp], count: int) -> NDArray[np.float64]:
    """Medians (ring,) of an image; rings with too few usable pixels have that of the one within."""
    from ._ring_kernels import ring_medians  # noqa: PLC0415 - loads the compiler

    # Within the first pixels a ring has not many.
    least = np.full(count, LEAST)
    least[:2] = 1
    return ring_medians(np.asarray(image, dtype=np.float64), usable, ring, least)


def _falling(profile: NDArray[np.float64], last: int) -> NDArray[np.float64]:
    """Profile that never rises outwards, and is 0 from ring number ``last``."""
    out = np.maximum(np.minimum.accumulate(profile), 0.0)
    out[last:] = 0
    return out
