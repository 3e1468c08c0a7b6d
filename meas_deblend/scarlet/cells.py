"""Morphologies in cells, with the freedom that their constraints leave, and how the data respond to cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from scipy import fft, ndimage

from ..geometry import BoolArray, Box, FloatArray, IntArray
from ._jit import jit

__all__ = ["Cells", "Factor", "Linear", "Response", "Shaped", "make_cells", "make_response"]

MAX_POINTS, MAX_CELLS = 600, 64
"""Most points and most cells of a morphology: larger ones are described in blocks of several pixels."""

FREEDOM = 3.0
"""Prior width of a free pixel in units of the mean of its neighbours closer to the peak, which the constraints make an
upper bound. Chosen such that predicted errors match the scatter of simulated fits."""

HELD = 1e-4
"""A pixel that is at most by this fraction below its bound is held by it."""


class Factor(Protocol):
    """What is needed of a component: any value with these attributes will do."""

    @property
    def box(self) -> Box:
        """Where the morphology lies."""
        ...

    @property
    def peak(self) -> tuple[int, int]:
        """Index of the centre in the morphology."""
        ...

    @property
    def spectrum(self) -> FloatArray:
        """Flux (band,) per unit of morphology."""
        ...

    @property
    def morph(self) -> FloatArray:
        """Shape (y, x) on the box."""
        ...


@runtime_checkable
class Shaped(Protocol):
    """A component whose morphology is given by a few parameters, and not by its pixels."""

    def tangents(self) -> FloatArray:
        """Differentiate the morphology by all parameters that are fitted: (parameter, y, x)."""
        ...


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
class Cells:
    """A morphology as sums over cells, square blocks of points, which themselves are blocks of pixels.

    Parameters
    ----------
    corners : int array (point, 2)
        First pixel (y, x) of each point, on the frame.
    side : int
        Pixels along a side of a point.
    owner : int array (point,)
        Cell that the point lies in.
    share : array (point,)
        Part of the cell's sum that belongs to the point.
    total : array (cell,)
        Sum of the morphology in each cell; the first one holds the peak.
    basis : array (cell, parameter)
        Change of these sums per unit of each free parameter: a cell of its own, with those that follow it.
    width : array (parameter,)
        Prior standard deviation.
    """

    corners: IntArray
    side: int
    owner: IntArray
    share: FloatArray
    total: FloatArray
    basis: FloatArray
    width: FloatArray

    @property
    def flux(self) -> float:
        """Sum of the morphology."""
        return float(self.total.sum())


def make_cells(component: Factor) -> Cells:
    """Cells of a component, and what the constraints leave free.

    Cells that hold the bound of the monotonicity follow their neighbours closer to the peak; cells that are 0 stay 0,
    except around the others, where the support may grow; the cell of the peak stays, since the scale belongs to the
    spectrum.
    """
    morph: FloatArray = component.morph.astype(np.float64)
    side, points = _blocks(morph, MAX_POINTS)
    if isinstance(component, Shaped):
        return _shaped_cells(component.tangents(), component.box, side, points)
    group, image = _blocks(points, MAX_CELLS)
    peak = (component.peak[0] // (side * group), component.peak[1] // (side * group))
    support: BoolArray = image > 0
    support[peak] = True
    rows, columns = np.nonzero(ndimage.binary_dilation(support, np.ones((3, 3), dtype=bool)))
    nearest_first = np.argsort((rows - peak[0]) ** 2 + (columns - peak[1]) ** 2, kind="stable")
    places = np.stack([rows, columns], axis=1)[nearest_first]
    level = float(image[image > 0].min()) if np.any(image > 0) else 0.0
    basis, bound = free_directions(image, places, level)
    total = image[places[:, 0], places[:, 1]]

    index = np.full(image.shape, -1)
    index[places[:, 0], places[:, 1]] = np.arange(len(places))
    owner = np.repeat(np.repeat(index, group, axis=0), group, axis=1)[: points.shape[0], : points.shape[1]]
    # Empty cells are filled evenly, others as the morphology is; points of theirs that are 0 do not count.
    empty = np.where(total > 0, 0, 1)[owner]
    y, x = np.nonzero((owner >= 0) & ((points > 0) | (empty > 0)))
    owner, weight = owner[y, x], (points + empty)[y, x]
    share = weight / np.bincount(owner, weight, minlength=len(total))[owner]
    corners = np.stack([y, x], axis=1) * side + np.array(component.box.origin)
    # The freedom of a cell's pixels is independent, so that of their sum grows with the root of their number.
    return Cells(corners, side, owner, share, total, basis, FREEDOM * bound / (side * group))


def _shaped_cells(tangents: FloatArray, box: Box, side: int, points: FloatArray) -> Cells:
    """Every point a cell, that all parameters move; nothing but the data says how far."""
    y, x = np.nonzero(points > 0)
    basis = np.zeros((len(y), len(tangents)))
    for k, tangent in enumerate(tangents):
        basis[:, k] = _block_sums(tangent, side)[y, x]
    corners = np.stack([y, x], axis=1) * side + np.array(box.origin)
    width = np.full(basis.shape[1], np.inf)
    return Cells(corners, side, np.arange(len(y)), np.ones(len(y)), points[y, x], basis, width)


def _blocks(image: FloatArray, most: int) -> tuple[int, FloatArray]:
    """Side of the smallest blocks of which at most so many are not 0, and the sums of ``image`` (y, x) over them."""
    side, sums = 1, image
    while np.count_nonzero(sums) > most:
        side += 1
        sums = _block_sums(image, side)
    return side, sums


def _block_sums(image: FloatArray, side: int) -> FloatArray:
    """Add up ``image`` (y, x) in blocks, the last ones padded with zeros."""
    padded = np.pad(image, [(0, -n % side) for n in image.shape])
    ny, nx = padded.shape
    sums: FloatArray = padded.reshape(ny // side, side, nx // side, side).sum(axis=(1, 3))
    return sums


@jit
def free_directions(image: FloatArray, places: IntArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Return the basis (cell, parameter) of changes that the constraints admit, and the bound of each parameter.

    ``places`` (cell, 2) are pixels of ``image`` in the order of their distance from the first one, the peak. The bound
    of a pixel is the mean of its closer neighbours, weighted as in the monotonic projection; of pixels at 0, ``level``.
    """
    ny, nx = image.shape
    n = len(places)
    index = np.full((ny, nx), -1)
    basis, bound = np.zeros((n, n)), np.zeros(n)
    free = 0
    cy, cx = places[0]
    for i in range(n):
        y, x = places[i]
        index[y, x] = i
        if i == 0:
            continue
        dy, dx = y - cy, x - cx
        follows = np.zeros(n)
        mean, norm = 0.0, 0.0
        for j in range(max(y - 1, 0), min(y + 2, ny)):
            for k in range(max(x - 1, 0), min(x + 2, nx)):
                qy, qx = j - cy, k - cx
                if qy * qy + qx * qx >= dy * dy + dx * dx:
                    continue
                weight = 1.0  # next to the peak, all neighbours weigh the same
                if qy * qy + qx * qx > 0 and max(abs(dy), abs(dx)) > 1:
                    weight = abs(dy * qy + dx * qx) / np.sqrt(qy * qy + qx * qx)
                mean += weight * image[j, k]
                norm += weight
                if index[j, k] >= 0:
                    follows += weight * basis[index[j, k]]
        value, reference = image[y, x], mean / norm
        if value > 0 and value >= (1 - HELD) * reference:
            basis[i] = follows / norm
            continue
        basis[i, free] = 1
        bound[free] = reference if value > 0 else level
        free += 1
    return basis[:, :free].copy(), bound[:free].copy()


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
