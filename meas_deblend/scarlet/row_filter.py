"""The convolution inside the fit: a product of transforms, on rows that are as long as their transforms.

It takes three quarters of a fit, so it uses the faster transforms of ducc0 (Reinecke & Seljebotn 2023, A&A 678, A165)
where that library is installed (the extra ``fast``), and those of SciPy otherwise. The results agree to rounding.
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
from scipy import fft

from ..geometry import FloatArray
from .kernels import ComplexArray

__all__ = ["filter_rows"]


def _with_scipy(cube: FloatArray, transform: ComplexArray) -> FloatArray:
    ny, length = cube.shape[1:]
    plane = fft.fft(fft.rfft(cube), n=transform.shape[1], axis=-2, overwrite_x=True)
    plane *= transform
    rows = fft.ifft(plane, axis=-2, overwrite_x=True)[:, :ny]
    out: FloatArray = fft.irfft(rows, n=length)
    return out


def _with_ducc(cube: FloatArray, transform: ComplexArray) -> FloatArray:
    import ducc0  # noqa: PLC0415 - optional

    ny, length = cube.shape[1:]
    plane = np.zeros(transform.shape, dtype=transform.dtype)
    ducc0.fft.r2c(cube, axes=(2,), out=plane[:, :ny])
    ducc0.fft.c2c(plane, axes=(1,), out=plane)
    plane *= transform
    ducc0.fft.c2c(plane, axes=(1,), forward=False, inorm=2, out=plane)
    out: FloatArray = ducc0.fft.c2r(plane[:, :ny], axes=(2,), lastsize=length, forward=False, inorm=2)
    return out


HAS_DUCC = find_spec("ducc0") is not None


def filter_rows(cube: FloatArray, transform: ComplexArray) -> FloatArray:
    """Multiply the transform of ``cube`` (band, y, length of the transform), whose rows end with zeros.

    Parameters
    ----------
    cube : array (band, y, length)
    transform : complex array (band, ly, length // 2 + 1)
        Of the kernels, in the precision of the cube.

    Returns
    -------
    array (band, y, length)
    """
    return (_with_ducc if HAS_DUCC else _with_scipy)(cube, transform)
