"""Normal equations of shapes, fluxes and sky together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .stamps import draw
from .sums import weighted_stamp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .scene import Data, Drawn, Sources

__all__ = ["Layout", "NormalEquations", "normal_equations"]


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Where unknowns stand in the vector: shapes source by source, then fluxes by source and band, then the sky.

    Parameters
    ----------
    shapes : tuple of slice
        Per source the places of its free parameters.
    fluxes : tuple of slice
        Per source the places of its fluxes.
    sky : slice
    """

    shapes: tuple[slice, ...]
    fluxes: tuple[slice, ...]
    sky: slice

    @classmethod
    def of(cls, free: NDArray[np.bool_], bands: int) -> Layout:
        """Layout for free parameters (source, 8)."""
        counts = free.sum(axis=1)
        ends = np.cumsum(counts)
        shapes = tuple(slice(int(end - count), int(end)) for end, count in zip(ends, counts, strict=True))
        first = int(ends[-1]) if len(ends) else 0
        fluxes = tuple(slice(first + k * bands, first + (k + 1) * bands) for k in range(len(free)))
        return cls(shapes, fluxes, slice(first + len(free) * bands, first + (len(free) + 1) * bands))

    @property
    def length(self) -> int:
        """Number of unknowns."""
        return self.sky.stop


@dataclass(frozen=True, slots=True, eq=False)
class NormalEquations:
    """Curvature and gradient of ½ χ².

    Parameters
    ----------
    layout : Layout
    matrix : float64 array (n, n)
        JᵀWJ.
    right : float64 array (n,)
        JᵀW (data − model).
    """

    layout: Layout
    matrix: NDArray[np.float64]
    right: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Derivatives of one source's model: by its free parameters, and by its flux in each band, the last.

    Parameters
    ----------
    cube, weighted : float32 array (band, derivative, y, x)
        The latter times the weights.
    origin : tuple of int
    """

    cube: NDArray[np.float32]
    weighted: NDArray[np.float32]
    origin: tuple[int, int]


def normal_equations(sources: Sources, drawn: Drawn, data: Data) -> NormalEquations:
    """Linearise the model around the present parameters."""
    bands = len(data.images)
    layout = Layout.of(sources.free, bands)
    blocks = [_block(k, sources, drawn, data) for k in range(len(sources))]
    matrix, right = np.zeros((layout.length, layout.length)), np.zeros(layout.length)
    for i, block in enumerate(blocks):
        size = block.cube.shape[-1]
        flat = block.weighted.reshape(bands, block.cube.shape[1], -1)
        residual = weighted_stamp(drawn.residual, block.origin, size).reshape(bands, -1, 1)
        toward = np.matmul(flat, residual)[:, :, 0].astype(np.float64)
        right[layout.shapes[i]] = toward[:, :-1].sum(axis=0)
        right[layout.fluxes[i]] = toward[:, -1]
        own = np.matmul(flat, block.cube.reshape(flat.shape).transpose(0, 2, 1))
        _place(matrix, layout, (i, i), own)
        levels = flat.sum(axis=2, dtype=np.float64)
        matrix[layout.shapes[i], layout.sky] = levels[:, :-1].T
        matrix[layout.fluxes[i], layout.sky] = np.diag(levels[:, -1])
        for j in range(i + 1, len(blocks)):
            cross = _cross(block, blocks[j])
            if cross is not None:
                _place(matrix, layout, (i, j), cross)
    matrix[layout.sky, layout.sky] = np.diag(data.weights.sum(axis=(1, 2), dtype=np.float64))
    right[layout.sky] = (data.weights * drawn.residual).sum(axis=(1, 2), dtype=np.float64)
    upper = np.triu(matrix)
    return NormalEquations(layout, upper + np.triu(matrix, 1).T, right)


def _block(k: int, sources: Sources, drawn: Drawn, data: Data) -> _Block:
    which = np.flatnonzero(sources.free[k])
    size, origin = int(sources.sizes[k]), sources.origin(k)
    cube = np.empty((len(data.images), len(which) + 1, size, size), dtype=np.float32)
    cube[:, :-1] = draw(sources.parameters[k], origin, size, sources.psfs[k], which)
    cube[:, :-1] *= drawn.fluxes[k][:, None, None, None].astype(np.float32)
    cube[:, -1] = drawn.units[k]
    return _Block(cube, cube * weighted_stamp(data.weights, origin, size)[:, None], origin)


def _cross(first: _Block, second: _Block) -> NDArray[np.float32] | None:
    """Σ of products (band, derivative of the first, of the second) over shared pixels; None if there are none."""
    cuts = []
    for axis in (0, 1):
        a, b = first.origin[axis], second.origin[axis]
        low, high = max(a, b), min(a + first.cube.shape[-1], b + second.cube.shape[-1])
        if high <= low:
            return None
        cuts.append((slice(low - a, high - a), slice(low - b, high - b)))
    bands = len(first.cube)
    left = first.weighted[:, :, cuts[0][0], cuts[1][0]].reshape(bands, first.cube.shape[1], -1)
    right = second.cube[:, :, cuts[0][1], cuts[1][1]].reshape(bands, second.cube.shape[1], -1)
    return np.asarray(np.matmul(left, right.transpose(0, 2, 1)))


def _place(matrix: NDArray[np.float64], layout: Layout, pair: tuple[int, int], sums: NDArray[np.floating]) -> None:
    """Put the products of a pair of sources where they belong, above the diagonal."""
    i, j = pair
    shapes, fluxes = layout.shapes, layout.fluxes
    matrix[shapes[i], shapes[j]] = sums[:, :-1, :-1].sum(axis=0)
    matrix[shapes[i], fluxes[j]] = sums[:, :-1, -1].T
    matrix[shapes[j], fluxes[i]] = sums[:, -1, :-1].T
    bands = np.arange(len(sums))
    matrix[fluxes[i].start + bands, fluxes[j].start + bands] = sums[:, -1, -1]
