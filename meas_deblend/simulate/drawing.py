"""Sources drawn on pixels, convolved with the PSF of their place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import fft

from ..geometry import Box, Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..image import Psf
    from .catalog import SimulatedSource

__all__ = ["draw_source", "stamp_radius"]


def draw_source(source: SimulatedSource, psfs: Sequence[Psf], radius: int) -> Image:
    """Draw one source without noise.

    The PSF of each band is drawn at the source's position, so it brings the sub-pixel shift and the pixel
    response; the profile, centred on a pixel, multiplies it in Fourier space.

    Parameters
    ----------
    source : SimulatedSource
        With one flux per PSF.
    psfs : sequence of Psf (B,)
        One per band; they should be Nyquist-sampled (FWHM above about 2.5 px).
    radius : int
        Half of the stamp's side [px]; grows to hold the PSF's stamp.

    Returns
    -------
    Image
        Cube (B, h, w) around the pixel nearest to the source, image units; float64.
    """
    drawn = [psf.image(source.y, source.x) for psf in psfs]
    center = drawn[0].center
    half = max(radius, max(max(d.stamp.shape) for d in drawn) // 2)
    # A third more than the stamp: light that leaves the grid comes back on the other side, outside of the stamp.
    side = fft.next_fast_len(3 * half + 2, real=True)
    ky, kx = 2 * np.pi * np.fft.fftfreq(side)[:, None], 2 * np.pi * np.fft.rfftfreq(side)[None, :]
    shapes = [c.transform(ky, kx) for c in source.components]
    cube = np.empty((len(psfs), 2 * half + 1, 2 * half + 1))
    for band, psf in enumerate(drawn):
        transform = sum(c.flux[band] * shape for c, shape in zip(source.components, shapes, strict=True))
        cube[band] = _convolve(psf.stamp, np.asarray(transform), side, half)
    return Image(cube, Box((center[0] - half, center[1] - half), cube.shape[1:]))


def _convolve(stamp: NDArray[np.float64], transform: NDArray[Any], side: int, half: int) -> NDArray[np.float64]:
    """Convolve ``stamp`` with a profile's transform about its centre; return ``half`` pixels around the middle."""
    rows, columns = stamp.shape
    full = fft.irfft2(fft.rfft2(stamp, (side, side)) * transform, (side, side))
    # The stamp's corner was put on pixel (0, 0), so its middle is brought to (half, half) before the cut.
    shift = (half - rows // 2, half - columns // 2)
    size = 2 * half + 1
    return np.asarray(np.roll(full, shift, axis=(0, 1))[:size, :size])


def stamp_radius(source: SimulatedSource, noise: NDArray[np.float64], level: float, limit: int) -> int:
    """Half side [px] of the stamp outside of which a source is below ``level`` · ``noise`` in every band.

    Parameters
    ----------
    source : SimulatedSource
        What is to be drawn.
    noise : float64 array (B,)
        Standard deviation of the sky per pixel, image units.
    level : float
        Fraction of the noise that may be cut off per pixel; above 0.
    limit : int
        Largest value returned.
    """
    radius = 0.0
    for component in source.components:
        for flux, sigma in zip(component.flux, noise, strict=True):
            if flux > 0:
                radius = max(radius, component.profile.radius_at(level * sigma / flux))
    return min(int(np.ceil(radius)), limit)
