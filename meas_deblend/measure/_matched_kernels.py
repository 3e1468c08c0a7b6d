"""Compiled: moving PSFs by parts of a pixel, and division of a Gaussian by their transforms.

Transforms are made in compiled code where Rocket-FFT is installed; SciPy's stand in for them elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import fft

from ..scarlet._jit import jit
from ..scarlet.row_filter import IS_COMPILED

if IS_COMPILED:
    from rocket_fft import c2c, c2r, r2c

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray

    Float = NDArray[np.float64]

__all__ = ["IS_COMPILED", "compiled_quotients", "divided", "quotients", "shift_matrix"]

# Transforms of PSFs below this part of their sum are noise of the drawing; nothing is divided by less.
_FLOOR = 1e-4
# Part of the aperture's power that may lie where the PSF has no signal.
_LOST = 1e-3
# Noise on small scales may be amplified so much over that on large ones. Wings of a PSF alone, which its transform
# shows near k = 0, take a few percent; an aperture that is narrower than the PSF takes orders of magnitude.
_AMPLIFIED = 1.5


def quotients(cube: Float, gaussian: Float, margin: int, rows: tuple[int, int]) -> tuple[Float, BoolArray]:
    """Transform PSFs, divide W by them (`divided`), and transform back.

    Parameters
    ----------
    cube : float64 array (B, h, w)
        PSFs.
    gaussian : float64 array (m, n // 2 + 1)
        W, on at least h + 2 · ``margin`` rows; n is 2 (n // 2).
    margin : int
        Rows and columns before the PSFs [px].
    rows : tuple of int
        First and last but one that are wanted, of the m.

    Returns
    -------
    weights : float64 array (B, rows, n)
    usable : bool array (B,)
    """
    (bands, height, width), length = cube.shape, 2 * (gaussian.shape[1] - 1)
    padded = np.zeros((bands, height, length))
    padded[:, :, margin : margin + width] = cube
    planes = np.zeros((bands, *gaussian.shape), dtype=np.complex128)
    # A transform in two dimensions would go through the rows of zeros too, and back through those that are not wanted.
    planes[:, margin : margin + height] = fft.rfft(padded, axis=2)
    planes = fft.fft(planes, axis=1, overwrite_x=True)
    usable = divided(planes, gaussian, cube.sum(axis=(1, 2)))
    wanted = fft.ifft(planes, axis=1, overwrite_x=True)[:, slice(*rows)]
    return np.asarray(fft.irfft(wanted, n=length, axis=2)), usable


@jit
def compiled_quotients(cube: Float, gaussian: Float, margin: int, rows: tuple[int, int]) -> tuple[Float, BoolArray]:
    """Do what `quotients` does."""
    bands, height, width = cube.shape
    length = 2 * (gaussian.shape[1] - 1)
    along_y, along_x, one = np.array([1]), np.array([2]), 1.0
    padded, planes = np.zeros((bands, height, length)), np.zeros((bands, *gaussian.shape), dtype=np.complex128)
    sums = np.zeros(bands)
    for band in range(bands):
        padded[band, :, margin : margin + width] = cube[band]
        sums[band] = cube[band].sum()
    r2c(padded, planes[:, margin : margin + height], along_x, True, one, 1)
    c2c(planes, planes, along_y, True, one, 1)
    usable = divided(planes, gaussian, sums)
    c2c(planes, planes, along_y, False, 1.0 / (gaussian.shape[0] * length), 1)
    out = np.empty((bands, rows[1] - rows[0], length))
    c2r(planes[:, rows[0] : rows[1]], out, along_x, False, one, 1)
    return out, usable


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
