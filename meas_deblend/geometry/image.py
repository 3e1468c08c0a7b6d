"""An array with its place on the pixel grid, and the pixels that belong to one object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._types import BoolArray, FloatArray
from .box import Box

__all__ = ["HeavyFootprint", "Image"]


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A 2-D array (y, x), or a cube (band, y, x), that covers ``box``.

    Raises
    ------
    ValueError
        If the last two axes of ``array`` do not have the box's shape.
    """

    array: FloatArray
    box: Box

    def __post_init__(self) -> None:
        if self.array.shape[-2:] != self.box.shape:
            raise ValueError(f"array of shape {self.array.shape} does not fit {self.box}")

    def project(self, box: Box) -> Image:
        """Copy onto ``box``: pixels that it does not share with this image are 0."""
        out = np.zeros((*self.array.shape[:-2], *box.shape), dtype=self.array.dtype)
        here, there = self.box.overlap_slices(box)
        out[(..., *there)] = self.array[(..., *here)]
        return Image(out, box)


@dataclass(frozen=True, slots=True, eq=False)
class HeavyFootprint:
    """A footprint that carries its pixels: what one child of a blend is.

    Parameters
    ----------
    box : Box
        Where ``mask`` lies.
    mask : bool array (y, x)
        True for the object's pixels.
    pixels : array (n,)
        Their values, in row-major order of ``mask``.

    Raises
    ------
    ValueError
        If the mask does not fit the box, or the number of pixels is not the number of true mask pixels.
    """

    box: Box
    mask: BoolArray
    pixels: FloatArray

    def __post_init__(self) -> None:
        if self.mask.shape != self.box.shape:
            raise ValueError(f"mask of shape {self.mask.shape} does not fit {self.box}")
        if self.pixels.shape != (int(self.mask.sum()),):
            raise ValueError(f"{self.pixels.shape} pixel values for {int(self.mask.sum())} mask pixels")

    @property
    def area(self) -> int:
        """Number of pixels."""
        return int(self.pixels.size)

    def to_image(self, box: Box | None = None) -> Image:
        """Values on ``box`` (default: the footprint's own), 0 where the object has no pixel."""
        full = np.zeros(self.box.shape, dtype=self.pixels.dtype)
        full[self.mask] = self.pixels
        image = Image(full, self.box)
        return image if box is None else image.project(box)
