"""Stray flux: positive pixels of the parent that no template covers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ..geometry import Box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..geometry import BoolArray, FloatArray, Footprint, IntArray
    from .config import TemplateConfig

__all__ = ["stray_shares"]


def stray_shares(
    pixels: IntArray,
    peaks: IntArray,
    footprints: Sequence[Footprint],
    is_psf: BoolArray,
    config: TemplateConfig,
) -> FloatArray:
    """Fraction of each stray pixel that each child gets.

    Parameters
    ----------
    pixels : int array (pixel, 2)
        Stray pixels as ``(y, x)``.
    peaks : int array (child, 2)
        Peak pixels as ``(y, x)``.
    footprints : sequence of Footprint
        One per child; an empty one is at no distance from anything.
    is_psf : bool array (child,)
        Children that are point sources.
    config : TemplateConfig
        ``stray_flux_rule`` (not "trim"), ``stray_flux_to_point_sources`` and ``clip_stray_flux_fraction`` are read.

    Returns
    -------
    float64 array (child, pixel)
        Each column sums to 1, or to 0 where no child may have the pixel.
    """
    eligible = _eligible(is_psf, config.stray_flux_to_point_sources)
    shares = np.zeros((len(peaks), len(pixels)))
    if not eligible.any() or len(pixels) == 0:
        return shares
    chosen = [f for f, e in zip(footprints, eligible, strict=True) if e]
    if config.stray_flux_rule == "r-to-peak":
        part = 1 / (1.0 + ((peaks[eligible, None] - pixels[None]) ** 2).sum(axis=2))
    elif config.stray_flux_rule == "r-to-footprint":
        part = 1 / (1 + np.stack([_distance(f, pixels, "euclidean") ** 2 for f in chosen]))
    else:
        part = _nearest(np.stack([_distance(f, pixels, "taxicab") for f in chosen]))
    total = part.sum(axis=0)
    part[part < config.clip_stray_flux_fraction * total] = 0
    total = part.sum(axis=0)
    shares[eligible] = np.divide(part, total, out=np.zeros_like(part), where=total > 0)
    return shares


def _eligible(is_psf: BoolArray, policy: str) -> BoolArray:
    """Children that may have stray flux."""
    if policy == "always" or (policy == "necessary" and is_psf.all()):
        return np.ones(len(is_psf), dtype=bool)
    return ~is_psf


def _nearest(distance: FloatArray) -> FloatArray:
    """1 for the child at the smallest distance (the last of several), 0 for the others and beyond all reach."""
    winner = len(distance) - 1 - distance[::-1].argmin(axis=0)
    won = (np.arange(len(distance))[:, None] == winner) & np.isfinite(distance)
    return np.asarray(won, dtype=np.float64)


def _distance(footprint: Footprint, pixels: IntArray, metric: str) -> FloatArray:
    """Distance of each pixel to the nearest member of a footprint, in pixels; infinite if it has none."""
    if footprint.area == 0:
        return np.full(len(pixels), np.inf)
    box = footprint.box | _around(pixels)
    outside = ~footprint.on(box)
    transform = ndimage.distance_transform_edt if metric == "euclidean" else _taxicab
    at = (pixels[:, 0] - box.origin[0], pixels[:, 1] - box.origin[1])
    return np.asarray(transform(outside)[at], dtype=np.float64)


def _taxicab(outside: BoolArray) -> NDArray[np.int32]:
    return np.asarray(ndimage.distance_transform_cdt(outside, metric="taxicab"))


def _around(pixels: IntArray) -> Box:
    """Tightest box around some pixels (at least one)."""
    first, last = pixels.min(axis=0), pixels.max(axis=0)
    return Box.from_bounds(int(first[0]), int(last[0]) + 1, int(first[1]), int(last[1]) + 1)
