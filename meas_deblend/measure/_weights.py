"""Sums of images under Gaussian weights, and what noise does to the weights that fit best.

The best centre and shape θ = (y, x, Iyy, Iyx, Ixx) solve G(θ) = Σ w D q = 0, where w = exp(−½ Δᵀ M⁻¹ Δ) and
q = (Δy, Δx, Δy² − Iyy/2, Δy Δx − Iyx/2, Δx² − Ixx/2).  With ∂w/∂θ = w s, noise of variance N per pixel gives θ
the covariance J⁻¹ (Σ N w² q qᵀ) J⁻ᵀ, where J = ∂G/∂θ = Σ w D (q sᵀ + ∂q/∂θ).  q and s are polynomials in Δ, so
all sums follow from those of the monomials.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .noise import shifted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import Box, IntArray
    from .noise import NoiseCorrelation
    from .pixels import Window

    Float = NDArray[np.float64]
    _Noise = tuple[NoiseCorrelation | None, IntArray | None]

__all__ = ["collect", "gaussian_weights", "lost_fractions", "propagate"]

# Exponents (of Δy, of Δx) of the monomials 1, y, x, yy, yx, xx in which q and s are written.
_EXPONENTS = np.array([(0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2)])
# Matrices with larger condition numbers have no inverse to speak of.
_LARGEST_CONDITION = 1e10
# Exponents of the products of two of them (6, 6, 2).
_PRODUCTS = _EXPONENTS[:, None, :] + _EXPONENTS[None, :, :]


def collect(window: Window, center: Float, moments: Float, index: IntArray) -> tuple[Float, Float]:
    """Sum the images ``index`` under their weights.

    Parameters
    ----------
    window : Window
        N images.
    center : float64 array (N, 2)
        ``(y, x)`` of the weights [px].
    moments : float64 array (N, 3)
        Iyy, Iyx, Ixx of the weights [px²]; positive definite.
    index : int array (n,)
        Which images.

    Returns
    -------
    flux : float64 array (n,)
        Σ w D.
    residual : float64 array (n, 5)
        G = Σ w D q.
    """
    if moments[index, 1].any():
        # Single precision is enough on the way: the last step, and all errors, are taken in double precision.
        weight, dy, dx = gaussian_weights(window, center[index], moments[index], np.float32)
        flux, unit = window.single
        weight *= _picked(flux, index)
        sums = _monomial_sums(weight, dy, dx, 2) * unit[index, None, None]
    else:
        sums = _separable_sums(window.box, center[index], moments[index], _picked(window.flux, index))
    linear = sums[:, _EXPONENTS[1:, 0], _EXPONENTS[1:, 1]]
    linear[:, 2:] -= moments[index] / 2 * sums[:, 0, 0][:, None]
    return sums[:, 0, 0], linear


def _picked(cube: NDArray[Any], index: IntArray) -> NDArray[Any]:
    """Images of a cube; itself, not a copy, if that is all of them."""
    return cube if index.size == len(cube) else cube[index]


def lost_fractions(window: Window, center: Float, moments: Float, index: IntArray) -> tuple[Float, Float]:
    """Part of each weight (n,) that lies beyond the edge of the image, and part that lies on bad pixels of it."""
    if window.usable[index].all():
        return np.zeros(index.size), np.zeros(index.size)
    weight, _, _ = gaussian_weights(window, center[index], moments[index])
    total = weight.sum(axis=(1, 2))
    edge = (weight * ~window.observed).sum(axis=(1, 2))
    unusable = (weight * ~window.usable[index]).sum(axis=(1, 2))
    return edge / total, (unusable - edge) / total


def propagate(
    window: Window,
    center: Float,
    moments: Float,
    index: IntArray,
    used: int,
    *,
    noise: tuple[NoiseCorrelation | None, IntArray | None] = (None, None),
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
    noise : tuple of NoiseCorrelation or None, int array (N,) or None
        Correlation of the noise of B bands (None: white), and the band, modulo B, of each image (None: 0, 1, …).

    Returns
    -------
    step : float64 array (n, 5)
        −J⁻¹ G; 0 where not free or singular.
    covariance : float64 array (n, 5, 5)
        0 where not free, NaN where singular.
    singular : bool array (n,)
        J has no usable inverse.
    """
    data, spread = (_round_grams if used == 2 else _grams)(window, center[index], moments[index], index, noise)
    q, s = _polynomials(moments[index])
    jacobian = q @ data @ s.swapaxes(1, 2) - data[:, :1, :1] * np.diag([1, 1, 0.5, 0.5, 0.5])
    scatter, residual = q @ spread @ q.swapaxes(1, 2), q @ data[:, :, 0, None]
    step, covariance = np.zeros((index.size, 5)), np.zeros((index.size, 5, 5))
    inverse, good = _inverses(jacobian[:, :used, :used])
    step[:, :used] = np.where(good[:, None], -(inverse @ residual[:, :used])[:, :, 0], 0.0)
    covariance[:, :used, :used] = inverse @ scatter[:, :used, :used] @ inverse.swapaxes(1, 2)
    covariance[~good] = np.nan
    return step, covariance, ~good


def _grams(window: Window, center: Float, moments: Float, index: IntArray, noise: _Noise) -> tuple[Float, Float]:
    """Σ w D m_i m_j, and the covariance of Σ w n m_i, for the six monomials (n, 6, 6)."""
    weight, dy, dx = gaussian_weights(window, center, moments)
    both = np.empty((2, *weight.shape))
    np.multiply(weight, _picked(window.flux, index), out=both[0])
    np.multiply(weight * weight, _picked(window.noise, index), out=both[1])
    data, spread = _gram(_monomial_sums(both, dy, dx, 4))
    correlation, numbers = noise
    if correlation is not None and correlation.lags:
        band = (index if numbers is None else numbers[index]) % len(correlation.xi)
        spread = spread + _correlated(weight * np.sqrt(_picked(window.noise, index)), dy, dx, band, correlation)
    return data, spread


def _round_grams(window: Window, center: Float, moments: Float, index: IntArray, noise: _Noise) -> tuple[Float, Float]:
    """`_grams` of the first three monomials, all that a centre needs, by rows and columns if weights are round."""
    if moments[:, 1].any() or (noise[0] is not None and noise[0].lags):
        return _grams(window, center, moments, index, noise)
    data, spread = np.zeros((2, len(index), 6, 6))
    # The square of a Gaussian is one of half the variance.
    for out, images, shape in ((data, window.flux, moments), (spread, window.noise, moments / 2)):
        sums = _separable_sums(window.box, center, shape, _picked(images, index))
        out[:, :3, :3] = sums[:, _PRODUCTS[:3, :3, 0], _PRODUCTS[:3, :3, 1]]
    return data, spread


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


def gaussian_weights(
    window: Window, center: Float, moments: Float, dtype: type[np.floating] = np.float64
) -> tuple[Any, Any, Any]:
    """Weights (n, h, w) and the offsets Δy (n, h), Δx (n, w) of the window's rows and columns."""
    (y0, x0), (height, width) = window.box.origin, window.box.shape
    dy = np.arange(y0, y0 + height) - center[:, :1]
    dx = np.arange(x0, x0 + width) - center[:, 1:]
    # M⁻¹ written out: the exponent is −½ (xx y² − 2 yx y x + yy x²) / det M.
    yy, yx, xx = (moments / (-2 * (moments[:, 0] * moments[:, 2] - moments[:, 1] ** 2))[:, None]).T[:, :, None]
    across = (-2 * yx * dy).astype(dtype, copy=False)
    dy, dx = dy.astype(dtype, copy=False), dx.astype(dtype, copy=False)
    along_y, along_x = (xx * dy**2).astype(dtype, copy=False), (yy * dx**2).astype(dtype, copy=False)
    if not yx.any():
        return np.exp(along_y)[:, :, None] * np.exp(along_x)[:, None, :], dy, dx
    exponent = across[:, :, None] * dx[:, None, :]
    exponent += along_y[:, :, None]
    exponent += along_x[:, None, :]
    return np.exp(exponent, out=exponent), dy, dx


def _separable_sums(box: Box, center: Float, moments: Float, images: Float) -> Float:
    """Σ w images Δy^i Δx^j for i, j up to 2, where the axes of the weights are those of the image: (n, 3, 3)."""
    sides = []
    for axis, column in ((0, 0), (1, 2)):
        delta = np.arange(box.shape[axis]) + (box.origin[axis] - center[:, axis, None])
        square = delta * delta
        profile = np.exp(square / (-2 * moments[:, column, None]))
        side = np.empty((len(delta), 3, delta.shape[1]))
        side[:, 0] = profile
        np.multiply(profile, delta, out=side[:, 1])
        np.multiply(profile, square, out=side[:, 2])
        sides.append(side)
    return np.asarray(sides[0] @ images @ sides[1].swapaxes(1, 2))


def _monomial_sums(image: Float, dy: Float, dx: Float, degree: int) -> Float:
    """Σ image Δy^i Δx^j of images (..., n, h, w) for i, j up to ``degree``: (..., n, degree + 1, degree + 1)."""
    rows, columns = _powers(dy, degree), _powers(dx, degree)
    return np.asarray(rows @ image @ columns.swapaxes(-1, -2))


def _powers(delta: Float, degree: int) -> Float:
    """Powers 0 … ``degree`` of offsets (n, h), in double precision: (n, degree + 1, h)."""
    out = np.empty((len(delta), degree + 1, delta.shape[1]))
    out[:, 0] = 1.0
    out[:, 1] = delta
    for power in range(2, degree + 1):
        np.multiply(out[:, power - 1], out[:, 1], out=out[:, power])
    return out


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
