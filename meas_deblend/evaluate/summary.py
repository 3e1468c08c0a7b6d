"""From scores to the numbers of a card."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .bootstrap import Bootstrap, interval, spread
from .scores import reference_band

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .scores import Scores

__all__ = ["BIN_EDGES", "KAPPA_LIMIT", "ErrorSample", "colour_residuals", "kept", "summarise"]

KAPPA_LIMIT = 5.0
"""Sources with a larger contamination in the reference band are left out, as in the paper."""

_BLENDED = 0.01
_STRONG = 0.1
_LARGE = 0.1
_LEAST_SNR = 5.0

BIN_EDGES: dict[str, tuple[float, ...]] = {
    "snr": (0, 15, 25, 50, 100, 250, np.inf),
    "beta": (-np.inf, 0.001, 0.01, 0.03, 0.1, 0.3, 1),
    "kappa": (-np.inf, 0.001, 0.01, 0.03, 0.1, 0.3, 1, KAPPA_LIMIT),
}
"""Edges of the bins: lower edge included, upper not."""

WAYS = {"field": "field_error", "model": "model_error", "child": "child_error"}
"""The three ways in which a deblender is scored, and the property of `Scores` that holds each."""


@dataclass(frozen=True, slots=True, eq=False)
class ErrorSample:
    """Relative flux errors of the sources that count.

    Parameters
    ----------
    values : float64 array (object,)
        Relative flux errors.
    kappa : float64 array (object,)
        Contamination in the same band.
    fields : int64 array (object,)
        Which field each belongs to.
    """

    values: NDArray[np.float64]
    kappa: NDArray[np.float64]
    fields: NDArray[np.int64]

    @classmethod
    def of(cls, scores: Scores, band: int, way: str) -> ErrorSample:
        """Errors of all of ``scores`` in the band of that index, in one of the `WAYS`."""
        return cls(getattr(scores, WAYS[way])[:, band], scores.kappa[:, band], scores.field)

    def where(self, chosen: NDArray[np.bool_]) -> ErrorSample:
        """Return a part."""
        return ErrorSample(self.values[chosen], self.kappa[chosen], self.fields[chosen])

    @property
    def blended(self) -> ErrorSample:
        """Those with κ ≥ 0.01."""
        return self.where(self.kappa >= _BLENDED)

    @property
    def strong(self) -> ErrorSample:
        """Those with κ ≥ 0.1."""
        return self.where(self.kappa >= _STRONG)

    def mean_abs(self, boot: Bootstrap) -> tuple[float, NDArray[np.float64]]:
        """Mean of |error|, and in each resample."""
        return _mean(np.abs(self.values)), boot.of_mean(np.abs(self.values), self.fields)

    def mean(self, boot: Bootstrap) -> tuple[float, NDArray[np.float64]]:
        """Mean of the error, and in each resample."""
        return _mean(self.values), boot.of_mean(self.values, self.fields)

    def large(self, boot: Bootstrap) -> tuple[float, NDArray[np.float64]]:
        """Share with |error| > 0.1, and in each resample."""
        hit = np.where(np.isfinite(self.values), np.abs(self.values) > _LARGE, np.nan)
        return _mean(hit), boot.of_mean(hit, self.fields)

    def median_abs(self, boot: Bootstrap) -> tuple[float, NDArray[np.float64]]:
        """Median of |error|, and in each resample."""
        size = np.abs(self.values)
        return _median(size), boot.of_median(size, self.fields)


def kept(scores: Scores, reference: int) -> NDArray[np.bool_]:
    """Which sources count (source,): κ ≤ 5 in the reference band."""
    return np.asarray(scores.kappa[:, reference] <= KAPPA_LIMIT)


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
        "bins": {way: _bins(good, reference, way, boot) for way in WAYS},
        "colours": _colours(good, bands, zeropoints),
        "pulls": _pulls(good, reference),
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
        "cosine": _mean(scores.cos[:, band]),
        "ssim": _mean(scores.ssim[:, band]),
        "ssim_stamp": _mean(scores.ssim_stamp[:, band]),
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
    return out | {"p95_abs": _quantile(np.abs(sample.values), 0.95)}


def _shape_summary(scores: Scores) -> dict[str, Any]:
    """Residuals of ellipticity in the reference band, models and children minus truth."""
    out: dict[str, Any] = {"unmodelled": int((~scores.modelled).sum())}
    for prefix, e in (("", scores.e), ("child_", scores.e_child)):
        residual = e - scores.e_true
        ok = np.isfinite(residual).all(axis=1)
        measured = bool(np.isfinite(scores.e_true).any())
        for axis, name in enumerate(("e1", "e2")):
            out[f"{prefix}sd_{name}"] = _sd(residual[ok, axis])
            out[f"{prefix}mean_{name}"] = _mean(residual[ok, axis])
        out[f"{prefix}failed_shapes"] = int((~ok).sum()) if measured else None
    return out


def _bins(scores: Scores, band: int, way: str, boot: Bootstrap) -> dict[str, list[dict[str, Any]]]:
    """Numbers in bins of S/N, blendedness and contamination."""
    sample = ErrorSample.of(scores, band, way)
    axes = {"snr": scores.snr, "beta": scores.beta[:, band], "kappa": scores.kappa[:, band]}
    out: dict[str, list[dict[str, Any]]] = {}
    for name, values in axes.items():
        edges = BIN_EDGES[name]
        out[name] = []
        for low, high in itertools.pairwise(edges):
            last = high == edges[-1]
            part = sample.where((values >= low) & ((values <= high) if last else (values < high)))
            bias, bias_resampled = part.mean(boot)
            size, size_resampled = part.mean_abs(boot)
            out[name].append(
                {
                    "low": low if np.isfinite(low) else None,
                    "high": high if np.isfinite(high) else None,
                    "n": len(part.values),
                    "bias": bias,
                    "bias_error": spread(bias_resampled),
                    "mean_abs": size,
                    "mean_abs_error": spread(size_resampled),
                    "median_abs": _median(np.abs(part.values)),
                }
            )
    return out


def colour_residuals(
    scores: Scores, bands: Sequence[str], zeropoints: Sequence[float | None]
) -> dict[str, NDArray[np.float64]]:
    """Errors of g − r per source [mag]; empty without the bands g and r or their zero points.

    Returns
    -------
    dict of str to float64 array (source,)
        ``dC_T``: from F^d, minus the catalog's colour; ``dC_B``: minus the colour from F, so blending alone;
        ``dC_child``: from the child, minus that of the noiseless truth in the same apertures; ``g_r``: the catalog's.
        NaN where a flux is not positive.
    """
    if "g" not in bands or "r" not in bands:
        return {}
    g, r = list(bands).index("g"), list(bands).index("r")
    zero_g, zero_r = zeropoints[g], zeropoints[r]
    if zero_g is None or zero_r is None:
        return {}
    with np.errstate(invalid="ignore", divide="ignore"):
        model, alone, child, true = (
            -2.5 * np.log10(flux[:, g] / flux[:, r]) + zero_g - zero_r
            for flux in (scores.Fd, scores.F, scores.Fc, scores.F0)
        )
    catalog = scores.magnitudes[:, g] - scores.magnitudes[:, r]
    return {"dC_T": model - catalog, "dC_B": model - alone, "dC_child": child - true, "g_r": catalog}


def _colours(scores: Scores, bands: Sequence[str], zeropoints: Sequence[float | None]) -> dict[str, Any]:
    """Median, and width from 16 to 84 and from 5 to 95 %, of the colour residuals [mag]."""
    residuals = colour_residuals(scores, bands, zeropoints)
    return {
        name: {
            "n": int(np.isfinite(values).sum()),
            "median": _quantile(values, 0.5),
            "width_68": _quantile(values, 0.84) - _quantile(values, 0.16),
            "width_90": _quantile(values, 0.95) - _quantile(values, 0.05),
        }
        for name, values in residuals.items()
        if name != "g_r"
    }


def _pulls(scores: Scores, band: int) -> dict[str, Any]:
    """Flux errors in units of the noise in the aperture: ``noise`` is the floor, the truth's own aperture."""
    fluxes = {"noise": scores.F, "field": scores.Fd, "model": scores.Fm, "child": scores.Fc}
    out = {}
    for name, flux in fluxes.items():
        pull = (flux[:, band] - scores.F0[:, band]) / scores.sigma[:, band]
        out[name] = {
            "mean": _mean(pull),
            "median": _quantile(pull, 0.5),
            "sd": _sd(pull),
            "half_width_68": (_quantile(pull, 0.84) - _quantile(pull, 0.16)) / 2,
        }
    return out


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[np.isfinite(values)]


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else float("nan")


def _median(values: NDArray[np.float64]) -> float:
    return float(np.median(values)) if values.size else float("nan")


def _sd(values: NDArray[np.float64]) -> float:
    finite = _finite(values)
    return float(finite.std()) if finite.size else float("nan")


def _quantile(values: NDArray[np.float64], q: float) -> float:
    finite = _finite(values)
    return float(np.quantile(finite, q)) if finite.size else float("nan")
