"""Compiled: moving PSFs by parts of a pixel, and division of a Gaussian by their transforms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..scarlet._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray

    Float = NDArray[np.float64]

__all__ = ["divided", "shift_matrix"]

# Transforms of PSFs below this part of their sum are noise of the drawing; nothing is divided by less.
_FLOOR = 1e-4
# Part of the aperture's power that may lie where the PSF has no signal.
_LOST = 1e-3
# Noise on small scales may be amplified so much over that on large ones. Wings of a PSF alone, which its transform
# shows near k = 0, take a few percent; an aperture that is narrower than the PSF takes orders of magnitude.
_AMPLIFIED = 1.5


@jit
def divided(transforms: NDArray[np.complex128], gaussian: Float, sums: Float) -> BoolArray:
    """Replace transforms P (B, m, n) of PSFs by W / P* where P has a signal, else 0.

    Parameters
    ----------
    transforms : complex128 array (B, m, n)
        Are changed.
    gaussian : float64 array (m, n)
        W.
    sums : float64 array (B,)
        Of the PSFs' pixels.

    Returns
    -------
    bool array (B,)
        Whether little of W lies where P has no signal, and noise is not amplified much.
    """
    usable, squares = np.zeros(len(transforms), dtype=np.bool_), (gaussian**2).sum()
    for band in range(len(transforms)):
        lost, first, largest = 0.0, 0.0, 0.0
        smallest = max((_FLOOR * sums[band]) ** 2, 1e-300)
        for row in range(gaussian.shape[0]):
            for column in range(gaussian.shape[1]):
                value, wanted = transforms[band, row, column], gaussian[row, column]
                power = value.real**2 + value.imag**2
                # 1 / P* keeps the PSF's own phase, so the weights lie where the PSF was drawn.
                factor = wanted / power if power > smallest else 0.0
                if not power > smallest:
                    lost += wanted**2
                transforms[band, row, column] = value * factor
                amplitude = factor**2 * power
                largest = max(largest, amplitude)
                if row == 0 and column == 0:
                    first = amplitude
        usable[band] = lost <= _LOST * squares and largest <= _AMPLIFIED**2 * first
    return usable


@jit
def shift_matrix(count: int, shift: float) -> Float:
    """Matrix (n, n) that moves n periodic values, n odd, by the Fourier shift theorem.

    Its elements are Dirichlet's kernel sin(πt) / (n sin(πt/n)) at t = i − j − shift, with |shift| ≤ ½.
    """
    kernel, out = np.ones(2 * count - 1), np.empty((count, count))
    for k in range(2 * count - 1):
        t = k + 1 - count - shift
        if t != 0:
            kernel[k] = np.sin(np.pi * t) / (count * np.sin(np.pi / count * t))
    for i in range(count):
        for j in range(count):
            out[i, j] = kernel[i - j + count - 1]
    return out
