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

    from ..geometry import BoolArray, FloatArray, IntArray, Peak
    from ..image import MultibandExposure

__all__ = ["Basins", "find_basins", "group_basins", "landscape"]

FAINT = 1e-3
"""Fraction of the highest peak below which the image is too faint to tell valleys."""


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
    """Give every pixel of a blend to a peak, along the valleys between them (watershed by markers).

    Each pixel drains to its highest neighbour, and so on up to a maximum (Meyer 1994, Signal Processing 38, 113);
    maxima without a peak then join across their highest pass. Where the image is too faint to tell, the nearest peak
    takes the pixel.

    Parameters
    ----------
    blend : Footprint
    image : array (y, x)
        On the blend's box.

    Returns
    -------
    Basins
        Peaks that one maximum drains are in one basin.
    """
    heights = _heights(blend, image)
    maxima = _drained(heights, blend.mask)
    saddles = _saddles(maxima, heights)
    (y0, x0), (h, w) = blend.box.origin, blend.box.shape
    rows = np.clip([peak.y - y0 for peak in blend.peaks], 0, h - 1)
    columns = np.clip([peak.x - x0 for peak in blend.peaks], 0, w - 1)
    home = _Groups(int(maxima.max(initial=0)) + 1)
    owner: dict[int, list[Peak]] = {}
    for peak, maximum in zip(blend.peaks, maxima[rows, columns].tolist(), strict=True):
        owner.setdefault(maximum, []).append(peak)
    for _, i, j in saddles:
        a, b = home.root(i), home.root(j)
        if a != b and not (a in owner and b in owner):
            home.join(*((a, b) if a in owner else (b, a)))
    number = np.zeros(len(home.parents), dtype=np.int32)
    for k, maximum in enumerate(owner):
        number[maximum] = k + 1
    labels = number[np.array([home.root(k) for k in range(len(home.parents))])][maxima]
    boxes = [Box.from_bounds(s[0].start, s[0].stop, s[1].start, s[1].stop) for s in ndimage.find_objects(labels)]
    return Basins(
        blend.box,
        labels,
        tuple(tuple(peaks) for peaks in owner.values()),
        tuple(box.shift(y0, x0) for box in boxes),
        _passes(labels, heights, ndimage.maximum(heights, labels, np.arange(len(owner)) + 1).tolist()),
    )


def group_basins(basins: Basins, fits: Callable[[Sequence[Peak], Box], bool]) -> tuple[Footprint, ...]:
    """Put basins together across the shallowest valleys first, as long as what comes of it fits.

    Parameters
    ----------
    basins : Basins
    fits : callable
        Tells from the peaks and the box whether a group is small enough. What does not fit on its own stays alone.

    Returns
    -------
    tuple of Footprint
        The groups with their peaks, which keep their order; by the number of their first basin.
    """
    home = _Groups(len(basins.peaks))
    held, boxes = list(basins.peaks), list(basins.boxes)
    for i, j in basins.passes:
        a, b = sorted((home.root(i), home.root(j)))
        if a != b and fits(held[a] + held[b], boxes[a] | boxes[b]):
            home.join(a, b)
            held[a], boxes[a] = held[a] + held[b], boxes[a] | boxes[b]
    roots = np.array([home.root(k) for k in range(len(basins.peaks))])
    group = np.concatenate([[-1], roots])[basins.labels]
    groups = []
    for a in np.unique(roots):
        peaks = tuple(peak for k in np.flatnonzero(roots == a) for peak in basins.peaks[k])
        cut = boxes[a].slices_in(basins.box)
        groups.append(Footprint.from_mask(group[cut] == a, boxes[a].origin, peaks))
    return tuple(groups)


class _Groups:
    """Sets that grow together (union and find), each named by one of its members."""

    def __init__(self, count: int) -> None:
        self.parents = list(range(count))

    def root(self, k: int) -> int:
        """Return the name of the set that ``k`` is in."""
        parents = self.parents
        while parents[k] != k:
            parents[k] = parents[parents[k]]
            k = parents[k]
        return k

    def join(self, first: int, second: int) -> None:
        """Make one set of those of two names, under the name of the first."""
        self.parents[second] = first


def _heights(blend: Footprint, image: FloatArray) -> NDArray[np.float64]:
    """Image, with the negative distance to the nearest peak in place of what is faint; −∞ outside the blend."""
    heights = np.nan_to_num(image.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    (y0, x0), (h, w) = blend.box.origin, blend.box.shape
    away = np.ones(blend.box.shape, dtype=bool)
    for peak in blend.peaks:
        away[min(max(peak.y - y0, 0), h - 1), min(max(peak.x - x0, 0), w - 1)] = False
    negative = heights[heights < 0]
    noise = float(np.sqrt(np.mean(negative**2))) if negative.size else 0.0
    level = max(2 * noise, FAINT * float(heights[~away].max(initial=0.0)))
    heights = np.where(heights > level, heights, -ndimage.distance_transform_edt(away))
    return np.where(blend.mask | ~away, heights, -np.inf)


def _drained(heights: NDArray[np.float64], member: BoolArray) -> IntArray:
    """Give each pixel the number, from 1, of the maximum that it drains to; 0 outside the blend."""
    shape, size = heights.shape, heights.size
    # No two pixels are equally high, so that a plateau drains to one of its pixels.
    rank = np.empty(size, dtype=np.int64)
    rank[np.argsort(heights, axis=None, kind="stable")] = np.arange(size)
    padded = np.pad(rank.reshape(shape), 1, constant_values=-1)
    highest = padded[1:-1, 1:-1].copy()
    for dy, dx in ((dy, dx) for dy in (0, 1, 2) for dx in (0, 1, 2)):
        np.maximum(highest, padded[dy : dy + shape[0], dx : dx + shape[1]], out=highest)
    place = np.empty(size, dtype=np.int64)
    place[rank] = np.arange(size)
    target = place[highest.ravel()]
    while not np.array_equal(target, further := target[target]):
        target = further
    inside = np.isfinite(heights).ravel() | member.ravel()
    _, numbers = np.unique(target[inside], return_inverse=True)
    labels = np.zeros(size, dtype=np.int32)
    labels[inside] = numbers.ravel() + 1
    return labels.reshape(shape)


def _saddles(labels: IntArray, heights: NDArray[np.float64]) -> list[tuple[float, int, int]]:
    """Highest pass between each two basins that touch, with their numbers; the highest first."""
    found = []
    for one, other in ((np.s_[:-1, :], np.s_[1:, :]), (np.s_[:, :-1], np.s_[:, 1:])):
        a, b = labels[one], labels[other]
        touch = (a != b) & (a > 0) & (b > 0)
        height = np.minimum(heights[one], heights[other])[touch]
        found.append((np.minimum(a, b)[touch], np.maximum(a, b)[touch], height))
    first, second, height = (np.concatenate(parts) for parts in zip(*found, strict=True))
    # A tie is broken by the numbers, so that the order is the same everywhere.
    order = np.lexsort((second, first, -height))
    highest: dict[tuple[int, int], float] = {}
    for i, j, value in zip(first[order].tolist(), second[order].tolist(), height[order].tolist(), strict=True):
        highest.setdefault((i, j), value)
    return [(value, i, j) for (i, j), value in highest.items()]


def _passes(labels: IntArray, heights: NDArray[np.float64], tops: Sequence[float]) -> list[tuple[int, int]]:
    """Pairs of basins, from 0, by the height of the pass between them as a fraction of the lower top."""
    ratios = []
    for value, i, j in _saddles(labels, heights):
        lower = min(tops[i - 1], tops[j - 1])
        ratios.append((-(value / lower) if value > 0 and lower > 0 else -value + 1, i - 1, j - 1))
    return [(i, j) for _, i, j in sorted(ratios)]
