"""How data respond to a model in cells: normal matrices without rendering each cell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from scipy import fft, ndimage

from ..geometry import Box, FloatArray, IntArray
from ._jit import jit
from .cells import Cells, Points

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
    columns : array (cell, 1 + parameter)
        The morphology, and its changes by the free parameters.
    """

    sets: tuple[tuple[int, tuple[IntArray, IntArray, FloatArray]], ...]
    columns: FloatArray


SIGNIFICANT = 1e-4
"""Lags are kept out to where they last exceed this fraction of the largest."""


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """Normal operator of an observation, approximated as a convolution between the roots of local weights.

    Parameters
    ----------
    lags : array (band, 2 r + 1, 2 r + 1)
        Overlap in the data of two unit pixels by their distance, for unit weights.
    root_weight : array (band, y, x)
        Root of the mean weight that a pixel of the model meets in the data.
    tables : dict
        Lags between blocks by their sides, as they are needed.
    """

    lags: FloatArray
    root_weight: FloatArray
    tables: dict[tuple[int, int], FloatArray] = field(default_factory=dict)

    def place(self, cells: Cells) -> Placed:
        """Look up the weights that cells meet."""
        sets = tuple((p.side, (p.corners, p.starts, self._weight_at(p))) for p in cells.layers)
        return Placed(sets, np.column_stack([cells.total, cells.basis]))

    def gram(self, first: Placed, second: Placed) -> FloatArray:
        """Return normal matrices (band, 1 + parameters, 1 + parameters): the morphology, then its free directions."""
        cells = np.zeros((len(self.lags), len(first.columns), len(second.columns)))
        for side, mine in first.sets:
            for other_side, theirs in second.sets:
                overlap_cells(self._table(side, other_side), mine, theirs, cells)
        out: FloatArray = first.columns.T @ (cells @ second.columns)
        return out

    def _table(self, first: int, second: int) -> FloatArray:
        """Lags between blocks of these sides, made once."""
        if (first, second) not in self.tables:
            self.tables[first, second] = _between_blocks(self.lags, first, second)
        return self.tables[first, second]

    def _weight_at(self, points: Points) -> FloatArray:
        """Root weights (band, point) in the middle of each point, times its share."""
        ny, nx = self.root_weight.shape[1:]
        middle = points.corners + points.side // 2
        at = self.root_weight[:, np.minimum(middle[:, 0], ny - 1), np.minimum(middle[:, 1], nx - 1)]
        return np.ascontiguousarray(at * points.share)


def make_response(observation: Linear) -> Response:
    """Response of an observation from two applications of its operators: to a point, and to a flat model."""
    bands = len(observation.weights)
    ny, nx = observation.frame.shape
    dtype = observation.weights.dtype
    point = np.zeros((bands, ny, nx), dtype=dtype)
    cy, cx = ny // 2, nx // 2
    point[:, cy, cx] = 1
    r = min(cy, cx, ny - 1 - cy, nx - 1 - cx)
    spread = observation.adjoint(observation.render(point)).astype(np.float64)
    lags = _positive_definite(_significant(spread[:, cy - r : cy + r + 1, cx - r : cx + r + 1]))
    flat = observation.render(np.ones((bands, ny, nx), dtype=dtype))
    weighted = observation.adjoint(observation.weights * flat).astype(np.float64)
    gain = observation.adjoint(flat)[:, cy, cx].astype(np.float64)
    weight = weighted / np.where(gain > 0, gain, np.inf)[:, None, None]
    # Where nothing is measured, transforms leave rounding noise.
    weight[weight < 1e-5 * weight.max(initial=0)] = 0
    return Response(lags, np.sqrt(weight))


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


def _between_blocks(lags: FloatArray, first: int, second: int) -> FloatArray:
    """Mean of the lags between the pixels of two blocks, by the distance of their first pixels (band, n, n)."""
    if first == second == 1:
        return lags
    weights = np.convolve(np.ones(first), np.ones(second)) / (first * second)
    # Entry e of the weights stands for an offset of e − (second − 1) pixels.
    margin = max(first, second)
    table = np.pad(lags, [(0, 0), (2 * margin, 2 * margin), (2 * margin, 2 * margin)])
    for axis in (1, 2):
        table = ndimage.correlate1d(table, weights, axis, mode="constant", origin=second - 1 - len(weights) // 2)
    return np.ascontiguousarray(table[:, margin:-margin, margin:-margin])


@jit
def overlap_cells(
    table: FloatArray,
    first: tuple[IntArray, IntArray, FloatArray],
    second: tuple[IntArray, IntArray, FloatArray],
    sums: FloatArray,
) -> None:
    """Add to ``sums`` (band, cell, cell) the overlaps of two sets of points, over all pairs.

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
        for i in range(starts[k], starts[k + 1]):
            y, x = corners[i, 0] + radius, corners[i, 1] + radius
            near = False
            for j in range(len(others)):
                dy, dx = y - others[j, 0], x - others[j, 1]
                inside = 0 <= dy < size and 0 <= dx < size
                # The corner of the table stands for what lies outside.
                lag[j] = dy * size + dx if inside else 0
                near |= inside
            if not near:
                continue
            for b in range(bands):
                for c in range(m):
                    total = 0.0
                    for j in range(other_starts[c], other_starts[c + 1]):
                        total += other_factor[b, j] * flat[b, lag[j]]
                    sums[b, k, c] += factor[b, i] * total
