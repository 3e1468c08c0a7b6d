"""Intervals by bootstrap over fields: galaxies of one field are not independent of each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LEVEL", "Bootstrap", "interval", "spread"]

LEVEL = 0.95
"""Probability content of the intervals."""

_RESAMPLES = 1000
_SEED = 20250101

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Bootstrap:
    """Resampled fields (Efron 1979, Ann. Statist. 7, 1), the same for all statistics of one set of fields.

    Parameters
    ----------
    fields : int64 array (field,)
        Indices of the fields.
    counts : float64 array (resample, field)
        How often each resample holds each field.
    """

    fields: NDArray[np.int64]
    counts: NDArray[np.float64]

    @classmethod
    def over(cls, fields: NDArray[np.int64]) -> Bootstrap:
        """Bootstrap over the distinct values of ``fields``."""
        distinct = np.unique(fields)
        n = len(distinct)
        rng = np.random.default_rng(_SEED)
        counts = rng.multinomial(n, np.full(n, 1 / n), size=_RESAMPLES) if n else np.zeros((_RESAMPLES, 0))
        return cls(distinct, counts.astype(np.float64))

    def of_mean(self, values: NDArray[np.float64], fields: NDArray[np.int64]) -> NDArray[np.float64]:
        """Mean of ``values`` (object,) in each resample; NaN in one that has none."""
        index = np.searchsorted(self.fields, fields)
        sums = np.bincount(index, weights=values, minlength=len(self.fields))
        numbers = np.bincount(index, minlength=len(self.fields)).astype(np.float64)
        total = self.counts @ numbers
        means = np.divide(self.counts @ sums, total, out=np.full(len(total), np.nan), where=total > 0)
        return np.asarray(means)

    def of_median(self, values: NDArray[np.float64], fields: NDArray[np.int64]) -> NDArray[np.float64]:
        """Median of ``values`` (object,) in each resample; NaN in one that has none, or where there are NaNs."""
        if not values.size or not np.isfinite(values).all():
            return np.full(len(self.counts), np.nan)
        order = np.argsort(values)
        index = np.searchsorted(self.fields, fields[order])
        # How many objects of each resample are not larger than each value: from this follow its order statistics.
        cumulative = np.cumsum(self.counts[:, index], axis=1)
        total = cumulative[:, -1]
        last = len(values) - 1
        lower, upper = (
            np.minimum((cumulative <= rank[:, None]).sum(axis=1), last)
            for rank in (np.floor((total - 1) / 2), np.floor(total / 2))
        )
        ordered = values[order]
        return np.asarray(np.where(total > 0, (ordered[lower] + ordered[upper]) / 2, np.nan))


def interval(estimates: NDArray[np.float64]) -> Interval:
    """Return the percentile interval of resampled estimates; NaN if none is finite."""
    finite = estimates[np.isfinite(estimates)]
    if not finite.size:
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def spread(estimates: NDArray[np.float64]) -> float:
    """Return the standard deviation of resampled estimates, the standard error; NaN if fewer than two are finite."""
    finite = estimates[np.isfinite(estimates)]
    return float(finite.std(ddof=1)) if finite.size > 1 else float("nan")
