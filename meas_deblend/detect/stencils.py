"""Weighted sums over the neighbourhoods of all pixels of a tile, by Fourier transforms of blocks of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import fft

from ..geometry import Box
from .tiling import blocks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..geometry import BoolArray, FloatArray

__all__ = ["Stencils"]

LENGTH = 320
"""Of the transforms, about: with what they are multiplied by they stay in the cache of a core, and margins as wide as
PSFs reach cost a third of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Stencils:
    """Stencils, transformed for blocks of arrays of one shape.

    Blocks overlap, and their margins are dropped (overlap-save: Press et al. 2007, Numerical Recipes, section 13.1).

    In double precision where a bright star and the noise beside it share a transform.

    Parameters
    ----------
    transforms : complex array (n, ly, lx // 2 + 1)
        Conjugate transforms, centred on index 0.
    shape : tuple of int
        Of the arrays (y, x) that go with them.
    block : tuple of int
        Sides (y, x) of the blocks that are transformed on their own, margins not counted.
    reach : tuple of int
        Half sides of the stencils: the margins of arrays and of blocks.
    """

    transforms: NDArray[np.complexfloating[Any, Any]]
    shape: tuple[int, int]
    block: tuple[int, int]
    reach: tuple[int, int]

    @classmethod
    def of(
        cls,
        stencils: Sequence[FloatArray],
        inner: tuple[int, int],
        dtype: type[np.floating[Any]] = np.float64,
    ) -> Stencils:
        """Transform stencils (h, w) of one shape with odd sides, for arrays of ``inner`` pixels and a margin.

        The margin is as wide as the stencils reach (`reach`).
        """
        h, w = stencils[0].shape
        reach = (h // 2, w // 2)
        shape = (inner[0] + 2 * reach[0], inner[1] + 2 * reach[1])
        (by, ly), (bx, lx) = (_block(n, r) for n, r in zip(inner, reach, strict=True))
        stamps = np.zeros((len(stencils), ly, lx), dtype=dtype)
        rows, columns = np.arange(h) - reach[0], np.arange(w) - reach[1]
        for stamp, stencil in zip(stamps, stencils, strict=True):
            stamp[rows[:, None], columns] = stencil
        return cls(np.conj(fft.rfft2(stamps)), shape, (by, bx), reach)

    def sums(self, array: FloatArray, k: int, wanted: BoolArray | None = None) -> FloatArray:
        """Σ over d of stencil(d) · array(x + d) at the inner pixels, for stencil number ``k``.

        Parameters
        ----------
        array : array (y, x)
            Of `shape`, margin included, in the precision of the transforms.
        k : int
            Which stencil.
        wanted : bool array (y, x), optional
            Without the margin; blocks that have none of these pixels are 0.

        Returns
        -------
        array (y, x)
            On the array without its margin.
        """
        inner = Box(self.reach, (self.shape[0] - 2 * self.reach[0], self.shape[1] - 2 * self.reach[1]))
        out = np.zeros(inner.shape, dtype=array.dtype)
        for block in blocks(inner, self.block):
            here = block.slices_in(inner)
            if wanted is None or wanted[here].any():
                out[here] = self.sums_on(array, block, k)
        return out

    def sums_on(self, plane: FloatArray, block: Box, k: int) -> FloatArray:
        """Return what `sums` does on one block, at most `block` in size, of a plane (y, x) that is 0 outside."""
        (ry, rx), (height, width) = self.reach, block.shape
        return self.filtered(plane, block, k)[ry : ry + height, rx : rx + width]

    def filtered(self, plane: FloatArray, block: Box, k: int) -> FloatArray:
        """Return what `sums_on` does within an array (y, x) in one piece: behind the first `reach` rows and columns."""
        from ..scarlet.row_filter import filter_rows  # noqa: PLC0415 - loads the compiler

        transform = self.transforms[k : k + 1]
        source = block.grow(self.reach)
        rows = np.zeros((1, source.shape[0], 2 * (transform.shape[2] - 1)), dtype=plane.dtype)
        here, there = source.overlap_slices(Box((0, 0), (plane.shape[0], plane.shape[1])))
        rows[0][here] = plane[there]
        found: FloatArray = filter_rows(rows, transform)[0]
        return found


def _block(inner: int, reach: int) -> tuple[int, int]:
    """Side of equal blocks of ``inner`` pixels with margins of ``reach``, and the even length of their transforms."""
    most = max(LENGTH - 2 * reach, 2 * reach, 1)
    side = -(-inner // -(-inner // most))
    length = fft.next_fast_len(side + 2 * reach, real=True)
    while length % 2:
        length = fft.next_fast_len(length + 1, real=True)
    return side, length
