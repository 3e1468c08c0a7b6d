"""Convolution of model cubes with the difference kernels, and its adjoint."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import fft

from ..geometry import Box, FloatArray
from .kernels import ComplexArray, Kernels, conjugate_transform, kernel_transform
from .row_filter import filter_rows, spread_rows

__all__ = ["Convolver", "central_values", "filter_cube", "full_convolution", "local_convolution"]


@dataclass(frozen=True, eq=False)
class Convolver:
    """Convolution on a frame with zeros outside: output and input have the same shape.

    A transform of length N + (K − 1) / 2 suffices for N pixels and K taps: what wraps around falls outside the frame.
    Where the frame is not larger than the kernels, one of length 2 N does, whose taps reach N pixels: then frames of
    several sizes share transforms of the kernels.

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
        """Pixels (y, x) over which the kernels act: as far as any two pixels of the frame lie apart, or farther."""
        (ry, rx), (ly, lx), (ny, nx) = self.kernels.radius, self.lengths, self.shape
        return (ry if ny > ry else min(ry, ly // 2 - 1), rx if nx > rx else min(rx, lx // 2 - 1))

    @cached_property
    def lengths(self) -> tuple[int, int]:
        """Lengths (y, x) of the transforms."""
        (ny, nx), (ry, rx) = self.shape, self.kernels.radius
        return (_length(ny, ry), _length(nx, rx))

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


def _length(n: int, radius: int) -> int:
    """Length of a transform for ``n`` pixels and kernels of a radius."""
    if n > radius:
        return fft.next_fast_len(n + radius, real=True)
    # Twice a length that is fast is even and fast.
    return 2 * fft.next_fast_len(n, real=True)


def filter_cube(cube: FloatArray, transform: ComplexArray, lengths: tuple[int, int]) -> FloatArray:
    """Multiply the transform of ``cube`` (band, y, x), zero-padded to ``lengths``, and come back to its shape.

    A cube of one image stands for all bands.
    """
    ny, nx = cube.shape[-2:]
    padded = np.zeros((len(cube), ny, lengths[1]), dtype=cube.dtype)
    padded[:, :, :nx] = cube
    is_cube = len(cube) == len(transform)
    out = filter_rows(padded, transform) if is_cube else spread_rows(padded[0], 0, ny, transform)
    return np.ascontiguousarray(out[:, :, :nx])


def full_convolution(images: FloatArray, kernels: Kernels) -> FloatArray:
    """Convolution of an image (y, x), the same in all bands, or of a cube (band, y, x), grown by the kernel radius.

    Returns
    -------
    array (band, y + 2 ry, x + 2 rx)
        Every pixel that the kernels reach.
    """
    ry, rx = kernels.radius
    inner = np.atleast_3d(images.T).T
    count, h, w = inner.shape
    cube = np.zeros((count, h + 2 * ry, w + 2 * rx), dtype=inner.dtype)
    cube[:, ry : ry + h, rx : rx + w] = inner
    # Few lengths, as in `local_convolution`.
    ly, lx = (_coarse_length(side) for side in cube.shape[-2:])
    return filter_cube(cube, kernel_transform(kernels, (ly, lx), (ry, rx)), (ly, lx))


def local_convolution(image: FloatArray, box: Box, target: Box, kernels: Kernels) -> FloatArray:
    """Values on ``target`` of an image (y, x) on ``box``, the same in all bands, in the seeing of each band.

    What wraps around the transform must not reach ``target``: for pixels at most D apart and kernels of radius r a
    length of D + r + 1 suffices. Lengths are rounded up to few values, so that boxes of many sizes share transforms of
    the kernels, which cost as much as the convolution itself.

    Parameters
    ----------
    image : array (y, x)
    box, target : Box
        ``target`` encloses ``box``.
    kernels : Kernels

    Returns
    -------
    array (band, y, x)
    """
    lengths, reach, first = [], [], []
    for axis in (0, 1):
        start, stop = box.origin[axis] - target.origin[axis], target.stop[axis] - box.origin[axis]
        distance = max(start + box.shape[axis], stop) - 1
        reach.append(min(kernels.radius[axis], distance))
        lengths.append(_coarse_length(max(target.shape[axis], distance + reach[axis] + 1)))
        first.append(start)
    transform = kernel_transform(kernels, (lengths[0], lengths[1]), (reach[0], reach[1]))
    rows = np.zeros((box.shape[0], lengths[1]), dtype=image.dtype)
    rows[:, first[1] : first[1] + box.shape[1]] = image
    whole = spread_rows(rows, first[0], target.shape[0], transform)
    return np.ascontiguousarray(whole[:, :, : target.shape[1]])


def _coarse_length(n: int) -> int:
    """Length of a transform, at least ``n``: 8, 10, 12 or 14 times a power of two where that is fast."""
    step = max(1 << max(n.bit_length() - 3, 0), 16)
    return fft.next_fast_len(-(-n // step) * step, real=True)


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
