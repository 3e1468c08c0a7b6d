"""Local maxima of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ..geometry import Peak

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..geometry import BoolArray, FloatArray, IntArray

__all__ = ["find_peaks", "local_maxima", "prominent_peaks", "thin_peaks"]

OFFSETS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))
"""Of the eight neighbours of a pixel, (y, x)."""


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

    shape = (image.shape[0], image.shape[1])
    index = maxima_above(image, threshold)
    if index.size == 0:
        return np.zeros((0, 2), dtype=np.int64)
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
    return _one_per_plateau(y[kept], x[kept], labels[kept], count)


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


def find_peaks(image: FloatArray, threshold: float, where: BoolArray | None = None) -> list[Peak]:
    """Local maxima as peaks, highest first, ties by x then y.

    The sub-pixel position is the vertex of the parabolas through the maximum and its neighbours along each axis.

    Parameters
    ----------
    image : array (y, x)
        Significance.
    threshold : float
        Lowest value of a peak, exclusive.
    where : bool array (y, x), optional
        Pixels whose maxima are wanted; default: all.

    Returns
    -------
    list of Peak
        ``id`` counts from 0; ``value`` is the image's.
    """
    y, x = local_maxima(image, threshold).T
    if where is not None:
        y, x = y[where[y, x]], x[where[y, x]]
    height, width = image.shape
    middle = image[y, x]
    dy = _vertex(image[np.maximum(y - 1, 0), x], middle, image[np.minimum(y + 1, height - 1), x])
    dx = _vertex(image[y, np.maximum(x - 1, 0)], middle, image[y, np.minimum(x + 1, width - 1)])
    order = np.lexsort((y, x, -middle))
    columns = (y, x, middle.astype(np.float64), y + dy, x + dx)
    rows = zip(*(column[order].tolist() for column in columns), strict=True)
    return [Peak(n, v, u, value, position=(cy, cx)) for n, (v, u, value, cy, cx) in enumerate(rows)]


def prominent_peaks(peaks: Sequence[Peak], image: FloatArray, least: float) -> list[Peak]:
    """Drop every peak from which a straight way leads to a higher one nearby without a dip.

    Along the ridge of an elongated galaxy everything stands out from its surroundings, and any noise makes maxima.

    Parameters
    ----------
    peaks : sequence of Peak
        Of ``image``, highest first.
    image : array (y, x)
        Significance.
    least : float
        Depth of the dip, below the lower peak, that separates two peaks.

    Returns
    -------
    list of Peak
        In the order given.  The higher ones among the eight nearest neighbours are looked at.
    """
    if len(peaks) < 2 or least == 0:
        return list(peaks)
    from ._peak_kernels import lowest_on_the_way  # noqa: PLC0415 - loads the compiler

    where = np.array([(p.y, p.x) for p in peaks], dtype=np.float64)
    value = np.array([p.value for p in peaks])
    neighbours = np.asarray(cKDTree(where).query(where, min(9, len(peaks)))[1])
    lower, rank = np.nonzero(neighbours < np.arange(len(peaks))[:, None])
    higher = neighbours[lower, rank]
    way = lowest_on_the_way(image, (where[lower], where[higher]), np.linspace(0, 1, 65)[1:-1])
    dropped = lower[value[lower] - np.minimum(value[lower], way) < least]
    gone = np.zeros(len(peaks), dtype=bool)
    gone[dropped] = True
    return [p for p, drop in zip(peaks, gone, strict=True) if not drop]


def thin_peaks(peaks: Sequence[Peak], groups: IntArray, radius: float) -> list[Peak]:
    """Drop every peak that lies closer than ``radius`` to a kept higher one of its own group.

    Parameters
    ----------
    peaks : sequence of Peak
        Highest first.
    groups : int array (n,)
        Peaks of different groups do not see each other: a footprint never loses its last peak.
    radius : float
        Pixels.

    Returns
    -------
    list of Peak
        In the order given.
    """
    if not peaks:
        return []
    where = np.array([p.center for p in peaks])
    near = cKDTree(where).query_ball_point(where, radius)
    kept = np.zeros(len(peaks), dtype=bool)
    for k in range(len(peaks)):
        kept[k] = not any(kept[j] and j < k and groups[j] == groups[k] for j in near[k])
    return [p for p, keep in zip(peaks, kept, strict=True) if keep]
