"""Compiled sums of images with correlated noise: each row is followed once for every lag."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..scarlet._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float = NDArray[np.float64]

__all__ = ["add_lagged", "products_variance", "smooth_images", "weights_variance"]


@jit
def smooth_images(images: Float, xi: Float, out: Float) -> None:
    """Convolve images (n, h, w) with the ξ (B, 2 L + 1, 2 L + 1) of band n modulo B; what leaves them is lost."""
    for n in range(len(images)):
        for row in range(images.shape[1]):
            out[n, row] = 0.0
            add_lagged(images[n], xi[n % len(xi)], row, -(xi.shape[1] // 2), out[n, row])


@jit
def add_lagged(image: Float, xi: Float, row: int, first: int, out: Float) -> None:
    """Add Σ ξ(Δ) image(p + Δ) for the pixels p of a row, over lags Δy ≥ ``first``; of Δy = 0 all, if first is not."""
    height, width = image.shape
    reach = xi.shape[0] // 2
    for dy in range(max(first, -row), min(reach, height - 1 - row) + 1):
        source = image[row + dy]
        for dx in range(-reach, reach + 1):
            factor = xi[dy + reach, dx + reach]
            # Of lags of the same row half is enough for a sum that is symmetric.
            if factor == 0.0 or (first == 0 and dy == 0 and dx < 0):
                continue
            for x in range(max(0, -dx), min(width, width - dx)):
                out[x] += factor * source[x + dx]


@jit
def _variance(image: Float, xi: Float, row_sum: Float) -> float:
    """Σ g(p) g(p + Δ) ξ(Δ) of one image g; ``row_sum`` (w,) is scratch."""
    # Lags of one half plane count twice, that of a pixel with itself once.
    total = 0.0
    for row in range(image.shape[0]):
        row_sum[:] = -0.5 * image[row]
        add_lagged(image, xi, row, 0, row_sum)
        for x in range(image.shape[1]):
            total += 2 * row_sum[x] * image[row, x]
    return total


@jit
def weights_variance(amplitudes: Float, xi: Float) -> Float:
    """Variances (n,) of Σ g n for images g (n, h, w), and noise n with the ξ of band n modulo B."""
    out, row_sum = np.zeros(len(amplitudes)), np.zeros(amplitudes.shape[2])
    for n in range(len(amplitudes)):
        out[n] = _variance(amplitudes[n], xi[n % len(xi)], row_sum)
    return out


@jit
def products_variance(weights: Float, sigma: Float, xi: Float) -> Float:
    """Variances (F, B) of weights that bands share: g = a σ, with a (F, h, w) and σ (B, h, w)."""
    out = np.zeros((len(weights), len(sigma)))
    for n in range(len(weights)):
        first_y, stop_y, first_x, stop_x = _extent(weights[n])
        part = weights[n, first_y:stop_y, first_x:stop_x]
        image, row_sum = np.zeros(part.shape), np.zeros(part.shape[1])
        for band in range(len(sigma)):
            image[:] = part * sigma[band, first_y:stop_y, first_x:stop_x]
            out[n, band] = _variance(image, xi[band], row_sum)
    return out


@jit
def _extent(image: Float) -> tuple[int, int, int, int]:
    """First and stop of the rows, then of the columns, that hold all pixels that are not 0."""
    first_y, stop_y, first_x, stop_x = image.shape[0], 0, image.shape[1], 0
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            if image[row, column] != 0:
                first_y, stop_y = min(first_y, row), row + 1
                first_x, stop_x = min(first_x, column), max(stop_x, column + 1)
    return min(first_y, stop_y), stop_y, min(first_x, stop_x), stop_x
