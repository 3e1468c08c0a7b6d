"""Fourier planes of profiles and of their derivatives: the inner loop of rendering.

Parameters of a source stand in a fixed order: centre y and x [px]; s = ln (a b) of the half-light ellipse [ln px²];
the ellipticity (p, q), with axis ratio exp(−h), h = |(p, q)|, and major axis at half the angle of (p, q) from x to y;
l, the logit of the bulge's share of the light; t = ln r_e² of the bulge [ln px²]; ν, the logarithm of the disc's
Sérsic index; then, band by band, what is added to l there: disc and bulge have spectra of their own where it is not 0.
With Σ = e^s [cosh h · 1 + (sinh h / h) ((p, q), (q, −p))] the transform at k depends on kᵀΣk alone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..scarlet._jit import jit
from .radial import U_COUNT, U_FIRST, U_STEP

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BULGE", "BULGE_ROUNDNESS", "BULGE_SIZE", "INDEX", "N_PARAMETERS", "SIZE", "fill_planes"]

SIZE, BULGE, BULGE_SIZE, INDEX = 2, 5, 6, 7
"""Numbers of parameters."""

N_PARAMETERS = 8
"""How many parameters a source has that are not of one band."""

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
def _radial(table: NDArray[np.float64], u: float, out: NDArray[np.float64]) -> None:
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
    e = 6 * x * y / U_STEP
    out[0] = a * table[j, 0] + b * table[j, 1] + c * table[j + 1, 0] + d * table[j + 1, 1]
    out[1] = e * (table[j + 1, 0] - table[j, 0]) + y * (1 - 3 * x) * table[j, 1] + x * (3 * x - 2) * table[j + 1, 1]
    out[2] = a * table[j, 2] + b * table[j, 3] + c * table[j + 1, 2] + d * table[j + 1, 3]


@jit
def _row(
    shape: NDArray[np.float64],
    step: float,
    ky: float,
    table: NDArray[np.float64],
    exponential: bool,
    out: NDArray[np.float64],
) -> None:
    """Transform of a profile along a row of k, and its derivatives by s, p, q and ν (5, k)."""
    values = np.empty(3)
    for i in range(out.shape[1]):
        kx = step * i
        square, cross, product = kx * kx + ky * ky, kx * kx - ky * ky, 2 * kx * ky
        if square == 0:
            out[0, i] = 1.0
            out[1:, i] = 0.0
            continue
        d = shape[0, 0] * square + shape[0, 1] * cross + shape[0, 2] * product
        if exponential:
            # Without a table: (1 + k² r_s²)^(−3/2).
            below = 1 / (1 + d * _EXPONENTIAL)
            values[0] = below * math.sqrt(below)
            values[1] = -1.5 * values[0] * below * d * _EXPONENTIAL
            values[2] = 0.0
        else:
            _radial(table, math.log(d), values)
        steep = values[1] / d
        out[0, i], out[1, i], out[4, i] = values[0], values[1], values[2]
        out[2, i] = steep * (shape[1, 0] * square + shape[1, 1] * cross + shape[1, 2] * product)
        out[3, i] = steep * (shape[2, 0] * square + shape[2, 1] * cross + shape[2, 2] * product)


@jit
def _joined(disc: NDArray[np.float64], bulge: NDArray[np.float64], share: float, out: NDArray[np.float32]) -> None:
    """Join disc and bulge to derivatives (9, k) by all parameters but the centre; the transform itself is last."""
    for i in range(out.shape[1]):
        out[8, i] = (1 - share) * disc[0, i] + share * bulge[0, i]
        out[2, i] = (1 - share) * disc[1, i]
        out[3, i] = (1 - share) * disc[2, i] + share * BULGE_ROUNDNESS * bulge[2, i]
        out[4, i] = (1 - share) * disc[3, i] + share * BULGE_ROUNDNESS * bulge[3, i]
        out[5, i] = share * (1 - share) * (bulge[0, i] - disc[0, i])
        out[6, i] = share * bulge[1, i]
        out[7, i] = (1 - share) * disc[4, i]


@jit
def _shifted(first: NDArray[np.complex64], phases: NDArray[np.complex128], out: NDArray[np.float32]) -> None:
    """Product of two rows, as real and imaginary parts (2, k)."""
    for i in range(len(phases)):
        out[0, i] = first[i].real * phases[i].real - first[i].imag * phases[i].imag
        out[1, i] = first[i].real * phases[i].imag + first[i].imag * phases[i].real


@jit
def _multiply(factor: NDArray[np.float32], row: NDArray[np.float32], turned: bool, out: NDArray[np.complex64]) -> None:
    """Multiply a row, as real and imaginary parts (2, k), with a real factor, or with that times −i."""
    parts = out.view(np.float32)
    if turned:
        for i in range(len(factor)):
            parts[2 * i] = factor[i] * row[1, i]
            parts[2 * i + 1] = -factor[i] * row[0, i]
    else:
        for i in range(len(factor)):
            parts[2 * i] = factor[i] * row[0, i]
            parts[2 * i + 1] = factor[i] * row[1, i]


@jit
def fill_planes(
    parameters: NDArray[np.float64],
    gradients: NDArray[np.float64],
    tables: tuple[NDArray[np.float64], NDArray[np.float64]],
    psf: NDArray[np.complex64],
    which: NDArray[np.int64],
    out: NDArray[np.complex64],
) -> None:
    """Fill the half-planes of a source's unit image, or of its derivatives, in every band.

    Parameters
    ----------
    parameters : float64 array (8,)
        See the module; the centre counts from the stamp's first pixel.  s = −inf stands for a point.
    gradients : float64 array (band,)
        What is added to l in each band.
    tables : tuple of float64 array (node, 4)
        `RadialTable.columns` of disc and bulge.
    psf : complex64 array (band, N, N // 2 + 1)
        Transforms of PSFs around the stamp's first pixel.
    which : int64 array (n,)
        What to fill: numbers of parameters, −1 for the image itself.
    out : complex64 array (band, n, N, N // 2 + 1)
        Changed in place.
    """
    bands, n, size, half = out.shape
    y0, x0, s, p, q, logit, t, _ = parameters[:8]
    point = s == -np.inf
    exponential = parameters[7] == 0 and not (which == 7).any()
    bulges = logit != -np.inf
    disc, bulge = _shape(0.0 if point else s, p, q), _shape(t, BULGE_ROUNDNESS * p, BULGE_ROUNDNESS * q)
    step = 2 * math.pi / size
    along_x = np.empty(half, np.complex128)
    for i in range(half):
        along_x[i] = complex(math.cos(step * i * x0), -math.sin(step * i * x0))
    of_disc, of_bulge = np.zeros((5, half)), np.zeros((5, half))
    of_disc[0] = of_bulge[0] = 1.0
    factors, row = np.empty((9, half), np.float32), np.empty((2, half), np.float32)
    phases, along = np.empty(half, np.complex128), np.empty((2, half), np.float32)
    for j in range(size):
        ky = step * (j if j < (size + 1) // 2 else j - size)
        along_y = complex(math.cos(ky * y0), -math.sin(ky * y0))
        if not point:
            _row(disc, step, ky, tables[0], exponential, of_disc)
            if bulges:
                _row(bulge, step, ky, tables[1], False, of_bulge)
        for i in range(half):
            phases[i] = along_y * along_x[i]
        # Plane by plane, so that memory is written in its order.
        for band in range(bands):
            # Bands differ in their PSFs alone where disc and bulge have one spectrum.
            if band == 0 or gradients[band] != gradients[band - 1]:
                share = 1 / (1 + math.exp(-logit - gradients[band]))
                _joined(of_disc, of_bulge, share, factors)
                for i in range(half):
                    along[0, i], along[1, i] = ky * factors[8, i], step * i * factors[8, i]
            _shifted(psf[band, j], phases, row)
            for m in range(n):
                a = which[m]
                if 0 <= a < 2:
                    _multiply(along[a], row, True, out[band, m, j])
                else:
                    _multiply(factors[a], row, False, out[band, m, j])
