"""Morphologies in cells, with the freedom that their constraints leave."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np

from ..geometry import BoolArray, Box, FloatArray, IntArray
from ._jit import jit

__all__ = ["Cells", "Factor", "Points", "Shaped", "make_cells"]

MAX_POINTS, MAX_CELLS = 150, 64
"""Most bright points and most cells of a morphology: larger ones are described in blocks of several pixels."""

BRIGHT, FAINT = 0.08, 1e-4
"""Fractions of the brightest pixel: cells above the first are resolved; profiles are cut at the second."""

FREEDOM = 1.3
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


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Square blocks of pixels, inside which light is taken as uniform, and the cells that they make up.

    Parameters
    ----------
    corners : int array (point, 2)
        First pixel (y, x) of each point, on the frame; points of a cell follow each other.
    side : int
        Pixels along a side.
    starts : int array (cell + 1,)
        First point of each cell.
    share : array (point,)
        Part of the cell's sum that belongs to the point.
    """

    corners: IntArray
    side: int
    starts: IntArray
    share: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """A morphology as sums over cells, square blocks of pixels.

    Parameters
    ----------
    layers : tuple of Points
        Fine points of the bright cells, and coarse ones, as large as a cell, of the others.
    total : array (cell,)
        Sum of the morphology in each cell; the first one holds the peak.
    basis : array (cell, parameter)
        Change of these sums per unit of each free parameter: a cell of its own, with those that follow it.
    width : array (parameter,)
        Prior standard deviation.
    """

    layers: tuple[Points, ...]
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
    side, pixels = _blocks(morph, MAX_POINTS, BRIGHT)
    if isinstance(component, Shaped):
        return _shaped_cells(component.tangents(), component.box, side, pixels)
    group, image = _blocks(pixels, MAX_CELLS)
    peak = (component.peak[0] // (side * group), component.peak[1] // (side * group))
    support: BoolArray = image > 0
    support[peak] = True
    rows, columns = np.nonzero(_with_neighbours(support))
    nearest_first = np.argsort((rows - peak[0]) ** 2 + (columns - peak[1]) ** 2, kind="stable")
    places = np.stack([rows, columns], axis=1)[nearest_first]
    level = float(image[image > 0].min()) if np.any(image > 0) else 0.0
    basis, bound = free_directions(image, places, level)
    # The freedom of a cell's pixels is independent, so that of their sum grows with the root of their number.
    width = FREEDOM * bound / (side * group)
    layers = _layers(pixels, places, side, group)
    layers = tuple(replace(layer, corners=layer.corners + np.array(component.box.origin)) for layer in layers)
    return Cells(layers, image[places[:, 0], places[:, 1]], basis, width)


def _layers(pixels: FloatArray, places: IntArray, side: int, group: int) -> tuple[Points, ...]:
    """Fine points of the cells at ``places`` that are bright, coarse points of the others; corners from the box."""
    cells = np.zeros(tuple(n + -n % group for n in pixels.shape))
    cells[: pixels.shape[0], : pixels.shape[1]] = pixels
    cells = cells.reshape(cells.shape[0] // group, group, -1, group).transpose(0, 2, 1, 3)[places[:, 0], places[:, 1]]
    bright = cells.max(axis=(1, 2)) > BRIGHT * pixels.max()
    fine = cells * bright[:, None, None]
    owner, dy, dx = np.nonzero(fine)
    corners = (places[owner] * group + np.stack([dy, dx], axis=1)) * side
    share = fine[owner, dy, dx] / fine.sum(axis=(1, 2))[owner]
    starts = np.searchsorted(owner, np.arange(len(places) + 1))
    coarse = np.concatenate([[0], np.cumsum(~bright)])
    return (
        Points(corners, side, starts, share),
        Points(places[~bright] * (side * group), side * group, coarse, np.ones(coarse[-1])),
    )


def _shaped_cells(tangents: FloatArray, box: Box, side: int, pixels: FloatArray) -> Cells:
    """Every block a cell, that all parameters move; nothing but the data says how far."""
    y, x = np.nonzero(pixels > FAINT * pixels.max())
    basis = np.zeros((len(y), len(tangents)))
    for k, tangent in enumerate(tangents):
        basis[:, k] = _block_sums(tangent, side)[y, x]
    corners = np.stack([y, x], axis=1) * side + np.array(box.origin)
    points = Points(corners, side, np.arange(len(y) + 1), np.ones(len(y)))
    return Cells((points,), pixels[y, x], basis, np.full(basis.shape[1], np.inf))


def _blocks(image: FloatArray, most: int, above: float = 0.0) -> tuple[int, FloatArray]:
    """Side of the smallest blocks of which at most so many exceed a fraction of the largest, and their sums (y, x)."""
    side, sums = 1, image
    while np.count_nonzero(sums > above * sums.max(initial=0)) > most:
        side += 1
        sums = _block_sums(image, side)
    return side, sums


def _block_sums(image: FloatArray, side: int) -> FloatArray:
    """Add up ``image`` (y, x) in blocks, the last ones as large as there are pixels."""
    rows, columns = (np.arange(0, n, side) for n in image.shape)
    sums: FloatArray = np.add.reduceat(np.add.reduceat(image, rows, axis=0), columns, axis=1)
    return sums


def _with_neighbours(mask: BoolArray) -> BoolArray:
    """Grow a mask by one pixel along rows, columns and diagonals."""
    rows = mask.copy()
    rows[1:] |= mask[:-1]
    rows[:-1] |= mask[1:]
    out = rows.copy()
    out[:, 1:] |= rows[:, :-1]
    out[:, :-1] |= rows[:, 1:]
    return out


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
