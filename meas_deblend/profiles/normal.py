"""Normal equations of shapes, fluxes and sky together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from .stamps import draw
from .sums import weighted_stamp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .scene import Data, Drawn, Sources

__all__ = [
    "STALE",
    "Block",
    "Layout",
    "Memory",
    "NormalEquations",
    "block_products",
    "derivatives",
    "normal_equations",
]


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
        return int(self.sky.stop)


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
class Block:
    """Derivatives of one source's model: by its free parameters, and by its flux in each band, the last.

    Parameters
    ----------
    cube, weighted : float32 array (band, derivative, y, x)
        The latter times the weights.
    origin : tuple of int
    parameters : float64 array (8,)
    fluxes : float64 array (band,)
        Where the derivatives were taken.
    """

    cube: NDArray[np.float32]
    weighted: NDArray[np.float32]
    origin: tuple[int, int]
    parameters: NDArray[np.float64]
    fluxes: NDArray[np.float64]


@dataclass(slots=True, eq=False)
class Memory:
    """Derivatives, and sums of their products, of sources that have hardly moved since: they are used again."""

    blocks: dict[int, Block] = field(default_factory=dict)
    products: dict[tuple[int, int], NDArray[np.floating] | None] = field(default_factory=dict)

    def forget(self, k: int) -> None:
        """Drop what belongs to a source."""
        self.blocks.pop(k, None)
        for pair in [pair for pair in self.products if k in pair]:
            del self.products[pair]


STALE = 0.1
"""Derivatives are taken anew where a parameter has moved by more than this, in units of its error."""

_STALE_FLUX = 0.1


def normal_equations(sources: Sources, drawn: Drawn, data: Data, memory: Memory | None = None) -> NormalEquations:
    """Linearise the model around the present parameters.

    Parameters
    ----------
    sources : Sources
    drawn : Drawn
    data : Data
    memory : Memory, optional
        Of the same sources on the same stamps; changed in place.  None: all derivatives are taken here.
    """
    memory = Memory() if memory is None else memory
    bands = len(data.images)
    layout = Layout.of(sources.free, bands)
    for k in range(len(sources)):
        if k in memory.blocks and _is_stale(k, sources, drawn, memory):
            memory.forget(k)
        if k not in memory.blocks:
            memory.blocks[k] = derivatives(k, sources, drawn, data)
    blocks, products = memory.blocks, memory.products
    matrix, right = np.zeros((layout.length, layout.length)), np.zeros(layout.length)
    for i in range(len(sources)):
        block = blocks[i]
        flat = block.weighted.reshape(bands, block.cube.shape[1], -1)
        residual = weighted_stamp(drawn.residual, block.origin, block.cube.shape[-1]).reshape(bands, -1, 1)
        toward = np.matmul(flat, residual)[:, :, 0].astype(np.float64)
        right[layout.shapes[i]] = toward[:, :-1].sum(axis=0)
        right[layout.fluxes[i]] = toward[:, -1]
        for j in range(i, len(sources)):
            if (i, j) not in products:
                products[i, j] = _cross(block, blocks[j])
            product = products[i, j]
            if product is not None:
                _place(matrix, layout, (i, j), product)
        levels = flat.sum(axis=2, dtype=np.float64)
        matrix[layout.shapes[i], layout.sky] = levels[:, :-1].T
        matrix[layout.fluxes[i], layout.sky] = np.diag(levels[:, -1])
    matrix[layout.sky, layout.sky] = np.diag(data.weights.sum(axis=(1, 2), dtype=np.float64))
    right[layout.sky] = (data.weights * drawn.residual).sum(axis=(1, 2), dtype=np.float64)
    upper = np.triu(matrix)
    return NormalEquations(layout, upper + np.triu(matrix, 1).T, right)


def _is_stale(k: int, sources: Sources, drawn: Drawn, memory: Memory) -> bool:
    """Whether a source has moved, in units of its errors, or changed its fluxes since its derivatives were taken."""
    block, product = memory.blocks[k], memory.products[k, k]
    free = sources.free[k]
    if product is None or block.cube.shape[1] != np.count_nonzero(free) + 1:
        return True
    curvature = np.diagonal(product[:, :-1, :-1], axis1=1, axis2=2).sum(axis=0)
    moved = (sources.parameters[k, free] - block.parameters[free]) ** 2 * curvature
    changed = np.abs(drawn.fluxes[k] - block.fluxes)
    told = changed**2 * product[:, -1, -1] > 1
    return bool((moved > STALE**2).any() or (told & (changed > _STALE_FLUX * np.abs(block.fluxes))).any())


def derivatives(k: int, sources: Sources, drawn: Drawn, data: Data) -> Block:
    """Take the derivatives of a source's model."""
    which = np.flatnonzero(sources.free[k])
    size, origin = int(sources.sizes[k]), sources.origin(k)
    cube = np.empty((len(data.images), len(which) + 1, size, size), dtype=np.float32)
    cube[:, :-1] = draw(sources.parameters[k], origin, size, sources.psfs[k], which)
    cube[:, :-1] *= drawn.fluxes[k][:, None, None, None].astype(np.float32)
    cube[:, -1] = drawn.units[k]
    weighted = cube * weighted_stamp(data.weights, origin, size)[:, None]
    return Block(cube, weighted, origin, sources.parameters[k], drawn.fluxes[k])


def block_products(block: Block) -> NDArray[np.float32]:
    """Σ of products (band, derivative, derivative) of one source's derivatives."""
    flat = (len(block.cube), block.cube.shape[1], -1)
    return np.asarray(np.matmul(block.weighted.reshape(flat), block.cube.reshape(flat).transpose(0, 2, 1)))


def _cross(first: Block, second: Block) -> NDArray[np.float32] | None:
    """Σ of products (band, derivative of the first, of the second) over shared pixels; None if there are none."""
    if first is second:
        return block_products(first)
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
