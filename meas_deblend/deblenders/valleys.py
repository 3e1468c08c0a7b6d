"""A blend cut along the valleys between its peaks, and pieces put together again as far as a budget allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ..geometry import Box, Footprint
from .cutout import cut_out

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from ..geometry import FloatArray, IntArray, Peak
    from ..image import MultibandExposure

__all__ = ["Basins", "find_basins", "group_basins", "landscape"]

_LEVELS = np.iinfo(np.uint16).max


@dataclass(frozen=True, slots=True, eq=False)
class Basins:
    """The pixels of a blend, each with the peak that it is drained by.

    Parameters
    ----------
    box : Box
        The blend's.
    labels : int32 array (y, x)
        Number of the basin, from 1; 0 outside the blend, and where no peak is connected.
    peaks : tuple of tuples of Peak
        Of each basin; more than one where several share a pixel.
    boxes : tuple of Box
        Of each basin.
    passes : sequence of (int, int)
        Pairs of neighbouring basins, from 0; the shallowest valley first.
    """

    box: Box
    labels: IntArray
    peaks: tuple[tuple[Peak, ...], ...]
    boxes: tuple[Box, ...]
    passes: Sequence[tuple[int, int]]


def landscape(exposure: MultibandExposure, blend: Footprint) -> FloatArray:
    """Image (y, x) of a blend without a deconvolved one: bands weighted by their noise, smoothed by about a PSF."""
    cutout = cut_out(exposure, blend.box)
    rms = cutout.noise_rms
    known = np.isfinite(rms) & (rms > 0)
    total = (cutout.images[known] / rms[known, None, None] ** 2).sum(axis=0)
    smoothed: FloatArray = ndimage.gaussian_filter(total, 1.5)
    return smoothed


def find_basins(blend: Footprint, image: FloatArray) -> Basins:
    """Flood a blend from its peaks downwards (watershed; Vincent & Soille 1991, IEEE PAMI 13, 583).

    Parameters
    ----------
    blend : Footprint
    image : array (y, x)
        On the blend's box.

    Returns
    -------
    Basins
    """
    (y0, x0), (h, w) = blend.box.origin, blend.box.shape
    at: dict[tuple[int, int], list[Peak]] = {}
    for peak in blend.peaks:
        at.setdefault((min(max(peak.y - y0, 0), h - 1), min(max(peak.x - x0, 0), w - 1)), []).append(peak)
    markers = np.where(blend.mask, 0, -1).astype(np.int32)
    for k, place in enumerate(at):
        markers[place] = k + 1
    labels = ndimage.watershed_ift(_depths(image), markers, structure=np.ones((3, 3), dtype=int))
    labels = np.where(labels > 0, labels, 0).astype(np.int32)
    heights = np.array([image[place] for place in at])
    boxes = [Box.from_bounds(s[0].start, s[0].stop, s[1].start, s[1].stop) for s in ndimage.find_objects(labels)]
    return Basins(
        blend.box,
        labels,
        tuple(tuple(peaks) for peaks in at.values()),
        tuple(box.shift(y0, x0) for box in boxes),
        _passes(labels, image, heights),
    )


def group_basins(basins: Basins, fits: Callable[[int, Box], bool]) -> tuple[Footprint, ...]:
    """Put basins together across the shallowest valleys first, as long as what comes of it fits.

    Parameters
    ----------
    basins : Basins
    fits : callable
        Tells from the number of peaks and the box whether a group is small enough. What does not fit on its own stays
        alone.

    Returns
    -------
    tuple of Footprint
        The groups with their peaks, which keep their order; by the number of their first basin.
    """
    home = list(range(len(basins.peaks)))
    counts, boxes = [len(peaks) for peaks in basins.peaks], list(basins.boxes)

    def root(k: int) -> int:
        while home[k] != k:
            home[k] = home[home[k]]
            k = home[k]
        return k

    for i, j in basins.passes:
        a, b = sorted((root(i), root(j)))
        if a != b and fits(counts[a] + counts[b], boxes[a] | boxes[b]):
            home[b], counts[a], boxes[a] = a, counts[a] + counts[b], boxes[a] | boxes[b]
    roots = np.array([root(k) for k in range(len(home))])
    group = np.concatenate([[-1], roots])[basins.labels]
    groups = []
    for a in np.unique(roots):
        peaks = tuple(peak for k in np.flatnonzero(roots == a) for peak in basins.peaks[k])
        cut = boxes[a].slices_in(basins.box)
        groups.append(Footprint.from_mask(group[cut] == a, boxes[a].origin, peaks))
    return tuple(groups)


def _depths(image: FloatArray) -> NDArray[np.uint16]:
    """Image upside down in whole numbers, finely stepped where it is faint."""
    finite = np.nan_to_num(image, nan=0.0, posinf=0.0, neginf=0.0)
    scale = float(np.median(np.abs(finite)))
    height = np.arcsinh(finite / scale) if scale > 0 else finite
    low, high = float(height.min()), float(height.max())
    if high <= low:
        return np.zeros(image.shape, dtype=np.uint16)
    depths: NDArray[np.uint16] = np.rint(_LEVELS * (high - height) / (high - low)).astype(np.uint16)
    return depths


def _passes(labels: IntArray, image: FloatArray, heights: FloatArray) -> list[tuple[int, int]]:
    """Pairs of basins that touch, by the height of the pass between them as a fraction of the lower peak's."""
    found = []
    for one, other in ((np.s_[:-1, :], np.s_[1:, :]), (np.s_[:, :-1], np.s_[:, 1:])):
        a, b = labels[one], labels[other]
        touch = (a != b) & (a > 0) & (b > 0)
        height = np.minimum(image[one], image[other])[touch]
        found.append(np.stack([np.minimum(a, b)[touch], np.maximum(a, b)[touch], height]))
    first, second, height = np.concatenate(found, axis=1)
    if not len(first):
        return []
    pairs, index = np.unique(np.stack([first, second]).astype(np.int64), axis=1, return_inverse=True)
    saddle = np.full(pairs.shape[1], -np.inf)
    np.maximum.at(saddle, index.ravel(), height)
    lower = heights[pairs - 1].min(axis=0)
    ratio = np.divide(saddle, lower, out=np.full_like(saddle, 1.0), where=lower > 0)
    # A tie is broken by the numbers, so that the order is the same everywhere.
    order = np.lexsort((pairs[1], pairs[0], -ratio))
    return [(int(i) - 1, int(j) - 1) for i, j in pairs[:, order].T]
