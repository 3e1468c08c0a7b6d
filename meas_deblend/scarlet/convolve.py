"""Convolution of model cubes with the difference kernels, and its adjoint."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import fft

from ..geometry import FloatArray
from .kernels import ComplexArray, Kernels, conjugate_transform, kernel_transform

__all__ = ["Convolver", "central_values", "filter_cube", "full_convolution"]


@dataclass(frozen=True, eq=False)
class Convolver:
    """Convolution on a frame with zeros outside: output and input have the same shape.

    A transform of length N + (K − 1) / 2 suffices for N pixels and K taps: what wraps around falls outside the frame.

    Parameters
    ----------
    kernels : Kernels
    shape : tuple of int
        Frame (y, x).
    """

    kernels: Kernels
    shape: tuple[int, int]

    @property
    def reach(self) -> tuple[int, int]:
        """Pixels (y, x) over which the kernels can act inside the frame."""
        (ry, rx), (ny, nx) = self.kernels.radius, self.shape
        return (min(ry, ny - 1), min(rx, nx - 1))

    @cached_property
    def lengths(self) -> tuple[int, int]:
        """Lengths (y, x) of the transforms."""
        (ny, nx), (ry, rx) = self.shape, self.reach
        return (fft.next_fast_len(ny + ry, real=True), fft.next_fast_len(nx + rx, real=True))

    @cached_property
    def transform(self) -> ComplexArray:
        """Transform of the kernels at these lengths."""
        return kernel_transform(self.kernels, self.lengths, self.reach)

    @cached_property
    def conjugate(self) -> ComplexArray:
        """Complex conjugate of `transform`."""
        return conjugate_transform(self.kernels, self.lengths, self.reach)

    def render(self, model: FloatArray) -> FloatArray:
        """Model (band, y, x) in the seeing of each band."""
        return filter_cube(model, self.transform, self.lengths)

    def adjoint(self, residual: FloatArray) -> FloatArray:
        """Transpose of `render`: ⟨render(a), b⟩ = ⟨a, adjoint(b)⟩."""
        return filter_cube(residual, self.conjugate, self.lengths)


def filter_cube(cube: FloatArray, transform: ComplexArray, lengths: tuple[int, int]) -> FloatArray:
    """Multiply the transform of ``cube`` (band, y, x), zero-padded to ``lengths``, and come back to its shape.

    Rows and columns are transformed one axis at a time, so that padding rows cost nothing.
    """
    ny, nx = cube.shape[-2:]
    rows = fft.rfft(cube, n=lengths[1], axis=-1)
    plane = fft.fft(rows, n=lengths[0], axis=-2, overwrite_x=True)
    # One image may stand for all bands.
    plane = np.multiply(plane, transform, out=plane if len(plane) == len(transform) else None)
    rows = fft.ifft(plane, axis=-2, overwrite_x=True)[..., :ny, :]
    out: FloatArray = fft.irfft(rows, n=lengths[1], axis=-1)[..., :nx]
    return np.ascontiguousarray(out)


def full_convolution(images: FloatArray, kernels: Kernels) -> FloatArray:
    """Convolution of an image (y, x), the same in all bands, or of a cube (band, y, x), grown by the kernel radius.

    Returns
    -------
    array (band, y + 2 ry, x + 2 rx)
        Every pixel that the kernels reach.
    """
    ry, rx = kernels.radius
    cube = np.pad(np.atleast_3d(images.T).T, [(0, 0), (ry, ry), (rx, rx)])
    lengths = tuple(fft.next_fast_len(side, real=True) for side in cube.shape[-2:])
    return filter_cube(cube, kernel_transform(kernels, (lengths[0], lengths[1]), (ry, rx)), (lengths[0], lengths[1]))


def central_values(image: FloatArray, center: tuple[int, int], stamps: FloatArray) -> FloatArray:
    """Value (band,) at one pixel ``center`` of the image (y, x) convolved with ``stamps`` (band, h, w) of odd sides."""
    h, w = stamps.shape[-2:]
    (y, x), (ny, nx) = center, image.shape
    y0, y1, x0, x1 = max(y - h // 2, 0), min(y + h // 2 + 1, ny), max(x - w // 2, 0), min(x + w // 2 + 1, nx)
    # A convolution reads the kernel backwards: the tap at offset d meets the pixel at −d.
    flipped = stamps[:, ::-1, ::-1]
    part = flipped[:, y0 - y + h // 2 : y1 - y + h // 2, x0 - x + w // 2 : x1 - x + w // 2]
    values: FloatArray = np.einsum("byx,yx->b", part, image[y0:y1, x0:x1])
    return values
