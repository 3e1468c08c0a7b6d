"""Fourier planes of profiles and of their derivatives: the inner loop of rendering.

Parameters of a source stand in a fixed order: centre y and x [px]; s = ln (a b) of the half-light ellipse [ln px²];
the ellipticity (p, q), with axis ratio exp(−h), h = |(p, q)|, and major axis at half the angle of (p, q) from x to y;
l, the logit of the bulge's share of the light; t = ln r_e² of the bulge [ln px²]; ν, the logarithm of the disc's
Sérsic index.  With Σ = e^s [cosh h · 1 + (sinh h / h) ((p, q), (q, −p))] the transform at k depends on kᵀΣk alone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ._jit import jit
from .radial import U_COUNT, U_FIRST, U_STEP

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BULGE_ROUNDNESS", "N_PARAMETERS", "fill_planes"]

N_PARAMETERS = 8

# b² of the exponential profile, inverted: b solves (1 + b) exp(−b) = 1/2.
_EXPONENTIAL = 1 / 1.6783469900166605**2

BULGE_ROUNDNESS = 0.4
"""Ellipticity of a bulge, as a fraction of that of its disc."""


@jit
def _shape(s: float, p: float, q: float) -> NDArray[np.float64]:
    """Coefficients of kᵀΣk and of its derivatives by p and q in (|k|², kx² − ky², 2 kx ky), row by row."""
    h2 = p * p + q * q
    h = math.sqrt(h2)
    if h < 1e-3:
        cosh, ratio, third = 1 + h2 / 2, 1 + h2 / 6, (1 + h2 / 10) / 3
    else:
        cosh = math.cosh(h)
        ratio = math.sinh(h) / h
        third = (cosh - ratio) / h2
    out = np.empty((3, 3))
    out[0] = cosh, ratio * p, ratio * q
    out[1] = ratio * p, ratio + third * p * p, third * p * q
    out[2] = ratio * q, third * p * q, ratio + third * q * q
    return out * math.exp(s)


@jit
def _interpolate(table: NDArray[np.float64], u: float, out: NDArray[np.float64]) -> None:
    """Transform, its derivative by u, and its derivative by ν, at u: cubic Hermite between nodes."""
    position = (u - U_FIRST) / U_STEP
    if position <= 0:
        out[0], out[1], out[2] = 1.0, 0.0, 0.0
        return
    j = min(int(position), U_COUNT - 2)
    x = min(position - j, 1.0)
    y = 1 - x
    a, b = (1 + 2 * x) * y * y, x * y * y * U_STEP
    c, d = x * x * (3 - 2 * x), -x * x * y * U_STEP
    out[0] = a * table[j, 0] + b * table[j, 1] + c * table[j + 1, 0] + d * table[j + 1, 1]
    out[2] = a * table[j, 2] + b * table[j, 3] + c * table[j + 1, 2] + d * table[j + 1, 3]
    e = 6 * x * y / U_STEP
    out[1] = e * (table[j + 1, 0] - table[j, 0]) + y * (1 - 3 * x) * table[j, 1] + x * (3 * x - 2) * table[j + 1, 1]


@jit
def _disc(
    shape: NDArray[np.float64],
    k: tuple[float, float, float],
    table: NDArray[np.float64],
    exponential: bool,
    value: NDArray[np.float64],
    factors: NDArray[np.float64],
) -> None:
    """Transform of the disc at one k, and its derivatives by s, p, q and ν."""
    d = shape[0, 0] * k[0] + shape[0, 1] * k[1] + shape[0, 2] * k[2]
    if exponential:
        # Without a table: (1 + k² r_s²)^(−3/2).
        below = 1 / (1 + d * _EXPONENTIAL)
        value[0] = below * math.sqrt(below)
        value[1] = -1.5 * value[0] * below * d * _EXPONENTIAL
    else:
        _interpolate(table, math.log(d), value)
    steep = value[1] / d
    factors[2] = value[1]
    factors[3] = steep * (shape[1, 0] * k[0] + shape[1, 1] * k[1] + shape[1, 2] * k[2])
    factors[4] = steep * (shape[2, 0] * k[0] + shape[2, 1] * k[1] + shape[2, 2] * k[2])
    factors[7] = value[2]


@jit
def _bulge(
    shape: NDArray[np.float64],
    k: tuple[float, float, float],
    table: NDArray[np.float64],
    share: float,
    other: NDArray[np.float64],
    value: NDArray[np.float64],
    factors: NDArray[np.float64],
) -> None:
    """Add the bulge to the transform of the disc at one k, and to its derivatives; ``other`` is overwritten."""
    d = shape[0, 0] * k[0] + shape[0, 1] * k[1] + shape[0, 2] * k[2]
    _interpolate(table, math.log(d), other)
    steep = BULGE_ROUNDNESS * other[1] / d
    by_p = steep * (shape[1, 0] * k[0] + shape[1, 1] * k[1] + shape[1, 2] * k[2])
    by_q = steep * (shape[2, 0] * k[0] + shape[2, 1] * k[1] + shape[2, 2] * k[2])
    factors[2] *= 1 - share
    factors[3] = (1 - share) * factors[3] + share * by_p
    factors[4] = (1 - share) * factors[4] + share * by_q
    factors[5] = share * (1 - share) * (other[0] - value[0])
    factors[6] = share * other[1]
    factors[7] *= 1 - share
    value[0] = (1 - share) * value[0] + share * other[0]


@jit
def fill_planes(
    parameters: NDArray[np.float64],
    tables: NDArray[np.float64],
    psf: NDArray[np.complex64],
    which: NDArray[np.int64],
    out: NDArray[np.complex64],
) -> None:
    """Fill the half-planes of a source's unit image, or of its derivatives, in every band.

    Parameters
    ----------
    parameters : float64 array (8,)
        See the module; the centre counts from the stamp's first pixel.  s = −inf stands for a point.
    tables : float64 array (2, node, 4)
        `RadialTable.columns` of disc and bulge.
    psf : complex64 array (band, N, N // 2 + 1)
        Transforms of PSFs around the stamp's first pixel.
    which : int64 array (n,)
        What to fill: numbers of parameters, −1 for the image itself.
    out : complex64 array (band, n, N, N // 2 + 1)
        Changed in place.
    """
    bands, n, size, half = out.shape
    y0, x0, s, p, q, logit, t, _ = parameters
    point = s == -np.inf
    exponential = parameters[7] == 0 and not (which == 7).any()
    share = 1 / (1 + math.exp(-logit))
    disc, bulge = _shape(0.0 if point else s, p, q), _shape(t, BULGE_ROUNDNESS * p, BULGE_ROUNDNESS * q)
    value, other, factors = np.zeros(3), np.zeros(3), np.empty(9)
    step = 2 * math.pi / size
    along_x = np.empty(half, np.complex128)
    for i in range(half):
        along_x[i] = complex(math.cos(step * i * x0), -math.sin(step * i * x0))
    for j in range(size):
        ky = step * (j if j < (size + 1) // 2 else j - size)
        along_y = complex(math.cos(ky * y0), -math.sin(ky * y0))
        for i in range(half):
            kx = step * i
            square, cross, product = kx * kx + ky * ky, kx * kx - ky * ky, 2 * kx * ky
            value[:] = 1.0, 0.0, 0.0
            factors[2:8] = 0.0
            if not point and square > 0:
                _disc(disc, (square, cross, product), tables[0], exponential, value, factors)
                if share > 0:
                    _bulge(bulge, (square, cross, product), tables[1], share, other, value, factors)
            factors[0], factors[1], factors[8] = -ky * value[0], -kx * value[0], value[0]
            phase = along_y * along_x[i]
            for m in range(n):
                a = which[m]
                factor = factors[a] * phase
                if a < 2 and a >= 0:
                    factor *= 1j
                for band in range(bands):
                    out[band, m, j, i] = factor * psf[band, j, i]
