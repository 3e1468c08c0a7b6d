"""Morphologies in cells, with the freedom that their constraints leave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from ..geometry import Box, FloatArray, IntArray
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
    group, image = _blocks(pixels, MAX_CELLS, 0.0)
    peak = (component.peak[0] // (side * group), component.peak[1] // (side * group))
    places, level = supported(image, peak)
    basis, bound = free_directions(image, places, level)
    # The freedom of a cell's pixels is independent, so that of their sum grows with the root of their number.
    width = FREEDOM * bound / (side * group)
    fine, coarse, total = layers_of(pixels, image, places, (side, group), component.box.origin)
    layers = (Points(fine[0], side, *fine[1:]), Points(coarse[0], side * group, *coarse[1:]))
    return Cells(layers, total, basis, width)


def _shaped_cells(tangents: FloatArray, box: Box, side: int, pixels: FloatArray) -> Cells:
    """Every block a cell, that all parameters move; nothing but the data says how far."""
    y, x = np.nonzero(pixels > FAINT * pixels.max())
    basis = np.zeros((len(y), len(tangents)))
    for k, tangent in enumerate(tangents):
        basis[:, k] = _block_sums(tangent, side)[y, x]
    corners = np.stack([y, x], axis=1) * side + np.array(box.origin)
    points = Points(corners, side, np.arange(len(y) + 1), np.ones(len(y)))
    return Cells((points,), pixels[y, x], basis, np.full(basis.shape[1], np.inf))


@jit
def _blocks(image: FloatArray, most: int, above: float) -> tuple[int, FloatArray]:
    """Side of the smallest blocks of which at most so many exceed a fraction of the largest, and their sums (y, x)."""
    side, sums = 1, image
    while True:
        largest = 0.0
        for value in sums.ravel():
            largest = max(largest, float(value))
        many = 0
        for value in sums.ravel():
            if value > above * largest:
                many += 1
        if many <= most:
            return side, sums
        side += 1
        sums = _block_sums(image, side)


@jit
def _block_sums(image: FloatArray, side: int) -> FloatArray:
    """Add up ``image`` (y, x) in blocks, the last ones as large as there are pixels."""
    ny, nx = image.shape
    sums = np.zeros((-(-ny // side), -(-nx // side)))
    for y in range(ny):
        for x in range(nx):
            sums[y // side, x // side] += image[y, x]
    return sums


@jit
def supported(image: FloatArray, peak: tuple[int, int]) -> tuple[IntArray, float]:
    """Return the pixels (n, 2) above 0, the peak, and their neighbours, in the order of their distance from the peak.

    Of the same distance those that come first in the image do. Also returned is the least value above 0, 0 if none is.
    """
    ny, nx = image.shape
    wanted = np.zeros((ny, nx), dtype=np.bool_)
    level = np.inf
    farthest = 0
    for y in range(ny):
        for x in range(nx):
            if image[y, x] > 0:
                level = min(level, image[y, x])
            elif (y, x) != peak:
                continue
            for j in range(max(y - 1, 0), min(y + 2, ny)):
                for k in range(max(x - 1, 0), min(x + 2, nx)):
                    wanted[j, k] = True
                    farthest = max(farthest, (j - peak[0]) ** 2 + (k - peak[1]) ** 2)
    # Squares of distances are small whole numbers: so many pixels have each, and come before the farther ones.
    first = np.zeros(farthest + 2, dtype=np.int64)
    for y in range(ny):
        for x in range(nx):
            if wanted[y, x]:
                first[(y - peak[0]) ** 2 + (x - peak[1]) ** 2 + 1] += 1
    first = np.cumsum(first)
    places = np.empty((first[-1], 2), dtype=np.int64)
    for y in range(ny):
        for x in range(nx):
            if wanted[y, x]:
                square = (y - peak[0]) ** 2 + (x - peak[1]) ** 2
                places[first[square], 0], places[first[square], 1] = y, x
                first[square] += 1
    return places, level if level < np.inf else 0.0


@jit
def layers_of(
    pixels: FloatArray, image: FloatArray, places: IntArray, sides: tuple[int, int], origin: tuple[int, int]
) -> tuple[tuple[IntArray, IntArray, FloatArray], tuple[IntArray, IntArray, FloatArray], FloatArray]:
    """Fine points of the cells at ``places`` that are bright, coarse points of the others, and all cells' sums.

    Parameters
    ----------
    pixels, image : arrays (y, x)
        Points, and cells, as they are added up.
    places : int array (cell, 2)
        In ``image``.
    sides : tuple of int
        Side of a point in pixels, and of a cell in points.
    origin : tuple of int
        First pixel (y, x).

    Returns
    -------
    two tuples of arrays
        Corners (point, 2), first points (cell + 1,) and shares (point,) of the fine and of the coarse ones.
    total : array (cell,)
    """
    (side, group), (ny, nx), n = sides, pixels.shape, len(places)
    level = BRIGHT * pixels.max()
    total = np.empty(n)
    corners, share = np.empty((n * group * group, 2), dtype=np.int64), np.empty(n * group * group)
    coarse = np.empty((n, 2), dtype=np.int64)
    starts, coarse_starts = np.zeros(n + 1, dtype=np.int64), np.zeros(n + 1, dtype=np.int64)
    many = few = 0
    for i in range(n):
        y0, x0 = places[i, 0] * group, places[i, 1] * group
        total[i] = image[places[i, 0], places[i, 1]]
        y1, x1 = min(y0 + group, ny), min(x0 + group, nx)
        largest = whole = 0.0
        for y in range(y0, y1):
            for x in range(x0, x1):
                largest = max(largest, pixels[y, x])
                whole += pixels[y, x]
        if largest > level:
            for y in range(y0, y1):
                for x in range(x0, x1):
                    if pixels[y, x] != 0:
                        corners[many, 0], corners[many, 1] = origin[0] + y * side, origin[1] + x * side
                        share[many] = pixels[y, x] / whole
                        many += 1
        else:
            coarse[few, 0], coarse[few, 1] = origin[0] + y0 * side, origin[1] + x0 * side
            few += 1
        starts[i + 1], coarse_starts[i + 1] = many, few
    return (
        (corners[:many].copy(), starts, share[:many].copy()),
        (coarse[:few].copy(), coarse_starts, np.ones(few)),
        total,
    )


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
