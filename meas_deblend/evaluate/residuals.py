"""Errors against what they may depend on: bins, colours, and the noise."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from .bootstrap import spread
from .samples import BIN_EDGES, ErrorSample, mean, median, quantile, sd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .bootstrap import Bootstrap
    from .scores import Scores

__all__ = ["bins", "colour_residuals", "colours", "pulls"]


def bins(scores: Scores, band: int, way: str, boot: Bootstrap) -> dict[str, list[dict[str, Any]]]:
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
                    "median_abs": median(np.abs(part.values)),
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


def colours(scores: Scores, bands: Sequence[str], zeropoints: Sequence[float | None]) -> dict[str, Any]:
    """Median, and width from 16 to 84 and from 5 to 95 %, of the colour residuals [mag]."""
    residuals = colour_residuals(scores, bands, zeropoints)
    return {
        name: {
            "n": int(np.isfinite(values).sum()),
            "median": quantile(values, 0.5),
            "width_68": quantile(values, 0.84) - quantile(values, 0.16),
            "width_90": quantile(values, 0.95) - quantile(values, 0.05),
        }
        for name, values in residuals.items()
        if name != "g_r"
    }


def pulls(scores: Scores, band: int) -> dict[str, Any]:
    """Flux errors in units of the noise in the aperture: ``noise`` is the floor, the truth's own aperture."""
    fluxes = {"noise": scores.F, "field": scores.Fd, "model": scores.Fm, "child": scores.Fc}
    out = {}
    for name, flux in fluxes.items():
        pull = (flux[:, band] - scores.F0[:, band]) / scores.sigma[:, band]
        out[name] = {
            "mean": mean(pull),
            "median": quantile(pull, 0.5),
            "sd": sd(pull),
            "half_width_68": (quantile(pull, 0.84) - quantile(pull, 0.16)) / 2,
        }
    return out
