"""Noise: how it compares with the variance plane, and what the significances of several bands are worth together."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from ..geometry import BoolArray, FloatArray

__all__ = ["combined_significance", "gaussian_deviation", "noise_ratio"]


def noise_ratio(values: FloatArray, independent: float) -> float:
    """Measured over predicted scatter of significances, at least 1.

    Resampling correlates the noise of a coadd, while its variance plane knows nothing of that: a filter as wide as the
    PSF then scatters more than predicted.  The scatter is the distance from the median to the 16th percentile,
    which undetected sources hardly touch, as they are on the other side.

    Parameters
    ----------
    values : array (n,)
        Significances of pixels without sources.
    independent : float
        How many independent values they hold.

    Returns
    -------
    float
        1 unless the ratio exceeds 1 by more than twice its own error; 1 for fewer than ten independent values.
    """
    if independent < 10 or values.size == 0:
        return 1.0
    low, middle = np.percentile(values, [100 * special.ndtr(-1.0), 50])
    ratio = float(middle - low)
    # Of N Gaussian values, the distance of these two percentiles scatters by 1.37 / √N.
    return ratio if ratio > 1 + 2 * 1.37 / np.sqrt(independent) else 1.0


def combined_significance(planes: Iterable[tuple[FloatArray, BoolArray]], shape: tuple[int, ...]) -> FloatArray:
    """Significance of the detections of several bands together, whatever the colour.

    The sum over bands of the squares of positive significances follows, where there is only noise, a mixture of χ²
    distributions of 0 … n degrees of freedom with binomial weights (chi-bar-squared: Chernoff 1954, Ann. Math. Stat.
    25, 573); it is the likelihood-ratio statistic of n fluxes that cannot be negative, and the one-sided form of the χ²
    image of Szalay, Connolly & Szokoly (1999, AJ 117, 68).  The chance of a larger sum is given as the
    deviation of a Gaussian that is exceeded as often.

    Parameters
    ----------
    planes : iterable of (significance, seen)
        Per band an array (…) in σ, and where it is known.
    shape : tuple of int
        Of the arrays.

    Returns
    -------
    float64 array (…)
        0 where nothing is positive or no band is known.  With one band, its significance itself.
    """
    total, count = np.zeros(shape), np.zeros(shape, dtype=np.uint8)
    for significance, seen in planes:
        total += np.where(seen, np.maximum(significance, 0.0), 0.0) ** 2
        count += seen
    root = np.sqrt(total)
    out = np.zeros(shape)
    for n in np.flatnonzero(np.bincount(count.ravel())[1:]) + 1:
        here = count == n
        out[here] = gaussian_deviation(root[here], int(n))
    return out


def gaussian_deviation(root: FloatArray, bands: int) -> NDArray[np.float64]:
    """Gaussian deviation exceeded as often as the square root of a chi-bar-squared sum over ``bands``; 0 for 0."""
    x, z = _table(bands)
    # Beyond the table the difference shrinks as log(x) / x: it is kept constant, below 1e-3 there.
    return np.asarray(np.interp(root, x, z) + np.maximum(root - x[-1], 0.0))


@lru_cache(maxsize=32)
def _table(bands: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes of `gaussian_deviation`: fine where thresholds lie, then logarithmic."""
    x = np.concatenate([np.linspace(0.01, 15, 1500), np.geomspace(15.1, 1e5, 1000)])
    degrees = np.arange(1, bands + 1)
    weight = np.log(special.comb(bands, degrees)) - bands * np.log(2)
    tail = special.logsumexp(weight[:, None] + _log_survival(x, bands), axis=0)
    # Sums below the median of the mixture, which no threshold reaches, have negative deviations.
    deviation = np.maximum(-special.ndtri_exp(tail), 0.0)
    return np.concatenate([[0.0], x]), np.concatenate([[0.0], deviation])


def _log_survival(x: FloatArray, most: int) -> NDArray[np.float64]:
    """Logarithm of the chance that χ² of 1 … ``most`` degrees of freedom (rows) exceeds ``x²`` (columns).

    From the recurrence of the incomplete gamma function, Q(a + 1, u) = Q(a, u) + u^a e^−u / Γ(a + 1), with
    u = x² / 2 (Abramowitz & Stegun 1964, 6.5.21): in logarithms it holds where the chance itself underflows.
    """
    u = x**2 / 2
    rows = [np.log(2) + special.log_ndtr(-x), -u]
    for degrees in range(1, most - 1):
        step = degrees / 2 * np.log(u) - u - special.gammaln(degrees / 2 + 1)
        rows.append(np.logaddexp(rows[degrees - 1], step))
    return np.stack(rows[:most])
