"""Which sources count, and the relative flux errors of some of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .bootstrap import Bootstrap
    from .scores import Scores

__all__ = ["BIN_EDGES", "KAPPA_LIMIT", "WAYS", "ErrorSample", "kept", "mean", "median", "quantile", "sd"]

KAPPA_LIMIT = 5.0
"""Sources with a larger contamination in the reference band are left out, as in the paper."""

_BLENDED = 0.01
_STRONG = 0.1
_LARGE = 0.1
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
        return mean(np.abs(self.values)), boot.of_mean(np.abs(self.values), self.fields)

    def mean(self, boot: Bootstrap) -> tuple[float, NDArray[np.float64]]:
        """Mean of the error, and in each resample."""
        return mean(self.values), boot.of_mean(self.values, self.fields)

    def large(self, boot: Bootstrap) -> tuple[float, NDArray[np.float64]]:
        """Share with |error| > 0.1, and in each resample."""
        hit = np.where(np.isfinite(self.values), np.abs(self.values) > _LARGE, np.nan)
        return mean(hit), boot.of_mean(hit, self.fields)

    def median_abs(self, boot: Bootstrap) -> tuple[float, NDArray[np.float64]]:
        """Median of |error|, and in each resample."""
        size = np.abs(self.values)
        return median(size), boot.of_median(size, self.fields)


def kept(scores: Scores, reference: int) -> NDArray[np.bool_]:
    """Which sources count (source,): κ ≤ 5 in the reference band."""
    return np.asarray(scores.kappa[:, reference] <= KAPPA_LIMIT)


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[np.isfinite(values)]


def mean(values: NDArray[np.float64]) -> float:
    """Return the mean; NaN of nothing."""
    return float(values.mean()) if values.size else float("nan")


def median(values: NDArray[np.float64]) -> float:
    """Return the median; NaN of nothing."""
    return float(np.median(values)) if values.size else float("nan")


def sd(values: NDArray[np.float64]) -> float:
    """Return the standard deviation of the finite values; NaN without any."""
    finite = _finite(values)
    return float(finite.std()) if finite.size else float("nan")


def quantile(values: NDArray[np.float64], q: float) -> float:
    """Return a quantile of the finite values; NaN without any."""
    finite = _finite(values)
    return float(np.quantile(finite, q)) if finite.size else float("nan")
