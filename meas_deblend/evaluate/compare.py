"""Two deblenders on the same galaxies: ratios and differences, paired."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import InputError
from .bootstrap import Bootstrap, interval
from .samples import WAYS, ErrorSample, kept
from .scores import reference_band

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .scores import Scores
    from .table import ScoreTable

__all__ = ["align", "compare_scores"]

_RATIOS = ("mean_abs", "mean_abs_blended", "median_abs", "median_abs_kappa_ge_0p1")


def align(first: ScoreTable, second: ScoreTable) -> tuple[Scores, Scores]:
    """Scores of the galaxies that both have, in the same order, with the same numbers of fields.

    Raises
    ------
    InputError
        If there are none, the bands differ, or the true fluxes differ: then the fields only have the same names.
    """
    if first.bands != second.bands:
        raise InputError(f"the bands differ: {', '.join(first.bands)} and {', '.join(second.bands)}")
    row_of = {key: row for row, key in enumerate(second.keys)}
    rows = [(row, row_of[key]) for row, key in enumerate(first.keys) if key in row_of]
    if not rows:
        raise InputError(
            f"no galaxy in common: {', '.join(first.field_names[:3])}, … and {', '.join(second.field_names[:3])}, …"
        )
    index = np.array(rows, dtype=np.int64)
    a, b = first.scores.take(index[:, 0]), second.scores.take(index[:, 1])
    if not np.allclose(a.F0, b.F0, rtol=1e-3, atol=1e-3 * float(np.abs(a.F0).max())):
        raise InputError("the true fluxes differ: these are scores of different fields with the same names")
    return a, b


def compare_scores(first: ScoreTable, second: ScoreTable) -> dict[str, Any]:
    """Compare ``second`` with ``first`` on the galaxies that both have, in the reference band.

    Returns
    -------
    dict
        ``n``, ``fields``, and per way of scoring ``<number>_ratio`` (second / first; below 1: second is better) and
        ``p_gt_0p1_kappa_gt_0p1_difference`` (second − first), each with its interval; None for a way that one of them
        does not have.
    """
    a, b = align(first, second)
    band = reference_band(first.bands)
    chosen = kept(a, band)
    a, b = a.take(chosen), b.take(chosen)
    boot = Bootstrap.over(a.field)
    out: dict[str, Any] = {"n": len(a), "fields": len(boot.fields)}
    for way in WAYS:
        pair = [_numbers(ErrorSample(getattr(s, WAYS[way])[:, band], a.kappa[:, band], a.field), boot) for s in (a, b)]
        measured = all(np.isfinite(getattr(s, WAYS[way])[:, band]).any() for s in (a, b))
        out[way] = _pairs(pair[0], pair[1]) if measured else None
    return out


Numbers = dict[str, "tuple[float, NDArray[np.float64]]"]


def _numbers(sample: ErrorSample, boot: Bootstrap) -> Numbers:
    return {
        "mean_abs": sample.mean_abs(boot),
        "mean_abs_blended": sample.blended.mean_abs(boot),
        "median_abs": sample.median_abs(boot),
        "median_abs_kappa_ge_0p1": sample.strong.median_abs(boot),
        "p_gt_0p1_kappa_gt_0p1": sample.strong.large(boot),
    }


def _pairs(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name in _RATIOS:
        (one, many), (other, others) = first[name], second[name]
        out[f"{name}_ratio"] = other / one if one else float("nan")
        ratios = np.divide(others, many, out=np.full(len(many), np.nan), where=np.nan_to_num(many) > 0)
        out[f"{name}_ratio_ci"] = list(interval(ratios))
    name = "p_gt_0p1_kappa_gt_0p1"
    out[f"{name}_difference"] = second[name][0] - first[name][0]
    out[f"{name}_difference_ci"] = list(interval(second[name][1] - first[name][1]))
    return out
