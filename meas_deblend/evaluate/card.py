"""The card of a deblender: everything that was measured of it on one set of fields, as plain values."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from .bootstrap import LEVEL
from .matching import Detection
from .metrics import missing_metrics
from .samples import KAPPA_LIMIT
from .scores import concatenate_scores, reference_band
from .summary import summarise
from .table import ScoreTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .chain import FieldResult
    from .fields import FieldSetting

__all__ = ["CARD_VERSION", "DEFINITIONS", "make_card", "score_table"]

CARD_VERSION = 1

_AFTER_MODELS = "apportion"

DEFINITIONS = {
    "aperture": "ellipse around the true centre with semi-axes 2 √(a² + (FWHM/2)²), (a, b, θ) the half-light ellipse",
    "F": "aperture flux of the noisy field without all other galaxies",
    "F^d": "aperture flux of the noisy field minus the models of all other galaxies",
    "dF_F": "(F^d − F) / F: what the neighbours' models get wrong within the aperture",
    "model": "(aperture flux of the source's own model − of its noiseless truth) / truth",
    "child": "(aperture flux of the source's re-apportioned pixels − of its noiseless truth) / truth",
    "noise_mean_abs": "mean |F / aperture flux of the noiseless truth − 1|: noise alone, the floor for children",
    "kappa": f"F^b / F − 1, with F^b of the field as it is; means are over κ ≤ {KAPPA_LIMIT:g} in the reference band",
    "blended": "κ ≥ 0.01 in the band",
    "bands": "sources with F / error of F ≥ 5 in the band",
    "beta": "truth_blendedness, 1 − S·S / (S^b·S), S the truth and S^b the noiseless field",
    "ssim": "structural similarity of model and truth, each divided by its maximum, over the whole field; "
    "ssim_stamp: over 45 × 45 pixels",
    "e1, e2": "adaptive moments of the model minus those of the noiseless truth, reference band",
    "seconds_per_field": "median over fields of the wall time from coadds to models; cpu_seconds_per_field: of the "
    "processor time",
    "intervals": f"{LEVEL:.0%}, percentiles of 1000 bootstrap resamples of the fields",
}
"""What the numbers of a card mean."""


def score_table(results: Sequence[FieldResult], bands: Sequence[str]) -> ScoreTable:
    """Scores of all fields as one table."""
    return ScoreTable(concatenate_scores([r.scores for r in results]), bands, [r.name for r in results])


def make_card(results: Sequence[FieldResult], setting: FieldSetting, about: Mapping[str, Any]) -> dict[str, Any]:
    """Sum up what a deblender reached.

    Parameters
    ----------
    results : sequence of FieldResult
        One per field, numbered from 0 in this order.
    setting : FieldSetting
        What the fields have in common.
    about : mapping
        ``deblender``, ``centres``, ``fields`` (name of the folder), ``settings``, ``versions``: put first, as given.

    Returns
    -------
    dict
        Ready for JSON: numbers that do not exist are None.
    """
    table = score_table(results, setting.bands)
    numbers = summarise(table.scores, setting.bands, setting.zeropoints)
    numbers["summary"] |= _costs(results)
    detection = [r.detection for r in results if r.detection is not None]
    card = {
        "card": CARD_VERSION,
        **about,
        "n_fields": len(results),
        "band": setting.bands[reference_band(setting.bands)],
        "zeropoints": list(setting.zeropoints),
        **numbers,
        "detection": sum(detection, Detection(0, 0, 0, 0, 0)).rates() if detection else None,
        "cpu_seconds_by_step": _steps(results),
        "outcomes": dict(sorted(sum((Counter(r.outcomes) for r in results), Counter[str]()).items())),
        "errors": {r.name: r.error for r in results if r.error},
        "missing": missing_metrics(),
        "definitions": DEFINITIONS,
    }
    plain: dict[str, Any] = _plain(card)
    return plain


def _costs(results: Sequence[FieldResult]) -> dict[str, Any]:
    wall = [_seconds_to_models(r.seconds) for r in results if r.seconds]
    cpu = [_seconds_to_models(r.cpu_seconds) for r in results if r.cpu_seconds]
    memory = [r.memory_mb for r in results if r.memory_mb is not None]
    return {
        "seconds_per_field": float(np.median(wall)) if wall else None,
        "cpu_seconds_per_field": float(np.median(cpu)) if cpu else None,
        "scoring_seconds_per_field": float(np.median([r.scoring_seconds for r in results])),
        "peak_memory_mb": max(memory, default=None),
        "failed_fields": sum(bool(r.error) for r in results),
    }


def _seconds_to_models(seconds: Mapping[str, float]) -> float:
    return sum(value for label, value in seconds.items() if label != _AFTER_MODELS)


def _steps(results: Sequence[FieldResult]) -> dict[str, float]:
    """Median processor time of each step [s]."""
    labels = list(dict.fromkeys(label for r in results for label in r.cpu_seconds))
    times = {label: [r.cpu_seconds[label] for r in results if label in r.cpu_seconds] for label in labels}
    return {label: float(np.median(values)) for label, values in times.items()}


def _plain(value: Any) -> Any:
    """Return the value with NaN and infinities as None, tuples as lists, numpy scalars as Python's."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
