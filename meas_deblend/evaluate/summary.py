"""From scores to the numbers of a card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .bootstrap import Bootstrap, interval
from .residuals import bins, colours, pulls
from .samples import WAYS, ErrorSample, kept, mean, quantile, sd
from .scores import reference_band

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .scores import Scores

__all__ = ["summarise"]

_LEAST_SNR = 5.0


def summarise(scores: Scores, bands: Sequence[str], zeropoints: Sequence[float | None]) -> dict[str, Any]:
    """Sum up the scores of one deblender.

    Parameters
    ----------
    scores : Scores
        Of all fields.
    bands : sequence of str
    zeropoints : sequence of float or None
        AB magnitude of one image unit per band.

    Returns
    -------
    dict
        ``summary`` (reference band), ``bands`` (the same by band, of sources with S/N ≥ 5 there), ``bins``, ``colours``
        and ``pulls``, ready for JSON but for NaN.
    """
    reference = reference_band(bands)
    good = scores.take(kept(scores, reference))
    boot = Bootstrap.over(scores.field)
    seen = [good.take(good.F[:, b] / good.Ferr[:, b] >= _LEAST_SNR) for b in range(len(bands))]
    return {
        "summary": {**_band_summary(good, reference, boot), **_shape_summary(good)},
        "bands": {band: _band_summary(seen[b], b, boot) for b, band in enumerate(bands)},
        "bins": {way: bins(good, reference, way, boot) for way in WAYS},
        "colours": colours(good, bands, zeropoints),
        "pulls": pulls(good, reference),
    }


def _band_summary(scores: Scores, band: int, boot: Bootstrap) -> dict[str, Any]:
    paper = _errors(ErrorSample.of(scores, band, "field"), boot)
    names = {
        "mean_abs": "mean_abs_dF_F",
        "median_abs": "median_abs_dF_F",
        "p95_abs": "p95_abs_dF_F",
        "mean": "mean_dF_F",
    }
    renamed = {_renamed(key, names): value for key, value in paper.items()}
    return {
        **renamed,
        "noise_mean_abs": mean(np.abs(scores.F[:, band] / scores.F0[:, band] - 1)),
        "cosine": mean(scores.cos[:, band]),
        "ssim": mean(scores.ssim[:, band]),
        "ssim_stamp": mean(scores.ssim_stamp[:, band]),
        "model": _errors(ErrorSample.of(scores, band, "model"), boot),
        "child": _errors(ErrorSample.of(scores, band, "child"), boot),
    }


def _renamed(key: str, names: dict[str, str]) -> str:
    for start in sorted(names, key=len, reverse=True):
        if key == start or key.startswith(f"{start}_"):
            return names[start] + key.removeprefix(start)
    return key


def _errors(sample: ErrorSample, boot: Bootstrap) -> dict[str, Any]:
    """Numbers of one band in one way."""
    measured = {
        "mean_abs": sample.mean_abs(boot),
        "mean_abs_blended": sample.blended.mean_abs(boot),
        "median_abs": sample.median_abs(boot),
        "median_abs_blended": sample.blended.median_abs(boot),
        "median_abs_kappa_ge_0p1": sample.strong.median_abs(boot),
        "p_gt_0p1_kappa_gt_0p1": sample.strong.large(boot),
        "mean": sample.mean(boot),
    }
    out: dict[str, Any] = {
        "n": len(sample.values),
        "n_blended": len(sample.blended.values),
        "n_kappa_ge_0p1": len(sample.strong.values),
    }
    for name, (value, resampled) in measured.items():
        out[name] = value
        out[f"{name}_ci"] = list(interval(resampled))
    return out | {"p95_abs": quantile(np.abs(sample.values), 0.95)}


def _shape_summary(scores: Scores) -> dict[str, Any]:
    """Residuals of ellipticity in the reference band, models and children minus truth."""
    out: dict[str, Any] = {"unmodelled": int((~scores.modelled).sum())}
    for prefix, e in (("", scores.e), ("child_", scores.e_child)):
        residual = e - scores.e_true
        ok = np.isfinite(residual).all(axis=1)
        measured = bool(np.isfinite(scores.e_true).any())
        for axis, name in enumerate(("e1", "e2")):
            out[f"{prefix}sd_{name}"] = sd(residual[ok, axis])
            out[f"{prefix}mean_{name}"] = mean(residual[ok, axis])
        out[f"{prefix}failed_shapes"] = int((~ok).sum()) if measured else None
    return out
