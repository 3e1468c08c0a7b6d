"""Normal equations of shapes, fluxes and sky together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .planes import BULGE, N_PARAMETERS
from .products import assemble, cross_products, projections, store_derivatives
from .scene import starts_of
from .stamps import draw_stamps
from .sums import pull_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .scene import Data, Drawn, Sources

__all__ = ["STALE", "Layout", "Memory", "NormalEquations", "normal_equations", "products_of_one"]


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Where unknowns stand in the vector: shapes source by source, then fluxes by source and band, then the sky.

    Parameters
    ----------
    owner, parameter : int64 array (n,)
        Source and number of each free parameter.
    row, band : int64 array (n,)
        Number of the derivative by it, and the only band on which it has an effect; −1 for all bands.
    firsts : int64 array (source + 1,)
        Numbers of the first derivatives.
    sources, bands : int
    """

    owner: NDArray[np.int64]
    parameter: NDArray[np.int64]
    row: NDArray[np.int64]
    band: NDArray[np.int64]
    firsts: NDArray[np.int64]
    sources: int
    bands: int

    @classmethod
    def of(cls, free: NDArray[np.bool_], bands: int) -> Layout:
        """Layout for free parameters (source, 8 + band)."""
        owner, parameter = np.nonzero(free)
        common, of_all = free[:, :N_PARAMETERS], parameter < N_PARAMETERS
        firsts = starts_of(common.sum(axis=1) + 1)
        # What is added to the bulge's share in one band has the derivative by that share, there.
        rank = np.cumsum(common, axis=1)[owner, np.where(of_all, parameter, BULGE)] - 1
        band = np.where(of_all, -1, parameter - N_PARAMETERS)
        return cls(owner, parameter, firsts[owner] + rank, band, firsts, len(free), bands)

    @property
    def places(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """What `assemble` needs to know."""
        return self.owner, self.row, self.band, self.firsts

    @property
    def shapes(self) -> slice:
        """Places of all free parameters."""
        return slice(0, len(self.owner))

    @property
    def fluxes(self) -> slice:
        """Places of all fluxes, source by source."""
        return slice(len(self.owner), len(self.owner) + self.sources * self.bands)

    @property
    def sky(self) -> slice:
        """Places of the sky's levels."""
        return slice(self.fluxes.stop, self.fluxes.stop + self.bands)

    def place(self, k: int) -> slice:
        """Places of the free parameters of a source."""
        first, last = np.searchsorted(self.owner, [k, k + 1])
        return slice(int(first), int(last))


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


@dataclass(slots=True, eq=False)
class Memory:
    """Derivatives of unit images, and sums of their products: those of sources that have hardly moved are used again.

    Parameters
    ----------
    pool : float32 array
        Source by source (band, derivative, y, x): by its free parameters, and the unit image itself as the last.
    starts : int64 array (source + 1,)
        Where they begin in the pool.
    firsts : int64 array (source + 1,)
        The same, counted in derivatives.
    parameters : float64 array (source, 8 + band)
        Where the derivatives were taken; NaN before.
    products : float32 array (band, derivative, derivative)
        Weighted sums of products, of all with all.
    levels : float32 array (band, derivative)
        Weighted sums.
    summed : bool array (source,)
        Whether these sums are there.
    """

    pool: NDArray[np.float32]
    starts: NDArray[np.int64]
    firsts: NDArray[np.int64]
    parameters: NDArray[np.float64]
    products: NDArray[np.float32]
    levels: NDArray[np.float32]
    summed: NDArray[np.bool_]

    @classmethod
    def of(cls, sources: Sources, bands: int) -> Memory:
        """Memory with nothing in it yet."""
        depths = sources.free[:, :N_PARAMETERS].sum(axis=1) + 1
        starts = starts_of(bands * depths * sources.sizes**2)
        firsts = starts_of(depths)
        count = int(firsts[-1])
        return cls(
            np.empty(int(starts[-1]), dtype=np.float32),
            starts,
            firsts,
            np.full(sources.parameters.shape, np.nan),
            np.zeros((bands, count, count), dtype=np.float32),
            np.zeros((bands, count), dtype=np.float32),
            np.zeros(len(sources), dtype=bool),
        )

    def part(self, k: int) -> NDArray[np.float32]:
        """Return the derivatives of one source."""
        return self.pool[self.starts[k] : self.starts[k + 1]]


STALE = 0.2
"""Derivatives are taken anew where a parameter has moved by more than this, in units of its error."""


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
    bands = len(data.images)
    memory = Memory.of(sources, bands) if memory is None else memory
    layout = Layout.of(sources.free, bands)
    _sum(~memory.summed & ~np.isnan(memory.parameters[:, 0]), sources, memory, data)
    stale = _stale(sources, drawn, memory, layout)
    _draw(np.flatnonzero(stale), sources, memory, drawn.units)
    memory.parameters[stale] = sources.parameters[stale]
    _sum(stale, sources, memory, data)
    pulled, total = pull_of(drawn.residual, data.weights)
    toward = np.zeros_like(memory.levels)
    projections(memory.pool, _frames(sources, memory), pulled, np.ones(len(sources), dtype=bool), toward)
    matrix, right = assemble(layout.places, drawn.fluxes, (memory.products, memory.levels, toward))
    sky = np.arange(layout.sky.start, layout.sky.stop)
    # The fluxes' equations have summed the weights already.
    matrix[sky, sky], right[sky] = drawn.equations[0][:, -1, -1], total
    return NormalEquations(layout, matrix, right)


def _frames(sources: Sources, memory: Memory) -> NDArray[np.int64]:
    """Per source: start in the pool, number of the first derivative, their count, side and first pixel of the stamp."""
    return np.column_stack(
        [memory.starts[:-1], memory.firsts[:-1], np.diff(memory.firsts), sources.sizes, sources.origins]
    ).astype(np.int64)


def _stale(sources: Sources, drawn: Drawn, memory: Memory, layout: Layout) -> NDArray[np.bool_]:
    """Whether sources have moved, in units of their errors, since their derivatives were taken."""
    moved = sources.parameters[layout.owner, layout.parameter] - memory.parameters[layout.owner, layout.parameter]
    curvature = memory.products[:, layout.row, layout.row] * drawn.fluxes[layout.owner].T ** 2
    elsewhere = (layout.band >= 0) & (layout.band != np.arange(layout.bands)[:, None])
    curvature = np.where(elsewhere, 0, curvature).sum(axis=0)
    out = np.isnan(memory.parameters[:, 0])
    np.logical_or.at(out, layout.owner, moved**2 * curvature > STALE**2)
    return out


def _sum(new: NDArray[np.bool_], sources: Sources, memory: Memory, data: Data) -> None:
    """Make the sums of sources whose derivatives, or whose pixels' weights, are new."""
    if not new.any():
        return
    frames = _frames(sources, memory)
    cross_products(memory.pool, frames, data.weights, new, memory.products)
    levels = np.zeros_like(memory.levels)
    projections(memory.pool, frames, data.weights, new, levels)
    changed = np.repeat(new, np.diff(memory.firsts))
    memory.levels[:, changed] = levels[:, changed]
    memory.summed[new] = True


def _draw(which: NDArray[np.int64], sources: Sources, memory: Memory, units: Sequence[NDArray[np.float32]]) -> None:
    """Take derivatives of sources; those by the centre are differences of the unit image between pixels."""
    wanted = [np.flatnonzero(sources.free[k, 2:N_PARAMETERS]) + 2 for k in which]
    for k, cube in zip(which, draw_stamps(which, sources, wanted), strict=True):
        bands, _, size, _ = cube.shape
        store_derivatives(cube, units[k], sources.free[k, :2], memory.part(k).reshape(bands, -1, size, size))


def products_of_one(sources: Sources, k: int, drawn: Drawn, data: Data) -> NDArray[np.float64]:
    """Weighted sums of products (band, derivative, derivative) of one source's derivatives; the last is its flux."""
    one = sources.only(k)
    bands = len(data.images)
    memory = Memory.of(one, bands)
    _draw(np.array([0]), one, memory, [drawn.units[k]])
    cross_products(memory.pool, _frames(one, memory), data.weights, np.ones(1, dtype=bool), memory.products)
    scale = np.ones((bands, len(memory.levels[0])))
    scale[:, :-1] = drawn.fluxes[k][:, None]
    return np.asarray(memory.products * scale[:, :, None] * scale[:, None, :])
