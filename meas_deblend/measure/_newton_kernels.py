"""Compiled last step of fits of Gaussian weights, and what noise does to the weights that fit best.

The best centre and shape θ = (y, x, Iyy, Iyx, Ixx) solve G(θ) = Σ w D q = 0, where w = exp(−½ Δᵀ M⁻¹ Δ) and
q = (Δy, Δx, Δy² − Iyy/2, Δy Δx − Iyx/2, Δx² − Ixx/2).  With ∂w/∂θ = w s, noise of variance N per pixel gives θ
the covariance J⁻¹ (Σ N w² q qᵀ) J⁻ᵀ, where J = ∂G/∂θ = Σ w D (q sᵀ + ∂q/∂θ).  q and s are polynomials in Δ, so
all sums follow from those of the monomials.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..scarlet._jit import jit
from ._gaussian_kernels import END, row_sums
from ._noise_kernels import add_lagged

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray, IntArray

    Float = NDArray[np.float64]

__all__ = ["newton_steps"]

# Exponents (of Δy, of Δx) of the monomials 1, y, x, yy, yx, xx in which q and s are written.
_DOWN, _RIGHT = (0, 1, 0, 2, 1, 0), (0, 0, 1, 0, 1, 2)
# The square of a weight is followed out to as many σ.
_SIGMAS = 5.5
# Matrices with larger condition numbers have no inverse to speak of.
_LARGEST_CONDITION = 1e10


@jit
def newton_steps(
    planes: tuple[Float, Float, Float], origin: Float, weights: Float, index: IntArray, used: int
) -> tuple[Float, Float, BoolArray]:
    """Newton's steps from near solutions, and the covariances that noise gives them.

    Parameters
    ----------
    planes : tuple of float64 array
        Images (N, h, w), the variances of their pixels (B, h, w), and the correlation of these
        (B, 2 L + 1, 2 L + 1): image k has those of band k modulo B.
    origin : float64 array (2,)
        Of the images' first pixel [px].
    weights : float64 array (N, 5)
        y, x, Iyy, Iyx, Ixx.
    index : int array (n,)
        Which images.
    used : int
        2: only the centre is free; 5: the shape too.

    Returns
    -------
    step : float64 array (n, 5)
        −J⁻¹ G; 0 where not free or singular.
    covariance : float64 array (n, 5, 5)
        0 where not free, NaN where singular.
    singular : bool array (n,)
        J has no usable inverse.
    """
    images, noise, xi = planes
    count = len(index)
    steps, covariances, singular = np.zeros((count, 5)), np.zeros((count, 5, 5)), np.zeros(count, dtype=np.bool_)
    degree, jacobian, inverse = 2 if used == 2 else 4, np.zeros((used, used)), np.zeros((used, used))
    q, s, data, spread = np.zeros((5, 6)), np.zeros((5, 6)), np.zeros((6, 6)), np.zeros((6, 6))
    squared = np.zeros(5)
    for n in range(count):
        k = index[n]
        weight = weights[k]
        _gram(images[k], origin, weight, degree, data)
        # The square of a Gaussian is one of half the variance.
        for i in range(5):
            squared[i] = weight[i] if i < 2 else weight[i] / 2
        band = noise[k % len(noise)]
        _gram(band, origin, squared, degree, spread)
        if xi.shape[1] > 1:
            # Of a centroid alone only the terms of y and x are asked for.
            spread += _correlated(band, origin, weight, xi[k % len(xi)], (1, 3) if used == 2 else (0, 6))
        _polynomials(weight, q, s)
        for i in range(used):
            for j in range(used):
                jacobian[i, j] = _form(q[i], data, s[j])
            jacobian[i, i] -= data[0, 0] * (1.0 if i < 2 else 0.5)
        if not _inverted(jacobian, inverse):
            singular[n], covariances[n] = True, np.nan
            continue
        for i in range(used):
            for j in range(used):
                residual = 0.0
                for m in range(6):
                    residual += q[j, m] * data[m, 0]
                steps[n, i] -= inverse[i, j] * residual
        _sandwich(inverse, q, spread, covariances[n])
    return steps, covariances, singular


@jit
def _gram(image: Float, origin: Float, weight: Float, degree: int | np.int64, out: Float) -> None:
    """Σ w D m_i m_j of the six monomials (6, 6); those of a higher degree are 0."""
    sums = np.zeros((5, 5))
    row_sums(image, origin, weight, (degree, END), sums)
    for i in range(6):
        for j in range(6):
            out[i, j] = sums[_DOWN[i] + _DOWN[j], _RIGHT[i] + _RIGHT[j]]


@jit
def _form(left: Float, matrix: Float, right: Float) -> float:
    """Product of a row, a matrix and a column."""
    total = 0.0
    for i in range(left.size):
        if left[i] != 0:
            for j in range(right.size):
                total += left[i] * matrix[i, j] * right[j]
    return total


@jit
def _sandwich(inverse: Float, q: Float, spread: Float, out: Float) -> None:
    """J⁻¹ (q S qᵀ) J⁻ᵀ, written to the first rows and columns of ``out``."""
    used = len(inverse)
    scatter, half = np.zeros((used, used)), np.zeros((used, used))
    for i in range(used):
        for j in range(used):
            scatter[i, j] = _form(q[i], spread, q[j])
    for i in range(used):
        for j in range(used):
            for m in range(used):
                half[i, j] += inverse[i, m] * scatter[m, j]
    for i in range(used):
        for j in range(used):
            for m in range(used):
                out[i, j] += half[i, m] * inverse[j, m]


@jit
def _polynomials(weight: Float, q: Float, s: Float) -> None:
    """Coefficients (5, 6) of q and of s = ∂ ln w/∂θ in the monomials.

    ∂ ln w/∂centre = u and ∂ ln w/∂M = ½ u uᵀ with u = M⁻¹ Δ; Iyx stands for two elements of M.
    """
    yy, yx, xx = weight[2], weight[3], weight[4]
    for i in range(5):
        for m in range(6):
            q[i, m], s[i, m] = 0.0, 0.0
        q[i, i + 1] = 1.0
    q[2, 0], q[3, 0], q[4, 0] = -yy / 2, -yx / 2, -xx / 2
    det = yy * xx - yx**2
    # M⁻¹ = ((a, b), (b, c)): u_y = a y + b x, u_x = b y + c x.
    a, b, c = xx / det, -yx / det, yy / det
    s[0, 1], s[0, 2], s[1, 1], s[1, 2] = a, b, b, c
    s[2, 3], s[2, 4], s[2, 5] = a**2 / 2, a * b, b**2 / 2
    s[3, 3], s[3, 4], s[3, 5] = a * b, a * c + b**2, b * c
    s[4, 3], s[4, 4], s[4, 5] = b**2 / 2, b * c, c**2 / 2


@jit
def _condition(matrix: Float, inverse: Float) -> float:
    """Product of the Frobenius norms: at least the condition number, at most as many times it as there are rows."""
    direct, inverted = 0.0, 0.0
    for i in range(len(matrix)):
        for j in range(len(matrix)):
            direct += matrix[i, j] * matrix[i, j]
            inverted += inverse[i, j] * inverse[i, j]
    return float(np.sqrt(direct * inverted))


@jit
def _inverted(matrix: Float, inverse: Float) -> bool:
    """Invert a matrix by elimination with pivots; whether that can be trusted."""
    size, left = len(matrix), matrix.copy()
    for i in range(size):
        for j in range(size):
            inverse[i, j] = 1.0 if i == j else 0.0
    for k in range(size):
        best = k
        for i in range(k + 1, size):
            if abs(left[i, k]) > abs(left[best, k]):
                best = i
        pivot = left[best, k]
        # Written so that NaN is refused too.
        if not abs(pivot) > 0:
            return False
        for j in range(size):
            left[k, j], left[best, j] = left[best, j], left[k, j]
            inverse[k, j], inverse[best, j] = inverse[best, j], inverse[k, j]
        for j in range(size):
            left[k, j] /= pivot
            inverse[k, j] /= pivot
        for i in range(size):
            factor = left[i, k]
            if i != k and factor != 0:
                for j in range(size):
                    left[i, j] -= factor * left[k, j]
                    inverse[i, j] -= factor * inverse[k, j]
    return bool(_condition(matrix, inverse) < _LARGEST_CONDITION)


@jit
def _correlated(noise: Float, origin: Float, weight: Float, xi: Float, span: tuple[int, int]) -> Float:
    """Σ g(p) m_i(p) g(p + Δ) m_j(p + Δ) ξ(Δ) over lags other than 0 for a span of the monomials, g = w √N (6, 6)."""
    (first, stop), out = span, np.zeros((6, 6))
    y0, y1 = _span(weight[0] - origin[0], _SIGMAS * np.sqrt(weight[2]), noise.shape[0])
    x0, x1 = _span(weight[1] - origin[1], _SIGMAS * np.sqrt(weight[4]), noise.shape[1])
    if y0 >= y1 or x0 >= x1:
        return out
    maps = np.zeros((stop - first, y1 - y0, x1 - x0))
    half = -0.5 / (weight[2] * weight[4] - weight[3] ** 2)
    for row in range(y0, y1):
        dy = row + origin[0] - weight[0]
        for column in range(x0, x1):
            dx = column + origin[1] - weight[1]
            exponent = half * (weight[4] * dy * dy - 2 * weight[3] * dy * dx + weight[2] * dx * dx)
            value = np.exp(exponent) * np.sqrt(noise[row, column])
            for m in range(first, stop):
                maps[m - first, row - y0, column - x0] = value * dy ** _DOWN[m] * dx ** _RIGHT[m]
    along = np.zeros(x1 - x0)
    for m in range(first, stop):
        for row in range(y1 - y0):
            # The lag 0 is in the spread already; those of one half plane stand for both.
            for column in range(x1 - x0):
                along[column] = -maps[m - first, row, column]
            add_lagged(maps[m - first], xi, row, 0, along)
            for other in range(first, stop):
                total = 0.0
                for column in range(x1 - x0):
                    total += along[column] * maps[other - first, row, column]
                out[m, other] += total
                out[other, m] += total
    return out


@jit
def _span(middle: float, reach: float, count: int) -> tuple[int, int]:
    """Places within ``reach`` of the middle, among ``count``."""
    return max(int(np.floor(middle - reach)), 0), min(int(np.ceil(middle + reach)) + 1, count)
