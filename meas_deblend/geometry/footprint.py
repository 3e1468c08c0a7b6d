"""Peaks, and the sets of pixels that contain them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy import ndimage

from ._types import BoolArray, IntArray
from .box import Box

__all__ = ["Footprint", "Peak"]


@dataclass(frozen=True, slots=True)
class Peak:
    """A detected maximum.

    Parameters
    ----------
    id : int
        Counts the peaks of one parent from 0; stays with the peak through all steps.
    y, x : int
        Pixel of the peak.
    value : float
        Height, in the units of the image that it was detected on (often σ); NaN for a position that was given.
    bands : tuple of str
        Bands that detect the peak's pixel; empty for a position that was given.
    position : tuple of float, optional
        Sub-pixel position ``(y, x)``; the pixel itself where it is not known.
    name : str
        What the user's source list calls it, else "".
    """

    id: int
    y: int
    x: int
    value: float = float("nan")
    bands: tuple[str, ...] = ()
    position: tuple[float, float] | None = None
    name: str = ""

    @property
    def center(self) -> tuple[float, float]:
        """Best known position ``(y, x)``."""
        return self.position if self.position is not None else (float(self.y), float(self.x))


@dataclass(frozen=True, slots=True, eq=False)
class Footprint:
    """A set of pixels and the peaks in it; need not be connected or free of holes.

    Parameters
    ----------
    box : Box
        Where ``mask`` lies.
    mask : bool array (y, x)
        True for member pixels.
    peaks : tuple of Peak
        Brightest first when they come from detection; their order is kept.

    Raises
    ------
    ValueError
        If the mask does not fit the box.
    """

    box: Box
    mask: BoolArray
    peaks: tuple[Peak, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.mask.shape != self.box.shape:
            raise ValueError(f"mask of shape {self.mask.shape} does not fit {self.box}")

    @classmethod
    def from_mask(cls, mask: BoolArray, origin: tuple[int, int] = (0, 0), peaks: tuple[Peak, ...] = ()) -> Footprint:
        """Footprint of the true pixels of ``mask`` (y, x), cut to their bounding box."""
        box = Box.from_mask(mask, origin)
        frame = Box(origin, (mask.shape[0], mask.shape[1]))
        return cls(box, np.ascontiguousarray(mask[box.slices_in(frame)], dtype=bool), peaks)

    @classmethod
    def from_box(cls, box: Box, peaks: tuple[Peak, ...] = ()) -> Footprint:
        """Footprint of all pixels of ``box``."""
        return cls(box, np.ones(box.shape, dtype=bool), peaks)

    @classmethod
    def from_spans(cls, spans: IntArray, peaks: tuple[Peak, ...] = ()) -> Footprint:
        """Footprint from rows ``(y, x_first, x_stop)``, half-open in x (the inverse of `spans`)."""
        if len(spans) == 0:
            return cls(Box((0, 0), (0, 0)), np.zeros((0, 0), dtype=bool), peaks)
        y0, x0 = int(spans[:, 0].min()), int(spans[:, 1].min())
        box = Box.from_bounds(y0, int(spans[:, 0].max()) + 1, x0, int(spans[:, 2].max()))
        mask = np.zeros(box.shape, dtype=bool)
        for y, first, stop in spans:
            mask[y - y0, first - x0 : stop - x0] = True
        return cls(box, mask, peaks)

    @property
    def area(self) -> int:
        """Number of member pixels."""
        return int(np.count_nonzero(self.mask))

    def spans(self) -> IntArray:
        """Maximal horizontal runs as rows ``(y, x_first, x_stop)``, half-open in x, sorted by y then x."""
        height, width = self.mask.shape
        padded = np.zeros((height, width + 2), dtype=np.int8)
        padded[:, 1:-1] = self.mask
        edges = padded[:, 1:] - padded[:, :-1]
        rows, first = np.nonzero(edges == 1)
        stop = np.nonzero(edges == -1)[1]
        y0, x0 = self.box.origin
        return np.stack([rows + y0, first + x0, stop + x0], axis=1).astype(np.int64)

    def contains(self, y: int, x: int) -> bool:
        """Whether the pixel ``(y, x)`` is a member."""
        y0, x0 = self.box.origin
        return self.box.contains(y, x) and bool(self.mask[y - y0, x - x0])

    def on(self, box: Box) -> BoolArray:
        """Membership on ``box`` as a bool array (y, x)."""
        out = np.zeros(box.shape, dtype=bool)
        here, there = self.box.overlap_slices(box)
        out[there] = self.mask[here]
        return out

    def __and__(self, other: Footprint) -> Footprint:
        box = self.box & other.box
        peaks = tuple(p for p in self.peaks if other.contains(p.y, p.x))
        return Footprint.from_mask(self.on(box) & other.on(box), box.origin, peaks)

    def __or__(self, other: Footprint) -> Footprint:
        box = self.box | other.box
        return Footprint.from_mask(self.on(box) | other.on(box), box.origin, self.peaks + other.peaks)

    def dilate(self, radius: int, frame: Box | None = None) -> Footprint:
        """Grow by a disc: pixels within ``radius`` of a member join; cut to ``frame`` if one is given."""
        box = self.box.grow(radius)
        distance = np.arange(-radius, radius + 1)
        disc = distance[:, None] ** 2 + distance[None, :] ** 2 <= radius**2
        grown = ndimage.binary_dilation(self.on(box), disc)
        footprint = Footprint.from_mask(grown, box.origin, self.peaks)
        return footprint if frame is None else footprint & Footprint.from_box(frame)

    def edge(self) -> BoolArray:
        """Members with a neighbour above, below, left or right that is not one (bool, on ``box``)."""
        inner: BoolArray = ndimage.binary_erosion(self.mask)
        return self.mask & ~inner

    def with_peaks(self, peaks: tuple[Peak, ...]) -> Footprint:
        """Return the same pixels with other peaks."""
        return replace(self, peaks=peaks)
