"""Convolution of large frames tile by tile: the same values, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import fft

from ..geometry import BoolArray, Box, FloatArray
from .convolve import Convolver, filter_cube
from .kernels import ComplexArray, Kernels, conjugate_transform, kernel_transform

__all__ = ["TiledConvolver"]

SIDE = 512
"""Side of a tile in pixels: its transforms stay in the processor's cache, and the margins are a small part of it."""


@dataclass(frozen=True, eq=False)
class TiledConvolver:
    """What `Convolver` does, by overlap-save (Press et al. 2007, Numerical Recipes, section 13.1).

    Every tile is transformed with a margin as wide as the kernels, whose values are dropped: they are those that wrap
    around.  Tiles to which no light reaches, or of which nobody asks, cost nothing.

    Parameters
    ----------
    kernels : Kernels
    shape : tuple of int
        Frame (y, x).
    side : int
        Side of the tiles, > 0.
    """

    kernels: Kernels
    shape: tuple[int, int]
    side: int = SIDE

    @cached_property
    def gain(self) -> float:
        """Largest factor by which a frequency is amplified."""
        return float(np.abs(self._transform).max())

    def render(self, model: FloatArray, wanted: BoolArray | None = None) -> FloatArray:
        """Model (band, y, x) in the seeing of each band, where pixels (y, x) are ``wanted``; else unspecified."""
        return self._filtered(model, self._transform, wanted)

    def adjoint(self, residual: FloatArray, wanted: BoolArray | None = None) -> FloatArray:
        """Transpose of `render`."""
        return self._filtered(residual, self._conjugate, wanted)

    @property
    def _reach(self) -> tuple[int, int]:
        return Convolver(self.kernels, self.shape).reach

    @cached_property
    def _lengths(self) -> tuple[int, int]:
        # Where one tile covers the frame, half of the margin does: what wraps around falls outside.
        sides = (n + r if n <= self.side else self.side + 2 * r for n, r in zip(self.shape, self._reach, strict=True))
        ly, lx = (fft.next_fast_len(side, real=True) for side in sides)
        return ly, lx

    @cached_property
    def _transform(self) -> ComplexArray:
        return kernel_transform(self.kernels, self._lengths, self._reach)

    @cached_property
    def _conjugate(self) -> ComplexArray:
        return conjugate_transform(self.kernels, self._lengths, self._reach)

    def _filtered(self, cube: FloatArray, transform: ComplexArray, wanted: BoolArray | None) -> FloatArray:
        out = np.zeros_like(cube)
        frame = Box((0, 0), self.shape)
        for tile in self._tiles():
            target = tile.slices_in(frame)
            source = tile.grow(self._reach) & frame
            light = cube[(slice(None), *source.slices_in(frame))]
            if (wanted is not None and not wanted[target].any()) or not light.any():
                continue
            result = filter_cube(light, transform, self._lengths)
            out[(slice(None), *target)] = result[(slice(None), *tile.slices_in(source))]
        return out

    def _tiles(self) -> Iterator[Box]:
        """Boxes that cover the frame."""
        for y in range(0, self.shape[0], self.side):
            for x in range(0, self.shape[1], self.side):
                yield Box.from_bounds(y, min(y + self.side, self.shape[0]), x, min(x + self.side, self.shape[1]))
