"""How data respond to a model in cells: normal matrices without rendering each cell."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from scipy import fft, ndimage

from ..geometry import Box, FloatArray, IntArray
from ._jit import jit
from .cells import Cells, Points
from .convolve import Convolver
from .kernels import Kernels
from .observation import Observation

__all__ = ["Linear", "Placed", "Response", "make_response"]


class Linear(Protocol):
    """What is needed of an observation: a linear map to the data with its transpose, and the weights of the data."""

    @property
    def weights(self) -> FloatArray:
        """Of the data; at least 0."""
        ...

    @property
    def frame(self) -> Box:
        """All pixels of a model."""
        ...

    def render(self, model: FloatArray) -> FloatArray:
        """Model cube (band, y, x) as the data show it."""
        ...

    def adjoint(self, residual: FloatArray) -> FloatArray:
        """Transpose of `render`."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Cells with the weights that they meet.

    Parameters
    ----------
    sets : tuple
        Side of the points of each layer, with their positions (point, 2), the first point of each cell (cell + 1,),
        and factors (band, point): roots of weights times shares.
    total : array (cell,)
        The morphology.
    basis : array (cell, parameter)
        Its changes by the free parameters.
    """

    sets: tuple[tuple[int, tuple[IntArray, IntArray, FloatArray]], ...]
    total: FloatArray
    basis: FloatArray


SIGNIFICANT = 1e-4
"""Lags are kept out to where they last exceed this fraction of the largest."""


@dataclass(frozen=True, slots=True, eq=False)
class Lags:
    """Overlap in the data of two unit pixels by their distance, for unit weights.

    Parameters
    ----------
    values : array (band, 2 r + 1, 2 r + 1)
    """

    values: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """Normal operator of an observation, approximated as a convolution between the roots of local weights.

    Parameters
    ----------
    lags : Lags
    root_weight : array (band, y, x)
        Root of the mean weight that a pixel of the model meets in the data.
    """

    lags: Lags
    root_weight: FloatArray

    def place(self, cells: Cells) -> Placed:
        """Look up the weights that cells meet."""
        sets = tuple((p.side, (p.corners, p.starts, self._weight_at(p))) for p in cells.layers)
        return Placed(sets, cells.total, cells.basis)

    def overlap(self, first: Placed, second: Placed) -> FloatArray:
        """Return the overlaps (band, cell, cell) of the cells of two morphologies, the cells' sums 1."""
        cells = np.zeros((len(self.root_weight), len(first.total), len(second.total)))
        is_own = first is second
        for k, (side, mine) in enumerate(first.sets):
            # Of a morphology with itself half of the pairs tell all: a cell is in one set only.
            for j in range(k if is_own else 0, len(second.sets)):
                other_side, theirs = second.sets[j]
                table = _between_blocks(self.lags, side, other_side)
                overlap_cells(table, mine, theirs, cells, is_own and j == k)
        if is_own:
            mirror(cells)
        return cells

    def _weight_at(self, points: Points) -> FloatArray:
        """Root weights (band, point) in the middle of each point, times its share."""
        ny, nx = self.root_weight.shape[1:]
        middle = points.corners + points.side // 2
        at = self.root_weight[:, np.minimum(middle[:, 0], ny - 1), np.minimum(middle[:, 1], nx - 1)]
        return np.ascontiguousarray(at * points.share)


@jit
def mirror(cells: FloatArray) -> None:
    """Fill matrices (band, n, n), of which one of each pair of entries is 0, with the other one."""
    for b in range(len(cells)):
        for k in range(cells.shape[1]):
            for c in range(k):
                both = cells[b, k, c] + cells[b, c, k]
                cells[b, k, c] = cells[b, c, k] = both


def make_response(observation: Linear) -> Response:
    """Response of an observation: its kernels' lags, and the weights that a pixel of the model meets.

    A pixel meets the mean weight under the square of its kernel there, which is exact for the pixel alone: overlaps of
    templates are then right to 1 % (rms), wherever they lie in the frame.  What is known as a linear map alone is
    applied to a point in the middle for its lags, and to a flat model for the weights.
    """
    if isinstance(observation, Observation):
        lags, squares = lags_of(observation.convolver.kernels), _squared(observation.convolver.kernels)
        weighted = Convolver(squares, observation.frame.shape).adjoint(observation.weights).astype(np.float64)
        gain = squares.stamps.sum(axis=(1, 2), dtype=np.float64)
    else:
        lags, flat = _lags_of_point(observation), np.ones((len(observation.weights), *observation.frame.shape))
        weighted = observation.adjoint(observation.weights * observation.render(flat)).astype(np.float64)
        gain = observation.adjoint(flat)[:, *_middle(observation)].astype(np.float64)
    weight = weighted / np.where(gain > 0, gain, np.inf)[:, None, None]
    # Where nothing is measured, transforms leave rounding noise.
    weight[weight < 1e-5 * weight.max(initial=0)] = 0
    return Response(lags, np.sqrt(weight))


@lru_cache(maxsize=16)
def lags_of(kernels: Kernels) -> Lags:
    """Autocorrelation of kernels; kept for those used last, as they are the same for many blends."""
    radius = max(kernels.radius)
    length = fft.next_fast_len(4 * radius + 1, real=True)
    transform = fft.rfft2(kernels.stamps.astype(np.float64), s=(length, length))
    full = fft.irfft2(np.abs(transform) ** 2, s=(length, length))
    place = np.arange(-2 * radius, 2 * radius + 1)
    return Lags(_positive_definite(_significant(full[:, place[:, None], place])))


def _lags_of_point(observation: Linear) -> Lags:
    """Lags of a linear map, out to the nearest edge of the frame."""
    bands, (ny, nx) = len(observation.weights), observation.frame.shape
    cy, cx = _middle(observation)
    point = np.zeros((bands, ny, nx), dtype=observation.weights.dtype)
    point[:, cy, cx] = 1
    r = min(cy, cx, ny - 1 - cy, nx - 1 - cx)
    spread = observation.adjoint(observation.render(point)).astype(np.float64)
    return Lags(_positive_definite(_significant(spread[:, cy - r : cy + r + 1, cx - r : cx + r + 1])))


def _middle(observation: Linear) -> tuple[int, int]:
    ny, nx = observation.frame.shape
    return ny // 2, nx // 2


@lru_cache(maxsize=16)
def _squared(kernels: Kernels) -> Kernels:
    """Squares of kernels, kept like their lags, so that their transforms are found again."""
    return Kernels(kernels.psfs, kernels.model_psf, kernels.stamps**2, kernels.floor)


def _significant(lags: FloatArray) -> FloatArray:
    """Lags (band, n, n) out to where they last exceed `SIGNIFICANT` of their band's largest, with a border of zeros."""
    r = lags.shape[-1] // 2
    large = np.abs(lags) > SIGNIFICANT * np.abs(lags).max(axis=(1, 2), keepdims=True)
    y, x = np.nonzero(large.any(axis=0))
    reach = int(max(np.abs(y - r).max(initial=0), np.abs(x - r).max(initial=0)))
    return np.pad(lags[:, r - reach : r + reach + 1, r - reach : r + reach + 1], [(0, 0), (1, 1), (1, 1)])


def _positive_definite(lags: FloatArray) -> FloatArray:
    """Lags (band, n, n), n odd, made symmetric and freed of negative powers that cut and rounding leave; border 0."""
    n = lags.shape[-1]
    length = fft.next_fast_len(2 * n, real=True)
    even = (lags + lags[:, ::-1, ::-1]) / 2
    # Moved so that lag 0 is the first entry: the transform is then real, a power spectrum.
    centred = np.roll(np.pad(even, [(0, 0), (0, length - n), (0, length - n)]), (-(n // 2), -(n // 2)), axis=(1, 2))
    power = np.maximum(fft.rfft2(centred).real, 0)
    clean = np.roll(fft.irfft2(power, s=(length, length)), (n // 2, n // 2), axis=(1, 2))
    out: FloatArray = np.ascontiguousarray(clean[:, :n, :n])
    out[:, [0, -1]] = out[:, :, [0, -1]] = 0
    return out


@lru_cache(maxsize=32)
def _between_blocks(lags: Lags, first: int, second: int) -> FloatArray:
    """Mean of the lags between the pixels of two blocks, by the distance of their first pixels (band, n, n)."""
    if first == second == 1:
        return lags.values
    weights = np.convolve(np.ones(first), np.ones(second)) / (first * second)
    # Entry e of the weights stands for an offset of e − (second − 1) pixels.
    margin = max(first, second)
    table = np.pad(lags.values, [(0, 0), (2 * margin, 2 * margin), (2 * margin, 2 * margin)])
    for axis in (1, 2):
        table = ndimage.correlate1d(table, weights, axis, mode="constant", origin=second - 1 - len(weights) // 2)
    return np.ascontiguousarray(table[:, margin:-margin, margin:-margin])


@jit
def overlap_cells(
    table: FloatArray,
    first: tuple[IntArray, IntArray, FloatArray],
    second: tuple[IntArray, IntArray, FloatArray],
    sums: FloatArray,
    is_half: bool,
) -> None:
    """Add to ``sums`` (band, cell, cell) the overlaps of two sets of points, over all pairs or only those from k ≤ c.

    Each set is positions (point, 2), first points (cell + 1,) and factors (band, point); the table (band, lag, lag) is
    0 beyond its edges.
    """
    bands, size, _ = table.shape
    radius, flat = size // 2, table.reshape(bands, -1)
    corners, starts, factor = first
    others, other_starts, other_factor = second
    n, m = len(starts) - 1, len(other_starts) - 1
    lag = np.empty(len(others), dtype=np.int64)
    for k in range(n):
        cell = k if is_half else 0
        for i in range(starts[k], starts[k + 1]):
            y, x = corners[i, 0] + radius, corners[i, 1] + radius
            near = False
            for j in range(other_starts[cell], len(others)):
                dy, dx = y - others[j, 0], x - others[j, 1]
                inside = 0 <= dy < size and 0 <= dx < size
                # The corner of the table stands for what lies outside.
                lag[j] = dy * size + dx if inside else 0
                near |= inside
            if not near:
                continue
            for b in range(bands):
                for c in range(cell, m):
                    total = 0.0
                    for j in range(other_starts[c], other_starts[c + 1]):
                        total += other_factor[b, j] * flat[b, lag[j]]
                    sums[b, k, c] += factor[b, i] * total
