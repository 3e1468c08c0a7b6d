"""Sums of images under Gaussian weights, and what noise does to the weights that fit best.

The best centre and shape θ = (y, x, Iyy, Iyx, Ixx) solve G(θ) = Σ w D q = 0, where w = exp(−½ Δᵀ M⁻¹ Δ) and
q = (Δy, Δx, Δy² − Iyy/2, Δy Δx − Iyx/2, Δx² − Ixx/2).  With ∂w/∂θ = w s, noise of variance N per pixel gives θ
the covariance J⁻¹ (Σ N w² q qᵀ) J⁻ᵀ, where J = ∂G/∂θ = Σ w D (q sᵀ + ∂q/∂θ).  q and s are polynomials in Δ, so
all sums follow from those of the monomials.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import IntArray
    from .noise import NoiseCorrelation
    from .pixels import Window

    Float = NDArray[np.float64]

__all__ = ["gaussian_weights", "lost_fractions", "propagate"]

_WHITE = np.ones((1, 1, 1))


def lost_fractions(window: Window, center: Float, moments: Float, index: IntArray) -> tuple[Float, Float]:
    """Part of each weight (n,) that lies beyond the edge of the image, and part that lies on bad pixels of it."""
    from ._gaussian_kernels import weighted_loss  # noqa: PLC0415 - loads the compiler

    if window.is_complete or window.usable[index].all():
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
    from ._newton_kernels import newton_steps  # noqa: PLC0415 - loads the compiler

    xi = _WHITE if noise is None or not noise.lags else noise.xi
    planes = np.ascontiguousarray(window.flux), np.ascontiguousarray(window.noise), xi
    return newton_steps(planes, _origin(window), np.concatenate([center, moments], axis=1), index, used)


def _origin(window: Window) -> Float:
    return np.array(window.box.origin, dtype=np.float64)


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
