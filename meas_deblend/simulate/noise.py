"""Noise of simulated images: counted electrons, or the correlated noise of a coadd."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ..exceptions import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["autocorrelation", "correlated_noise", "correlation_kernel", "counted_electrons"]

# The largest sum that three equal weights in a row give in two dimensions.
_LARGEST = 9.0


def counted_electrons(
    rng: np.random.Generator, model: NDArray[np.float64], sky: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sky-subtracted image of counted electrons: Poisson(sky + model) − sky.

    Parameters
    ----------
    rng : numpy Generator
        Source of randomness.
    model : float64 array (B, y, x)
        Expected electrons of the sources; below −sky it counts as −sky.
    sky : float64 array (B,)
        Electrons of the sky per pixel.

    Returns
    -------
    float64 array (B, y, x)
        Of variance sky + model.
    """
    level = sky[:, None, None]
    return np.asarray(rng.poisson(np.maximum(level + model, 0.0)) - level, dtype=np.float64)


def correlation_kernel(total: float) -> NDArray[np.float64]:
    """Kernel (3, 3) that gives white noise the autocorrelation ξ with Σξ = ``total`` and ξ(0) = 1.

    A coadd's pixels share the light of the input pixels that they were interpolated from. The kernel is the outer
    product of (c, 1, c), of unit norm, so that convolution keeps the variance: Σξ = (Σ k)² is
    ((1 + 2c)² / (1 + 2c²))².

    Parameters
    ----------
    total : float
        From 1 (white) to 9 (three equal weights); the variance of a large aperture is this many times the sum of the
        pixels' variances.

    Raises
    ------
    InputError
        If ``total`` is out of range.
    """
    if not 1 <= total <= _LARGEST:
        raise InputError(f"the sum of the noise correlation must be between 1 and {_LARGEST:g}, got {total}")
    # (1 + 2c)² = √total (1 + 2c²), the root between 0 and 1.
    s = math.sqrt(total)
    a = 4 - 2 * s
    c = (1 - s) / -4 if abs(a) < 1e-12 else (-4 + math.sqrt(max(16 - 4 * a * (1 - s), 0.0))) / (2 * a)
    row = np.array([c, 1.0, c])
    row /= np.sqrt((row**2).sum())
    return np.outer(row, row)


def autocorrelation(kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Autocorrelation ξ (2h − 1, 2w − 1) over pixel lags of white noise convolved with ``kernel`` (h, w); ξ(0) = 1."""
    h, w = kernel.shape
    full = np.abs(np.fft.fft2(kernel, (2 * h - 1, 2 * w - 1))) ** 2
    xi = np.fft.fftshift(np.fft.ifft2(full).real)
    return np.asarray(xi / xi[h - 1, w - 1])


def correlated_noise(
    rng: np.random.Generator, variance: NDArray[np.float64], kernel: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Gaussian noise of the given variance per pixel (χ² per pixel 1), correlated as ``kernel`` says.

    Parameters
    ----------
    rng : numpy Generator
        Source of randomness.
    variance : float64 array (B, y, x)
        Per pixel.
    kernel : float64 array (h, w)
        Of unit norm (`correlation_kernel`).

    Returns
    -------
    float64 array (B, y, x)
    """
    white = rng.standard_normal(variance.shape)
    return np.asarray(np.sqrt(variance) * ndimage.convolve(white, kernel[None], mode="wrap"))
