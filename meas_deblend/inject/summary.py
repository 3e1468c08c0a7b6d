"""Completeness and biases of injected sources against separation, contrast and contamination."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ..evaluate import KAPPA_LIMIT
from ..evaluate.bootstrap import Bootstrap, spread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["BIN_EDGES", "DEFINITIONS", "reference_color", "summarise_injection"]

BIN_EDGES: dict[str, tuple[float, ...]] = {
    "separation": (0, 0.5, 1, 1.5, 2, 3, 5, np.inf),
    "contrast": (0, 0.1, 0.3, 1, 3, 10, np.inf),
    "kappa": (-np.inf, 0.03, 0.1, 0.3, 1, KAPPA_LIMIT, np.inf),
}
"""Edges of the bins: lower edge included, upper not. Separations in FWHM of the PSF, in the reference band."""

DEFINITIONS = {
    "completeness": "share of the injected sources that have an object with significant aperture flux in the "
    "reference band (3 σ unless set)",
    "aperture": "median of (flux of the re-apportioned pixels − of the noiseless truth) / truth, both within the "
    "aperture, an ellipse with semi-axes 2 √(a² + (FWHM/2)²)",
    "model": "median of (sum of the model − total flux) / total flux",
    "psf": "median of (PSF flux − total flux) / total flux, stars only",
    "scatter": "1.4826 × median absolute deviation of the aperture error",
    "pull": "median, and 1.4826 × median absolute deviation, of (re-apportioned − true aperture flux) / error by the "
    "variance plane",
    "neighbor": "median change of the nearest detected object's flux, relative to the injected flux",
    "colors": "median of the colour of re-apportioned minus true aperture fluxes [mag]; scatter as above",
    "kappa": "contamination in the reference band: flux in the aperture that is not the source's, relative to its own; "
    "the noise of the image is in it",
    "bands": "sources with true aperture flux / error ≥ 5 in the band (colours: in both), with at least 90 % of it on "
    f"usable pixels; where they are not in bins of κ, with κ ≤ {KAPPA_LIMIT:g} in the reference band",
    "errors": "standard deviations over 1000 bootstrap resamples of the realizations",
}
"""What the numbers of a summary mean."""

_LEAST_SNR = 5.0
_LEAST_USABLE = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class _Sample:
    """Rows of one deblender, or a part of them, with the bootstrap over their realizations."""

    columns: Mapping[str, NDArray[Any]]
    boot: Bootstrap

    def where(self, chosen: NDArray[np.bool_]) -> _Sample:
        """Return a part."""
        return _Sample({name: values[chosen] for name, values in self.columns.items()}, self.boot)

    def __len__(self) -> int:
        return len(self.columns["realization"])

    def reliable(self, band: str) -> NDArray[np.bool_]:
        """Rows whose flux in ``band`` can be judged."""
        c = self.columns
        bright = c[f"{band}_trueApertureFlux"] >= _LEAST_SNR * c[f"{band}_apertureFluxErr"]
        return np.asarray(bright & (c[f"{band}_usableFraction"] >= _LEAST_USABLE) & c["recovered"])

    def median(self, values: NDArray[np.float64]) -> dict[str, float | int | None]:
        """Median, its error and the number of the finite ``values``."""
        good = np.isfinite(values)
        kept, groups = values[good], self.columns["realization"][good]
        if not len(kept):
            return {"n": 0, "value": None, "error": None}
        error = self._error(self.boot.of_median(kept, groups), groups)
        return {"n": len(kept), "value": float(np.median(kept)), "error": error}

    def mean(self, values: NDArray[Any]) -> dict[str, float | int | None]:
        """Mean, its error and the number of the ``values``."""
        if not len(values):
            return {"n": 0, "value": None, "error": None}
        groups = self.columns["realization"]
        error = self._error(self.boot.of_mean(values.astype(np.float64), groups), groups)
        return {"n": len(values), "value": float(np.mean(values)), "error": error}

    @staticmethod
    def _error(resampled: NDArray[np.float64], groups: NDArray[np.int64]) -> float | None:
        """Return the standard error; None for sources of one realization, which every resample repeats."""
        return _number(spread(resampled)) if len(np.unique(groups)) > 1 else None


def summarise_injection(
    columns: Mapping[str, NDArray[Any]], bands: Sequence[str], reference: str, fwhm: float
) -> dict[str, Any]:
    """Sum up an injection.

    Parameters
    ----------
    columns : mapping of str to array (row,)
        As `InjectionResult.columns`.
    bands : sequence of str
        In the exposure's order; colours are of each with the next.
    reference : str
        Band of contrast and contamination.
    fwhm : float
        Of the PSF in that band, in the unit of ``neighborSeparation``.

    Returns
    -------
    dict
        Ready for JSON; see `DEFINITIONS`. Numbers that do not exist are None.
    """
    deblenders = dict.fromkeys(str(name) for name in columns["deblender"])
    boot = Bootstrap.over(np.asarray(columns["realization"], dtype=np.int64))
    out = {}
    for name in deblenders:
        mine = np.asarray(columns["deblender"] == name)
        out[name] = _deblender(_Sample(columns, boot).where(mine), (bands, reference), fwhm)
    return {"bands": list(bands), "reference_band": reference, "definitions": DEFINITIONS, "deblenders": out}


def reference_color(bands: Sequence[str], reference: str) -> str:
    """Colour that stands for all: the reference band with the one before it, or else after it; "" for one band."""
    k = list(bands).index(reference)
    if len(bands) == 1:
        return ""
    return f"{bands[k - 1]}-{bands[k]}" if k else f"{bands[0]}-{bands[1]}"


def _deblender(sample: _Sample, bands: tuple[Sequence[str], str], fwhm: float) -> dict[str, Any]:
    kappa = sample.columns[f"{bands[1]}_kappa"]
    axes = {
        "separation": sample.columns["neighborSeparation"] / fwhm,
        "contrast": sample.columns["contrast"],
        "kappa": kappa,
    }
    usual = kappa <= KAPPA_LIMIT
    out: dict[str, Any] = {"all": _numbers(sample, usual, bands[0])}
    for axis, values in axes.items():
        edges = BIN_EDGES[axis]
        out[axis] = [
            {
                "low": _number(low),
                "high": _number(high),
                **_numbers(
                    sample.where(inside := (values >= low) & (values < high)),
                    np.ones(int(inside.sum()), dtype=bool) if axis == "kappa" else usual[inside],
                    bands[0],
                ),
            }
            for low, high in pairwise(edges)
        ]
    return out


def _numbers(sample: _Sample, counted: NDArray[np.bool_], bands: Sequence[str]) -> dict[str, Any]:
    """Completeness of a sample, and the biases of those rows of it that are ``counted``."""
    part = sample.where(counted)
    return {
        "completeness": sample.mean(sample.columns["recovered"]),
        "bands": {band: _band(part.where(part.reliable(band)), band) for band in bands},
        "colors": {f"{a}-{b}": _color(part, a, b) for a, b in pairwise(bands)},
    }


def _band(sample: _Sample, band: str) -> dict[str, Any]:
    c = {name: sample.columns[f"{band}_{name}"] for name in _BAND_INPUTS}
    error = (c["childApertureFlux"] - c["trueApertureFlux"]) / c["trueApertureFlux"]
    pulls = (c["childApertureFlux"] - c["trueApertureFlux"]) / c["apertureFluxErr"]
    model = (c["modelFlux"] - c["trueFlux"]) / c["trueFlux"]
    star = np.where(sample.columns["is_star"], c["psfFlux"], np.nan)
    return {
        "aperture": sample.median(error),
        "mean_abs": sample.mean(np.abs(error)),
        "scatter": _scatter(error),
        "pull": {**sample.median(pulls), "scatter": _scatter(pulls)},
        "model": sample.median(model),
        "psf": sample.median((star - c["trueFlux"]) / c["trueFlux"]),
        "neighbor": sample.median(c["neighborChange"] / c["trueFlux"]),
    }


_BAND_INPUTS = (
    "childApertureFlux", "trueApertureFlux", "apertureFluxErr", "modelFlux", "trueFlux", "psfFlux", "neighborChange",
)  # fmt: skip


def _color(sample: _Sample, first: str, second: str) -> dict[str, Any]:
    part = sample.where(sample.reliable(first) & sample.reliable(second))
    ratios = [
        np.divide(
            part.columns[f"{band}_childApertureFlux"],
            part.columns[f"{band}_trueApertureFlux"],
        )
        for band in (first, second)
    ]
    # A colour needs two positive fluxes; those without one are counted out.
    positive = (ratios[0] > 0) & (ratios[1] > 0)
    pair = [np.where(positive, ratio, np.nan) for ratio in ratios]
    residual = -2.5 * np.log10(pair[0] / pair[1])
    return {**part.median(residual), "scatter": _scatter(residual)}


def _scatter(values: NDArray[np.float64]) -> float | None:
    good = values[np.isfinite(values)]
    return float(1.4826 * np.median(np.abs(good - np.median(good)))) if len(good) > 1 else None


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
