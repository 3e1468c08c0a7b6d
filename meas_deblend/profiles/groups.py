"""Which sources are fitted together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["group_sources"]


def group_sources(centers: NDArray[np.float64], radius: float, most: int) -> tuple[NDArray[np.int64], ...]:
    """Group sources that touch directly or through others.

    A larger group is cut across its longer side at the widest gap near the middle, again and again; its parts are then
    fitted in turn, each with the models of the others taken off.

    Parameters
    ----------
    centers : float64 array (source, 2)
    radius : float
        Distance below which two sources touch [px].
    most : int
        Largest number of sources of a group.

    Returns
    -------
    tuple of int64 array
        Indices of the sources of each group, ascending; groups by their first source.
    """
    n = len(centers)
    if n == 0:
        return ()
    pairs = cKDTree(centers).query_pairs(radius, output_type="ndarray")
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    count, labels = connected_components(links, directed=False)
    parts: list[NDArray[np.int64]] = []
    for label in range(count):
        parts += _cut(np.flatnonzero(labels == label), centers, most)
    return tuple(sorted(parts, key=lambda part: int(part[0])))


def _cut(members: NDArray[np.int64], centers: NDArray[np.float64], most: int) -> list[NDArray[np.int64]]:
    if len(members) <= most:
        return [members]
    where = centers[members]
    axis = int(np.argmax(np.ptp(where, axis=0)))
    order = np.argsort(where[:, axis], kind="stable")
    # At the widest gap near the middle: neighbours stay together.
    first, last = len(members) // 4, len(members) - len(members) // 4
    gaps = np.diff(where[order, axis])[max(first - 1, 0) : max(last - 1, 1)]
    middle = max(first, 1) + int(np.argmax(gaps))
    halves = np.sort(members[order[:middle]]), np.sort(members[order[middle:]])
    return [part for half in halves for part in _cut(half, centers, most)]
