"""How data respond to a model in cells: normal matrices without rendering each cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import fft

from ..geometry import Box, FloatArray, IntArray
from ._jit import jit
from .cells import Cells

__all__ = ["Linear", "Response", "make_response"]


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
class Response:
    """Normal operator of an observation, approximated as a convolution between the roots of local weights.

    Parameters
    ----------
    lags : array (band, 2 r + 1, 2 r + 1)
        Overlap in the data of two unit pixels by their distance, for unit weights.
    root_weight : array (band, y, x)
        Root of the mean weight that a pixel of the model meets in the data.
    """

    lags: FloatArray
    root_weight: FloatArray

    def gram(self, first: Cells, second: Cells) -> FloatArray:
        """Return normal matrices (band, 1 + parameters, 1 + parameters): the morphology, then its free directions."""
        table = _between_blocks(self.lags, first.side, second.side)
        cells = overlap_cells(
            table,
            (first.corners, first.owner, self._weight_at(first)),
            (second.corners, second.owner, self._weight_at(second)),
            (len(first.total), len(second.total)),
        )
        left = np.column_stack([first.total, first.basis])
        right = np.column_stack([second.total, second.basis])
        out: FloatArray = left.T @ (cells @ right)
        return out

    def _weight_at(self, cells: Cells) -> FloatArray:
        """Root weights (point, band) in the middle of each point, times its share."""
        ny, nx = self.root_weight.shape[1:]
        middle = cells.corners + cells.side // 2
        at = self.root_weight[:, np.minimum(middle[:, 0], ny - 1), np.minimum(middle[:, 1], nx - 1)]
        return np.ascontiguousarray((at * cells.share).T)


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
    lags = _positive_definite(spread[:, cy - r : cy + r + 1, cx - r : cx + r + 1])
    flat = observation.render(np.ones((bands, ny, nx), dtype=dtype))
    weighted = observation.adjoint(observation.weights * flat).astype(np.float64)
    gain = observation.adjoint(flat)[:, cy, cx].astype(np.float64)
    weight = weighted / np.where(gain > 0, gain, np.inf)[:, None, None]
    # Where nothing is measured, transforms leave rounding noise.
    weight[weight < 1e-5 * weight.max(initial=0)] = 0
    return Response(lags, np.sqrt(weight))


def _positive_definite(lags: FloatArray) -> FloatArray:
    """Lags (band, n, n), n odd, made symmetric and freed of the negative powers that rounding leaves."""
    n = lags.shape[-1]
    length = fft.next_fast_len(2 * n, real=True)
    even = (lags + lags[:, ::-1, ::-1]) / 2
    # Moved so that lag 0 is the first entry: the transform is then real, a power spectrum.
    centred = np.roll(np.pad(even, [(0, 0), (0, length - n), (0, length - n)]), (-(n // 2), -(n // 2)), axis=(1, 2))
    power = np.maximum(fft.rfft2(centred).real, 0)
    clean = np.roll(fft.irfft2(power, s=(length, length)), (n // 2, n // 2), axis=(1, 2))
    out: FloatArray = np.ascontiguousarray(clean[:, :n, :n])
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
        n = table.shape[axis] - 2 * margin
        shifted = [
            weight * np.take(table, range(margin + e - (second - 1), margin + e - (second - 1) + n), axis=axis)
            for e, weight in enumerate(weights)
        ]
        table = np.sum(shifted, axis=0)
    return table


@jit
def overlap_cells(
    table: FloatArray,
    first: tuple[IntArray, IntArray, FloatArray],
    second: tuple[IntArray, IntArray, FloatArray],
    counts: tuple[int, int],
) -> FloatArray:
    """Overlaps (band, cell, cell) of two sets of cells: sums over all pairs of their points.

    Each set is positions (point, 2), cells (point,) and factors (point, band); the table (band, lag, lag) is 0 beyond
    its edges.
    """
    bands, size, _ = table.shape
    radius = size // 2
    by_lag = np.ascontiguousarray(table.transpose(1, 2, 0))
    sums = np.zeros((counts[0], counts[1], bands))
    for i in range(len(first[0])):
        y, x = first[0][i, 0] + radius, first[0][i, 1] + radius
        factor = first[2][i]
        rows = sums[first[1][i]]
        for j in range(len(second[0])):
            dy, dx = y - second[0][j, 0], x - second[0][j, 1]
            if 0 <= dy < size and 0 <= dx < size:
                for b in range(bands):
                    rows[second[1][j], b] += factor[b] * second[2][j, b] * by_lag[dy, dx, b]
    return np.ascontiguousarray(sums.transpose(2, 0, 1))
