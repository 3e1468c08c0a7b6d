"""Sums of images under Gaussian weights, and what noise does to the weights that fit best.

The best centre and shape θ = (y, x, Iyy, Iyx, Ixx) solve G(θ) = Σ w D q = 0, where w = exp(−½ Δᵀ M⁻¹ Δ) and
q = (Δy, Δx, Δy² − Iyy/2, Δy Δx − Iyx/2, Δx² − Ixx/2).  With ∂w/∂θ = w s, noise of variance N per pixel gives θ
the covariance J⁻¹ (Σ N w² q qᵀ) J⁻ᵀ, where J = ∂G/∂θ = Σ w D (q sᵀ + ∂q/∂θ).  q and s are polynomials in Δ, so
all sums follow from those of the monomials.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Box
from .noise import shifted
from .pixels import cropped

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import IntArray
    from .noise import NoiseCorrelation
    from .pixels import Window

    Float = NDArray[np.float64]

__all__ = ["gaussian_weights", "lost_fractions", "propagate"]

# Exponents (of Δy, of Δx) of the monomials 1, y, x, yy, yx, xx in which q and s are written.
_EXPONENTS = np.array([(0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2)])
# The square of a weight is followed out to as many σ.
_SIGMAS = 5.5
# Matrices with larger condition numbers have no inverse to speak of.
_LARGEST_CONDITION = 1e10
# Exponents of the products of two of them (6, 6, 2).
_PRODUCTS = _EXPONENTS[:, None, :] + _EXPONENTS[None, :, :]


def lost_fractions(window: Window, center: Float, moments: Float, index: IntArray) -> tuple[Float, Float]:
    """Part of each weight (n,) that lies beyond the edge of the image, and part that lies on bad pixels of it."""
    from ._gaussian_kernels import weighted_loss  # noqa: PLC0415 - loads the compiler

    if window.usable[index].all():
        return np.zeros(index.size), np.zeros(index.size)
    weights = np.concatenate([center[index], moments[index]], axis=1)
    usable = np.ascontiguousarray(window.usable)
    total, edge, unusable = weighted_loss(usable, window.observed, _origin(window), weights, index).T
    return edge / total, (unusable - edge) / total


def propagate(
    window: Window,
    center: Float,
    moments: Float,
    index: IntArray,
    used: int,
    *,
    noise: NoiseCorrelation | None = None,
) -> tuple[Float, Float, NDArray[np.bool_]]:
    """Newton's step from a near solution, and the covariance that noise gives it.

    Parameters
    ----------
    window : Window
        N images.
    center, moments : float64 array (N, 2), (N, 3)
        The weights.
    index : int array (n,)
        Which images.
    used : int
        2: only the centre is free; 5: the shape too.
    noise : NoiseCorrelation, optional
        Correlation of the noise of B bands, which are those of the images modulo B; default: white.

    Returns
    -------
    step : float64 array (n, 5)
        −J⁻¹ G; 0 where not free or singular.
    covariance : float64 array (n, 5, 5)
        0 where not free, NaN where singular.
    singular : bool array (n,)
        J has no usable inverse.
    """
    data, spread = _grams(
        window, np.concatenate([center[index], moments[index]], axis=1), index, noise, 2 if used == 2 else 4
    )
    q, s = _polynomials(moments[index])
    jacobian = q @ data @ s.swapaxes(1, 2) - data[:, :1, :1] * np.diag([1, 1, 0.5, 0.5, 0.5])
    scatter, residual = q @ spread @ q.swapaxes(1, 2), q @ data[:, :, 0, None]
    step, covariance = np.zeros((index.size, 5)), np.zeros((index.size, 5, 5))
    inverse, good = _inverses(jacobian[:, :used, :used])
    step[:, :used] = np.where(good[:, None], -(inverse @ residual[:, :used])[:, :, 0], 0.0)
    covariance[:, :used, :used] = inverse @ scatter[:, :used, :used] @ inverse.swapaxes(1, 2)
    covariance[~good] = np.nan
    return step, covariance, ~good


def _grams(
    window: Window, weights: Float, index: IntArray, noise: NoiseCorrelation | None, degree: int
) -> tuple[Float, Float]:
    """Σ w D m_i m_j, and the covariance of Σ w n m_i, for the six monomials (n, 6, 6); products up to ``degree``."""
    from ._gaussian_kernels import weighted_monomials  # noqa: PLC0415 - loads the compiler

    origin, (center, moments) = _origin(window), np.split(weights, [2], axis=1)
    # The square of a Gaussian is one of half the variance.
    squares = np.concatenate([center, moments / 2], axis=1)
    data = _gram(weighted_monomials(np.ascontiguousarray(window.flux), origin, weights, index, degree))
    spread = _gram(weighted_monomials(np.ascontiguousarray(window.noise), origin, squares, index, degree))
    if noise is not None and noise.lags:
        near = cropped(window, _around(center, moments))
        weight, dy, dx = gaussian_weights(near, center, moments)
        spread = spread + _correlated(weight * np.sqrt(near.noise[index]), dy, dx, index % len(noise.xi), noise)
    return data, spread


def _origin(window: Window) -> Float:
    return np.array(window.box.origin, dtype=np.float64)


def _around(center: Float, moments: Float) -> Box:
    """Pixels on which the square of a weight counts."""
    reach = _SIGMAS * np.sqrt(moments[:, ::2].max(axis=0))
    low, high = np.floor(center.min(axis=0) - reach), np.ceil(center.max(axis=0) + reach)
    return Box.from_bounds(int(low[0]), int(high[0]) + 1, int(low[1]), int(high[1]) + 1)


def _inverses(matrices: Float) -> tuple[Float, NDArray[np.bool_]]:
    """Inverses (n, k, k), and which (n,) can be trusted; 0 for the others."""
    finite = np.asarray(np.isfinite(matrices).all(axis=(1, 2)))
    filled = matrices if finite.all() else np.where(finite[:, None, None], matrices, np.eye(matrices.shape[1]))
    try:
        inverse = np.linalg.inv(filled)
    except np.linalg.LinAlgError:
        regular = np.asarray(np.linalg.matrix_rank(filled) == matrices.shape[1])
        finite &= regular
        inverse = np.linalg.inv(np.where(regular[:, None, None], filled, np.eye(matrices.shape[1])))
    # Frobenius norms: an upper bound of the condition number, at most k times as large.
    condition = np.sqrt((filled**2).sum(axis=(1, 2)) * (inverse**2).sum(axis=(1, 2)))
    good = np.asarray(finite & (condition < _LARGEST_CONDITION), dtype=bool)
    return np.asarray(inverse if good.all() else np.where(good[:, None, None], inverse, 0.0), dtype=np.float64), good


def gaussian_weights(window: Window, center: Float, moments: Float) -> tuple[Float, Float, Float]:
    """Weights (n, h, w) and the offsets Δy (n, h), Δx (n, w) of the window's rows and columns."""
    (y0, x0), (height, width) = window.box.origin, window.box.shape
    dy = np.arange(y0, y0 + height) - center[:, :1]
    dx = np.arange(x0, x0 + width) - center[:, 1:]
    # M⁻¹ written out: the exponent is −½ (xx y² − 2 yx y x + yy x²) / det M.
    yy, yx, xx = (moments / (-2 * (moments[:, 0] * moments[:, 2] - moments[:, 1] ** 2))[:, None]).T[:, :, None]
    exponent = (-2 * yx * dy)[:, :, None] * dx[:, None, :]
    exponent += (xx * dy**2)[:, :, None]
    exponent += (yy * dx**2)[:, None, :]
    return np.exp(exponent, out=exponent), dy, dx


def _correlated(amplitude: Float, dy: Float, dx: Float, band: IntArray, correlation: NoiseCorrelation) -> Float:
    """Σ g(p) m_i(p) g(p + Δ) m_j(p + Δ) ξ(Δ) over lags other than 0, for the six monomials (n, 6, 6)."""
    i, j = _EXPONENTS.T
    rows, columns = dy[:, None, :] ** i[:, None], dx[:, None, :] ** j[:, None]
    maps = amplitude[:, None] * rows[:, :, :, None] * columns[:, :, None, :]
    total = np.zeros((len(band), 6, 6))
    for lag_y, lag_x, twice in correlation.lags:
        first, second = shifted(maps, lag_y, lag_x)
        flat = first.reshape(*first.shape[:2], -1), second.reshape(*second.shape[:2], -1)
        total += (twice / 2)[band, None, None] * (flat[0] @ flat[1].swapaxes(1, 2))
    return total + total.swapaxes(1, 2)


def _gram(sums: Float) -> Float:
    """Arrange the sums of all powers up to 4 by products of two of the six monomials (..., n, 6, 6)."""
    return np.asarray(sums[..., _PRODUCTS[..., 0], _PRODUCTS[..., 1]])


def _polynomials(moments: Float) -> tuple[Float, Float]:
    """Coefficients (n, 5, 6) of q and of s = ∂ ln w/∂θ in the monomials.

    ∂ ln w/∂centre = u and ∂ ln w/∂M = ½ u uᵀ with u = M⁻¹ Δ; Iyx stands for two elements of M.
    """
    n = len(moments)
    q, s = np.zeros((n, 5, 6)), np.zeros((n, 5, 6))
    q[:, np.arange(5), np.arange(1, 6)] = 1.0
    q[:, 2:, 0] = -moments / 2
    yy, yx, xx = moments.T
    det = yy * xx - yx**2
    a, b, c = xx / det, -yx / det, yy / det  # M⁻¹ = ((a, b), (b, c)): u_y = a y + b x, u_x = b y + c x
    s[:, 0, 1], s[:, 0, 2] = a, b
    s[:, 1, 1], s[:, 1, 2] = b, c
    s[:, 2, 3:] = np.stack([a**2, 2 * a * b, b**2], axis=1) / 2
    s[:, 3, 3:] = np.stack([a * b, a * c + b**2, b * c], axis=1)
    s[:, 4, 3:] = np.stack([b**2, 2 * b * c, c**2], axis=1) / 2
    return q, s
