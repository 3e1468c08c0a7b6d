"""The PSF from the blend itself: difference kernels that explain the images best, given a model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import fft

from ..geometry import FloatArray
from .kernels import Kernels
from .observation import Observation

__all__ = ["fit_psf", "kernel_gradient"]


def kernel_gradient(model: FloatArray, residual: FloatArray, radius: tuple[int, int]) -> FloatArray:
    """Gradient (band, 2 ry + 1, 2 rx + 1) by the kernels: the correlation of the model with the weighted residual.

    Parameters
    ----------
    model : array (band, y, x)
        Before convolution.
    residual : array (band, y, x)
        Weights × (rendered model − images): the gradient of the negative log-likelihood by the rendered model.
    radius : tuple of int
        Half sides (y, x) of the kernels.

    Returns
    -------
    array (band, 2 ry + 1, 2 rx + 1)
        At the tap d: Σ_p residual(p) model(p − d).
    """
    (ry, rx), (ny, nx) = radius, model.shape[1:]
    lengths = (fft.next_fast_len(ny + ry, real=True), fft.next_fast_len(nx + rx, real=True))
    product = fft.rfft2(residual, s=lengths) * fft.rfft2(model, s=lengths).conj()
    lags = fft.irfft2(product, s=lengths)
    rows, columns = np.arange(-ry, ry + 1), np.arange(-rx, rx + 1)
    # A kernel wider than the frame has taps that join no two pixels.
    taps = lags[:, rows[:, None] % lengths[0], columns % lengths[1]]
    taps *= (np.abs(rows) < ny)[:, None] & (np.abs(columns) < nx)
    return np.ascontiguousarray(taps, dtype=model.dtype)


def fit_psf(observation: Observation, model: FloatArray, *, prior_sigma: float = 0.02, max_iter: int = 30) -> Kernels:
    """Fit the difference kernels to the images at a fixed model.

    Minimises ½ Σ w (K ∗ model − images)² + ½ Σ ((K − K₀) / s)² by conjugate gradients (Hestenes & Stiefel 1952); K₀ are
    the observation's own kernels. The problem is linear, so this is its solution, and not a step towards it.

    Parameters
    ----------
    observation : Observation
    model : array (band, y, x)
        Scene in the resolution of the model PSF, such as ``blend.model(convolved=False)``.
    prior_sigma : float
        s in units of each kernel's peak; > 0. What the images do not say stays as it was.
    max_iter : int
        Most iterations of the solver.

    Returns
    -------
    Kernels
        With the PSFs that the new kernels make of the model PSF.

    Raises
    ------
    ValueError
        If ``prior_sigma`` is not positive or the model does not fit the images.
    """
    if not prior_sigma > 0:
        raise ValueError(f"prior_sigma must be > 0 times the peak of the kernel, got {prior_sigma}")
    if model.shape != observation.images.shape:
        raise ValueError(f"model has shape {model.shape}, expected that of the images {observation.images.shape}")
    kernels = observation.convolver.kernels
    start = kernels.stamps.astype(np.float64)
    model = model.astype(np.float64)
    weights = observation.weights.astype(np.float64)
    precision = (prior_sigma * np.abs(start).max(axis=(1, 2), keepdims=True)) ** -2.0

    def _normal(change: FloatArray) -> FloatArray:
        rendered = _convolve(model, change)
        out: FloatArray = kernel_gradient(model, weights * rendered, kernels.radius) + precision * change
        return out

    residual = weights * (_convolve(model, start) - observation.images)
    change = _conjugate_gradients(_normal, -kernel_gradient(model, residual, kernels.radius), max_iter)
    stamps = (start + change).astype(kernels.stamps.dtype)
    return Kernels(_convolve(stamps, kernels.model_psf[None]).astype(stamps.dtype), kernels.model_psf, stamps)


def _convolve(model: FloatArray, stamps: FloatArray) -> FloatArray:
    """Model (band, y, x) convolved with stamps (band, h, w), on its own frame."""
    ry, rx = stamps.shape[1] // 2, stamps.shape[2] // 2
    lengths = [fft.next_fast_len(n + 2 * r, real=True) for n, r in zip(model.shape[1:], (ry, rx), strict=True)]
    full = fft.irfft2(fft.rfft2(model, s=lengths) * fft.rfft2(stamps, s=lengths), s=lengths)
    out: FloatArray = full[:, ry : ry + model.shape[1], rx : rx + model.shape[2]]
    return out


def _conjugate_gradients(normal: Callable[[FloatArray], FloatArray], target: FloatArray, max_iter: int) -> FloatArray:
    """Solution (band, y, x) of normal(x) = target for an operator that acts on every band for itself."""
    x, residual = np.zeros_like(target), target.copy()
    direction = residual.copy()
    power = np.sum(residual**2, axis=(1, 2), keepdims=True)
    goal = 1e-12 * power
    for _ in range(max_iter):
        if np.all(power <= goal):
            break
        image = normal(direction)
        curvature = np.sum(direction * image, axis=(1, 2), keepdims=True)
        step = np.divide(power, curvature, out=np.zeros_like(power), where=curvature > 0)
        x += step * direction
        residual -= step * image
        now = np.sum(residual**2, axis=(1, 2), keepdims=True)
        direction = residual + np.divide(now, power, out=np.zeros_like(power), where=power > 0) * direction
        power = now
    return x
