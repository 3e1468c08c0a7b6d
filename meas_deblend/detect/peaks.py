"""Local maxima of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..geometry import BoolArray, FloatArray, IntArray

Scalar = TypeVar("Scalar", bound=np.generic)

__all__ = ["Maxima", "find_maxima", "local_maxima", "prominent_maxima", "thinned"]

OFFSETS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))
"""Of the eight neighbours of a pixel, (y, x)."""


@dataclass(frozen=True, slots=True, eq=False)
class Maxima:
    """Local maxima of an image, in an order that says which of two counts: thousands, most of which are no peaks.

    Parameters
    ----------
    y, x : int array (n,)
        Pixels.
    value : float64 array (n,)
        Height.
    position : float64 array (n, 2)
        Sub-pixel position ``(y, x)``.
    """

    y: NDArray[np.int64]
    x: NDArray[np.int64]
    value: NDArray[np.float64]
    position: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.y)

    def of(self, index: BoolArray | IntArray) -> Maxima:
        """Return some of them: a mask (n,), or places in the order wanted."""
        return Maxima(self.y[index], self.x[index], self.value[index], self.position[index])

    def on(self, plane: NDArray[Scalar]) -> NDArray[Scalar]:
        """Values (n,) of a plane (y, x) at their pixels."""
        return plane[self.y, self.x]

    @classmethod
    def none(cls) -> Maxima:
        """Return no maxima."""
        whole = np.zeros(0, dtype=np.int64)
        return cls(whole, whole, np.zeros(0), np.zeros((0, 2)))

    @staticmethod
    def together(parts: Sequence[Maxima]) -> Maxima:
        """Return those of several, at least one, one after the other."""
        columns = zip(*((part.y, part.x, part.value, part.position) for part in parts), strict=True)
        return Maxima(*map(np.concatenate, columns))


def local_maxima(image: FloatArray, threshold: float) -> NDArray[np.int64]:
    """Pixels that no pixel of their 3 × 3 neighbourhood exceeds.

    A plateau of equal values counts once, at its pixel nearest to its centroid (the first in raster order of
    those equally near), and only if nothing that touches it is higher.

    Parameters
    ----------
    image : array (y, x)
        Finite.
    threshold : float
        Maxima at or below it are left out.

    Returns
    -------
    int array (n, 2)
        ``(y, x)`` in raster order.
    """
    from ._peak_kernels import maxima_above  # noqa: PLC0415 - loads the compiler

    index, level = maxima_above(image, threshold)
    # Few have an equal neighbour: all others are maxima as they are.
    if level.any():
        index = np.sort(np.concatenate([index[~level], _of_plateaus(image, index[level])]))
    return np.stack(np.divmod(index, max(image.shape[1], 1)), axis=1)


def _of_plateaus(image: FloatArray, index: NDArray[np.int64]) -> NDArray[np.int64]:
    """One pixel for each plateau of an image (y, x); ``index`` (n,) are all that nothing exceeds beside an equal one.

    Pixels are flat indices, in raster order.
    """
    shape = (image.shape[0], image.shape[1])
    y, x = np.divmod(index, shape[1])
    values, uphill = image[y, x], np.zeros(index.size, dtype=bool)
    pairs = []
    for dy, dx in OFFSETS:
        v, u = np.clip(y + dy, 0, shape[0] - 1), np.clip(x + dx, 0, shape[1] - 1)
        neighbour = v * shape[1] + u
        rank = np.minimum(np.searchsorted(index, neighbour), index.size - 1)
        candidate = index[rank] == neighbour
        # An equal neighbour that is no candidate itself has a higher neighbour: the plateau goes on uphill.
        uphill |= (image[v, u] == values) & ~candidate
        pairs.append(np.stack([np.flatnonzero(candidate), rank[candidate]]))
    first, second = np.concatenate(pairs, axis=1)
    graph = coo_array((np.ones(first.size, dtype=bool), (first, second)), shape=(index.size, index.size))
    count, labels = connected_components(graph, directed=False)
    dropped = np.zeros(count, dtype=bool)
    dropped[labels[uphill]] = True
    kept = ~dropped[labels]
    y, x = _one_per_plateau(y[kept], x[kept], labels[kept], count).T
    return np.asarray(y * shape[1] + x)


def _one_per_plateau(y: IntArray, x: IntArray, label: IntArray, count: int) -> NDArray[np.int64]:
    """Of the pixels ``(y, x)`` (n,) with their plateaus' labels, the one nearest to each plateau's centroid."""
    area = np.maximum(np.bincount(label, minlength=count + 1), 1)
    cy = (np.bincount(label, y, count + 1) / area)[label]
    cx = (np.bincount(label, x, count + 1) / area)[label]
    order = np.lexsort((x, y, (y - cy) ** 2 + (x - cx) ** 2, label))
    first = order[np.unique(label[order], return_index=True)[1]]
    raster = np.lexsort((x[first], y[first]))
    return np.stack([y[first], x[first]], axis=1)[raster].astype(np.int64)


def _vertex(low: FloatArray, middle: FloatArray, high: FloatArray) -> FloatArray:
    """Offset in [-½, ½] of the vertex of the parabola through three equidistant values; 0 on a plateau."""
    curvature = low - 2 * middle + high
    curved = curvature < 0
    offset = 0.5 * (low - high) / np.where(curved, curvature, 1.0)
    return np.where(curved, np.clip(offset, -0.5, 0.5), 0.0)


def find_maxima(image: FloatArray, threshold: float, where: BoolArray | None = None) -> Maxima:
    """Local maxima, highest first, ties by x then y.

    The sub-pixel position is the vertex of the parabolas through the maximum and its neighbours along each axis.

    Parameters
    ----------
    image : array (y, x)
        Significance.
    threshold : float
        Lowest value of a maximum, exclusive.
    where : bool array (y, x), optional
        Pixels whose maxima are wanted; default: all.

    Returns
    -------
    Maxima
        ``value`` is the image's.
    """
    y, x = local_maxima(image, threshold).T
    if where is not None:
        wanted = where[y, x]
        y, x = y[wanted], x[wanted]
    height, width = image.shape
    middle = image[y, x]
    order = np.lexsort((y, x, -middle))
    y, x, middle = y[order], x[order], middle[order]
    dy = _vertex(image[np.maximum(y - 1, 0), x], middle, image[np.minimum(y + 1, height - 1), x])
    dx = _vertex(image[y, np.maximum(x - 1, 0)], middle, image[y, np.minimum(x + 1, width - 1)])
    return Maxima(y, x, middle.astype(np.float64), np.stack([y + dy, x + dx], axis=1))


def prominent_maxima(maxima: Maxima, image: FloatArray, least: float, wanted: BoolArray | None = None) -> Maxima:
    """Drop every maximum from which a straight way leads to a higher one nearby without a dip.

    Along the ridge of an elongated galaxy everything stands out from its surroundings, and any noise makes maxima.

    Parameters
    ----------
    maxima : Maxima
        Of ``image``, highest first.
    image : array (y, x)
        Significance.
    least : float
        Depth of the dip, below the lower maximum, that separates two.
    wanted : bool array (n,), optional
        Those that are asked for: others count only as what may be higher. Default: all.

    Returns
    -------
    Maxima
        In the order given.  The higher ones among the eight nearest neighbours are looked at.
    """
    index = np.arange(len(maxima)) if wanted is None else np.flatnonzero(wanted)
    if len(maxima) < 2 or len(index) == 0 or least == 0:
        return maxima.of(index)
    from ._peak_kernels import lowest_on_the_way  # noqa: PLC0415 - loads the compiler

    where = np.stack([maxima.y, maxima.x], axis=1).astype(np.float64)
    neighbours = np.asarray(cKDTree(where).query(where[index], min(9, len(maxima)))[1])
    lower, rank = np.nonzero(neighbours < index[:, None])
    higher, value = neighbours[lower, rank], maxima.value[index[lower]]
    way = lowest_on_the_way(image, (where[index[lower]], where[higher]), np.linspace(0, 1, 65)[1:-1])
    gone = np.zeros(len(index), dtype=bool)
    gone[lower[value - np.minimum(value, way) < least]] = True
    return maxima.of(index[~gone])


def thinned(maxima: Maxima, groups: IntArray, radius: float) -> Maxima:
    """Drop every maximum that lies closer than ``radius`` to a kept one before it of its own group.

    Parameters
    ----------
    maxima : Maxima
        The most wanted first.
    groups : int array (n,)
        Maxima of different groups do not see each other: a footprint never loses its last one.
    radius : float
        Pixels.

    Returns
    -------
    Maxima
        In the order given.
    """
    if len(maxima) < 2:
        return maxima
    pairs = cKDTree(maxima.position).query_pairs(radius, output_type="ndarray")
    first, second = pairs[groups[pairs[:, 0]] == groups[pairs[:, 1]]].T
    kept = [True] * len(maxima)
    # When one is reached as the second of a pair, it is known what became of all before it.
    order = np.argsort(second, kind="stable")
    for k, j in zip(first[order].tolist(), second[order].tolist(), strict=True):
        if kept[k]:
            kept[j] = False
    return maxima.of(np.array(kept))
