"""Published scores of other deblenders on the same fields."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import InputError
from .scores import Scores
from .table import ScoreTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["read_reference_scores"]

_TRUTH = ("field", "F", "Fb", "F0", "e0")
_METHOD = ("Fd", "Fm", "cos", "ssim", "e")


def read_reference_scores(path: Path | str, fields: str, bands: Sequence[str]) -> dict[str, ScoreTable]:
    """Read the scores that others reached on a set of fields.

    Parameters
    ----------
    path : path-like
        An npz file with ``<set>/field``, ``F``, ``Fb``, ``F0``, ``e0`` per object, and per method
        ``<set>/<method>/Fd``, ``Fm``, ``cos``, ``ssim``, ``e``; objects in the order of the fields' files.
    fields : str
        The set: name of the folder of fields.
    bands : sequence of str

    Returns
    -------
    dict of str to ScoreTable
        By method. Children and what only the fields tell are NaN.

    Raises
    ------
    InputError
        If the file cannot be read, or has no such set; the message lists those that it has.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            data = {key: stored[key] for key in stored.files}
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as an npz file of scores: {error}") from error
    sets = sorted({key.partition("/")[0] for key in data})
    if fields not in sets:
        raise InputError(f"{path} has no scores of the fields {fields!r}; it has {', '.join(sets) or 'none'}")
    missing = [f"{fields}/{name}" for name in _TRUTH if f"{fields}/{name}" not in data]
    if missing:
        raise InputError(f"{path}: no {', '.join(missing)}")
    methods = sorted({key.split("/")[1] for key in data if key.startswith(f"{fields}/") and key.count("/") == 2})
    return {method: _table(data, fields, method, bands) for method in methods}


def _table(data: Mapping[str, NDArray[Any]], fields: str, method: str, bands: Sequence[str]) -> ScoreTable:
    truth = {name: np.asarray(data[f"{fields}/{name}"], dtype=np.float64) for name in _TRUTH}
    own = {name: np.asarray(data[f"{fields}/{method}/{name}"], dtype=np.float64) for name in _METHOD}
    numbers = truth["field"].astype(np.int64)
    distinct, field = np.unique(numbers, return_inverse=True)
    n = len(numbers)
    if truth["F"].shape != (n, len(bands)):
        raise InputError(f"scores of {fields} are {truth['F'].shape}; ({n}, {len(bands)}) was expected")
    unknown = np.full((n, len(bands)), np.nan)
    scores = Scores(
        field=field.astype(np.int64),
        index=_counts_within(numbers),
        F=truth["F"],
        Fb=truth["Fb"],
        F0=truth["F0"],
        Ferr=unknown,
        sigma=unknown,
        beta=unknown,
        Fd=own["Fd"],
        Fm=own["Fm"],
        Fc=unknown,
        cos=own["cos"],
        ssim=own["ssim"],
        ssim_stamp=unknown,
        e_true=truth["e0"],
        e=own["e"],
        e_child=np.full((n, 2), np.nan),
        modelled=np.asarray((own["Fm"] != 0).any(axis=1)),
        snr=np.full(n, np.nan),
        size=np.full(n, np.nan),
        magnitudes=unknown,
    )
    return ScoreTable(scores, bands, [f"field_{number:03d}" for number in distinct])


def _counts_within(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Position of each object within its field."""
    seen: dict[int, int] = {}
    out = np.zeros(len(numbers), dtype=np.int64)
    for k, number in enumerate(numbers.tolist()):
        out[k] = seen.get(number, 0)
        seen[number] = out[k] + 1
    return out
