"""Weighted sums over the neighbourhoods of all pixels of a tile, by Fourier transform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import fft

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..geometry import FloatArray

__all__ = ["Stencils"]


@dataclass(frozen=True, slots=True, eq=False)
class Stencils:
    """Stencils, transformed for arrays of one shape.

    In double precision where a bright star and the noise beside it share a transform.

    Parameters
    ----------
    transforms : complex array (n, ly, lx // 2 + 1)
        Conjugate transforms, centred on index 0.
    shape : tuple of int
        Of the arrays (y, x) that go with them.
    lengths : tuple of int
        Of the transforms (ly, lx), at least ``shape``.
    reach : tuple of int
        Half sides of the stencils: results so close to the edges of the array hold what wraps around.
    """

    transforms: NDArray[np.complexfloating[Any, Any]]
    shape: tuple[int, int]
    lengths: tuple[int, int]
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
        lengths = (fft.next_fast_len(shape[0], real=True), fft.next_fast_len(shape[1], real=True))
        stamps = np.zeros((len(stencils), *lengths), dtype=dtype)
        rows, columns = np.arange(h) - reach[0], np.arange(w) - reach[1]
        for stamp, stencil in zip(stamps, stencils, strict=True):
            stamp[rows[:, None], columns] = stencil
        return cls(np.conj(fft.rfft2(stamps)), shape, lengths, reach)

    def sums(self, array: FloatArray, index: Sequence[int]) -> list[FloatArray]:
        """Σ over d of stencil(d) · array(x + d) at the inner pixels, for each of the stencils ``index``.

        Parameters
        ----------
        array : array (y, x)
            Of `shape`, margin included, in the precision of the transforms.
        index : sequence of int
            Which stencils.

        Returns
        -------
        list of array (y, x)
            On the array without its margin.
        """
        spectrum = fft.rfft2(array, s=self.lengths)
        (ry, rx), (ny, nx) = self.reach, self.shape
        return [fft.irfft2(spectrum * self.transforms[k], s=self.lengths)[ry : ny - ry, rx : nx - rx] for k in index]
