"""Fourier transforms of Sérsic profiles of any index, from a table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import fht, fhtoffset
from scipy.special import gammaincinv, gammaln

from ..scarlet._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["INDEX_RANGE", "U_FIRST", "U_STEP", "RadialTable", "radial_table", "sersic_transform"]

INDEX_RANGE = (0.5, 6.0)
"""Sérsic indices that a profile may have."""

U_FIRST, U_STEP, U_COUNT = -16.0, 0.06, 500
"""Nodes of u = ln (k r_e)²; the table's last one is beyond what a pixel resolves of a profile of 100 pixels."""

_NU_STEP = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class RadialTable:
    """Transform of one Sérsic profile of unit flux and half-light radius 1.

    Parameters
    ----------
    columns : float64 array (node, 4)
        At the nodes ``U_FIRST + U_STEP · j`` of u = ln k²: the transform, its derivative by u, its derivative by ν,
        the logarithm of the Sérsic index, and that one's derivative by u.
    """

    columns: NDArray[np.float64]


@lru_cache(maxsize=4096)
def radial_table(log_index: float) -> RadialTable:
    """Interpolate the transform of the Sérsic profile with index n = exp(``log_index``).

    Cubic Hermite interpolation between profiles computed on a grid in ν = ln n; differs from the exact transform by
    less than 1e-5.

    Parameters
    ----------
    log_index : float
        Clipped to `INDEX_RANGE`.

    Returns
    -------
    RadialTable
    """
    values, slopes, starts = _grid()
    nu = min(max(log_index, float(np.log(INDEX_RANGE[0]))), float(np.log(INDEX_RANGE[1])))
    return RadialTable(_columns((nu - starts) / _NU_STEP, values, slopes))


@jit
def _columns(position: float, values: NDArray[np.float64], slopes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolate between profiles, and differentiate by u at the nodes."""
    j = min(int(position), len(values) - 2)
    x = position - j
    # Hermite's basis, and its derivatives for the slope in ν.
    a, b = 1 + x * x * (2 * x - 3), x * (1 - x) ** 2 * _NU_STEP
    c, d = x * x * (3 - 2 * x), x * x * (x - 1) * _NU_STEP
    e, f, g = 6 * x * (x - 1) / _NU_STEP, (1 - x) * (1 - 3 * x), x * (3 * x - 2)
    out = np.empty((values.shape[1], 4))
    for k in range(len(out)):
        out[k, 0] = a * values[j, k] + b * slopes[j, k] + c * values[j + 1, k] + d * slopes[j + 1, k]
        out[k, 2] = e * (values[j, k] - values[j + 1, k]) + f * slopes[j, k] + g * slopes[j + 1, k]
    for column in (0, 2):
        _slope(out[:, column], out[:, column + 1])
    return out


@jit
def _slope(values: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Differentiate by u values at the nodes: central differences, of fourth order but at the ends."""
    last = len(values) - 1
    out[0], out[last] = (values[1] - values[0]) / U_STEP, (values[last] - values[last - 1]) / U_STEP
    for k in range(1, last):
        if 2 <= k <= last - 2:
            out[k] = (values[k - 2] - 8 * values[k - 1] + 8 * values[k + 1] - values[k + 2]) / (12 * U_STEP)
        else:
            out[k] = (values[k + 1] - values[k - 1]) / (2 * U_STEP)


@lru_cache(maxsize=1)
def _grid() -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return transforms on a grid of ν, their derivatives by ν, and the first ν."""
    first, last = (float(np.log(n)) for n in INDEX_RANGE)
    count = int(np.ceil((last - first) / _NU_STEP)) + 1
    # Two more profiles on either side, for derivatives of fourth order.
    nu = first + _NU_STEP * np.arange(-2, count + 2)
    values = np.stack([sersic_transform(float(np.exp(v))) for v in nu])
    slopes = (values[:-4] - 8 * values[1:-3] + 8 * values[3:-1] - values[4:]) / (12 * _NU_STEP)
    return values[2:-2], slopes, first


def sersic_transform(index: float) -> NDArray[np.float64]:
    """Return the Hankel transform of a Sérsic profile at the nodes, by FFTLog (Hamilton 2000, MNRAS 312, 257)."""
    count, low, high = 16384, -20.0, 16.0
    step = (high - low) / count
    log_r = low + step * (np.arange(count) + 0.5)
    # b makes the radius enclose half of the light (Graham & Driver 2005, PASA 22, 118, eq. 4).
    b = float(gammaincinv(2 * index, 0.5))
    log_norm = 2 * index * np.log(b) - np.log(2 * np.pi * index) - gammaln(2 * index)
    brightness = np.exp(log_norm - b * np.exp(log_r / index))
    offset = fhtoffset(step, mu=0, initial=0.0, bias=-0.5)
    transform = fht(2 * np.pi * np.exp(log_r) * brightness, step, mu=0, offset=offset, bias=-0.5)
    log_k = offset - log_r[::-1]
    nodes = (U_FIRST + U_STEP * np.arange(U_COUNT)) / 2
    return np.asarray(np.interp(nodes, log_k, transform * np.exp(-log_k)))
