"""Morphologies in cells, with the freedom that their constraints leave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from scipy import ndimage

from ..geometry import BoolArray, Box, FloatArray, IntArray
from ._jit import jit

__all__ = ["Cells", "Factor", "Shaped", "make_cells"]

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
