"""The convolution inside the fit: a product of transforms, on rows that are as long as their transforms.

It takes most of a fit, so it is compiled whole where Rocket-FFT is installed, which brings transforms (of the library
ducc0: Reinecke & Seljebotn 2023, A&A 678, A165) into compiled code. SciPy's transforms, called one axis at a time,
stand in for it elsewhere: the engine needs nothing but numpy, scipy and numba. The results agree to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import ParamSpec, TypeVar

import numpy as np
from scipy import fft

from ..geometry import FloatArray
from ._jit import jit
from .kernels import ComplexArray

__all__ = ["filter_inside", "filter_rows", "jit_with_filter", "spread_rows"]

P = ParamSpec("P")
R = TypeVar("R")

IS_COMPILED = find_spec("rocket_fft") is not None
if IS_COMPILED:
    from rocket_fft import c2c, c2r, r2c

IN_CACHE = 1 << 16
"""Complex numbers that are transformed together."""


def _with_scipy(cube: FloatArray, transform: ComplexArray) -> FloatArray:
    ny, length = cube.shape[1:]
    plane = fft.fft(fft.rfft(cube), n=transform.shape[1], axis=-2, overwrite_x=True)
    plane *= transform
    rows = fft.ifft(plane, axis=-2, overwrite_x=True)[:, :ny]
    out: FloatArray = fft.irfft(rows, n=length)
    return out


@jit
def _compiled(cube: FloatArray, transform: ComplexArray) -> FloatArray:
    bands, ny, length = cube.shape
    ly, width = transform.shape[1:]
    along_y, along_x = np.array([1]), np.array([2])
    one = 1.0
    scale = 1 / (ly * length)
    # Small planes together, as each call takes its time; large ones alone, so that they stay in the cache.
    together = min(max(IN_CACHE // (ly * width), 1), bands)
    room = np.empty((together, ly, width), dtype=transform.dtype)
    out = np.empty_like(cube)
    for first in range(0, bands, together):
        stop = min(first + together, bands)
        planes = room[: stop - first]
        planes[:, ny:] = 0
        r2c(cube[first:stop], planes[:, :ny], along_x, True, one, 1)
        c2c(planes, planes, along_y, True, one, 1)
        planes *= transform[first:stop]
        c2c(planes, planes, along_y, False, scale, 1)
        c2r(planes[:, :ny], out[first:stop], along_x, False, one, 1)
    return out


filter_inside = _compiled if IS_COMPILED else _with_scipy
"""`filter_rows` for loops that are made with `jit_with_filter`."""


def jit_with_filter(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function that calls `filter_inside`, if that is compiled."""
    return jit(function) if IS_COMPILED else function


def _spread_with_scipy(rows: FloatArray, first: int, height: int, transform: ComplexArray) -> FloatArray:
    spectrum = np.zeros(transform.shape[1:], dtype=transform.dtype)
    spectrum[first : first + len(rows)] = fft.rfft(rows)
    planes = transform * fft.fft(spectrum, axis=0, overwrite_x=True)
    part = fft.ifft(planes, axis=1, overwrite_x=True)[:, :height]
    out: FloatArray = fft.irfft(part, n=rows.shape[1])
    return out


@jit
def _spread_compiled(rows: FloatArray, first: int, height: int, transform: ComplexArray) -> FloatArray:
    bands, ly, width = transform.shape
    length = rows.shape[1]
    along_y, along_x = np.array([0]), np.array([1])
    one = 1.0
    scale = 1 / (ly * length)
    spectrum = np.zeros((ly, width), dtype=transform.dtype)
    r2c(rows, spectrum[first : first + rows.shape[0]], along_x, True, one, 1)
    c2c(spectrum, spectrum, along_y, True, one, 1)
    plane = np.empty_like(spectrum)
    out = np.empty((bands, height, length), dtype=rows.dtype)
    for b in range(bands):
        plane[:] = spectrum * transform[b]
        c2c(plane, plane, along_y, False, scale, 1)
        c2r(plane[:height], out[b], along_x, False, one, 1)
    return out


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
    return (_compiled if IS_COMPILED else _with_scipy)(cube, transform)


def spread_rows(rows: FloatArray, first: int, height: int, transform: ComplexArray) -> FloatArray:
    """Filter one image for all bands: `filter_rows` of rows that lie ``first`` pixels down.

    Parameters
    ----------
    rows : array (y, length)
    first : int
        Number of the first row of them.
    height : int
        Rows that are wanted.
    transform : complex array (band, ly, length // 2 + 1)
        Of the kernels, in the precision of the rows; ``ly`` at least ``height`` and what the rows need.

    Returns
    -------
    array (band, height, length)
    """
    return (_spread_compiled if IS_COMPILED else _spread_with_scipy)(rows, first, height, transform)
