"""Which object is which injected source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..geometry import FloatArray

__all__ = ["INJECTED", "KNOWN", "given_sources", "match_by_distance", "match_by_name"]

KNOWN, INJECTED = "known", "injected"


def given_sources(known: FloatArray, injected: FloatArray) -> dict[str, list[object]]:
    """Table of positions for a chain: what was detected before, then what was injected.

    Parameters
    ----------
    known, injected : float array (n, 2)
        ``(y, x)`` [px].
    """
    where = np.concatenate([known, injected])
    names = [f"{KNOWN}{k}" for k in range(len(known))] + [f"{INJECTED}{k}" for k in range(len(injected))]
    return {"id": list(names), "x": where[:, 1].tolist(), "y": where[:, 0].tolist()}


def match_by_name(names: Sequence[str], kind: str, n: int) -> NDArray[np.int64]:
    """Index of the object (n,) that carries the name of each given position; -1 for none."""
    index = {name: k for k, name in enumerate(names)}
    return np.array([index.get(f"{kind}{k}", -1) for k in range(n)], dtype=np.int64)


def match_by_distance(sources: FloatArray, objects: FloatArray, radius: float) -> NDArray[np.int64]:
    """Match one to one, closest pairs first.

    What was on the image before must be among the sources: an object at its place is its own, and an injected source
    that is merged with it has none.

    Parameters
    ----------
    sources, objects : float array (n, 2), (m, 2)
        ``(y, x)`` [px].
    radius : float
        Largest distance of a pair [px].

    Returns
    -------
    int64 array (n,)
        Index of each source's object; -1 for none.
    """
    matched = np.full(len(sources), -1, dtype=np.int64)
    if not len(sources) or not len(objects):
        return matched
    near = cKDTree(sources).sparse_distance_matrix(cKDTree(objects), radius, output_type="ndarray")
    free = np.ones(len(objects), dtype=bool)
    for pair in near[np.lexsort((near["j"], near["i"], near["v"]))]:
        if matched[pair["i"]] < 0 and free[pair["j"]]:
            matched[pair["i"]] = pair["j"]
            free[pair["j"]] = False
    return matched
