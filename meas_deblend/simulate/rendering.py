"""Sources drawn wholly in Fourier space, for PSFs whose transform is known."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft

from ..geometry import Box, Image
from .optics import FourierPsf, finer_grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .catalog import SimulatedSource

__all__ = ["light_radius", "render_source"]

# Sides of grids are multiples of this, so that few different ones are made and their OTFs are kept.
_STEP = 16


def render_source(source: SimulatedSource, psfs: Sequence[FourierPsf], radius: int) -> Image:
    """Draw one source without noise, integrated over the pixels.

    The product of the transforms of profile, PSF and pixel is exact; what is left is the light that a periodic grid
    brings back from beyond its edge, which ``radius`` makes small, and aliasing below 1e-4 of the peak.

    Parameters
    ----------
    source : SimulatedSource
        With one flux per PSF.
    psfs : sequence of FourierPsf (B,)
        One per band; those that vary are taken at the source.
    radius : int
        Half of the stamp's side [px].

    Returns
    -------
    Image
        Cube (B, h, w) around the pixel nearest to the source, image units; float64.
    """
    row, column = math.floor(source.y + 0.5), math.floor(source.x + 0.5)
    local = tuple(psf.at(source.y, source.x) for psf in psfs)
    side, factor = _side(2 * radius + 1), max(_factor(psf) for psf in local)
    ky, kx = _frequencies(side, factor)
    size = 2 * radius + 1
    flux = np.array([c.flux for c in source.components])
    shift = np.exp(-1j * ky * (source.y - row + radius)) * np.exp(-1j * kx * (source.x - column + radius))
    transform = np.zeros((len(local), *shift.shape), dtype=np.complex128)
    for component, values in zip(source.components, flux, strict=True):
        transform += values[:, None, None] * component.transform(ky, kx)
    for band, psf in enumerate(local):
        transform[band] *= shift * _pixel_otf(psf, side, factor)
    cube = fft.irfft2(transform, s=(factor * side,) * 2)[:, ::factor, ::factor][:, :size, :size]
    return Image(np.ascontiguousarray(cube) * factor**2, Box((row - radius, column - radius), (size, size)))


def light_radius(
    source: SimulatedSource, psfs: Sequence[FourierPsf], brightness: NDArray[np.float64], limit: int
) -> int:
    """Half side [px] of the stamp outside of which a source is fainter than ``brightness`` in every band.

    Parameters
    ----------
    source : SimulatedSource
        What is to be drawn.
    psfs : sequence of FourierPsf (B,)
        Their wings count as well as the profile's.
    brightness : float64 array (B,)
        What may be cut off per pixel, image units; above 0.
    limit : int
        Largest value returned.
    """
    radius = 3.0
    total = source.flux
    for band, psf in enumerate(psfs):
        if total[band] <= 0:
            continue
        wings = psf.radius_at(float(brightness[band] / total[band]))
        for component in source.components:
            if (flux := component.flux[band]) > 0:
                reach = component.profile.radius_at(float(brightness[band]) / flux) + math.hypot(*component.offset)
                radius = max(radius, reach, wings)
    return min(math.ceil(radius), limit)


def _side(size: int) -> int:
    # A third more than the stamp: light that leaves the grid comes back outside of the stamp.
    wanted = _STEP * math.ceil(max(1.33 * size, 4 * _STEP) / _STEP)
    return int(fft.next_fast_len(wanted, real=True))


@lru_cache(maxsize=256)
def _factor(psf: FourierPsf) -> int:
    return finer_grid(psf)


@lru_cache(maxsize=32)
def _frequencies(side: int, factor: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    fine = factor * side
    top = 2 * math.pi * factor
    return top * fft.fftfreq(fine)[:, None], top * fft.rfftfreq(fine)[None, :]


@lru_cache(maxsize=64)
def _pixel_otf(psf: FourierPsf, side: int, factor: int) -> NDArray[np.float64]:
    ky, kx = _frequencies(side, factor)
    return np.asarray(psf.transform(ky, kx) * np.sinc(ky / (2 * math.pi)) * np.sinc(kx / (2 * math.pi)))
