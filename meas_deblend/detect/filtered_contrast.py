"""Significance over the surroundings on the tiles of a band, in units of the noise that is measured."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Box
from .contrast import ContrastStencils, contrast_at, contrast_reach, local_contrast
from .noise import noise_ratio
from .significance import FWHM_PER_SIGMA, psf_sigma
from .tiling import tiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray
    from .band_pixels import BandPixels
    from .config import DetectConfig
    from .filtering import FilteredBand
    from .tiling import TilePixels

__all__ = ["contrast_noise", "contrast_on", "stencils_on"]


def stencils_on(
    pixels: BandPixels, tile: Box, scale: float, inner: tuple[int, int], known: ContrastStencils | None
) -> ContrastStencils:
    """Stencils for a disc of ``scale`` FWHM of a tile's kernel: those ``known`` from the tile before if they fit."""
    kernel = pixels.kernel_on(tile)
    if known is not None and known.fit(kernel, inner):
        return known
    return ContrastStencils.of(kernel, scale * psf_sigma(kernel) * FWHM_PER_SIGMA, inner)


def contrast_on(
    pixels: BandPixels, made: ContrastStencils, wanted: tuple[Box, BoolArray], config: DetectConfig
) -> tuple[NDArray[np.float32], BoolArray]:
    """Significance of a point source over its surroundings, and where it is known.

    Parameters
    ----------
    pixels : BandPixels
    made : ContrastStencils
        See `stencils_on`.
    wanted : tuple of Box and bool array (y, x)
        Tile with what is needed around it, and which of its pixels to look at.
    config : DetectConfig

    Returns
    -------
    significance : float32 array (y, x)
        On the box that is ``wanted``.
    seen : bool array (y, x)
    """
    box, where = wanted
    return local_contrast(_rough(pixels.on(box.grow(contrast_reach(made.radius))), config), made, where)


def contrast_noise(band: FilteredBand, scale: float, config: DetectConfig) -> float:
    """Scatter of that significance on the sky over what is expected; 1 unless ``config.calibrate_noise``."""
    if not config.calibrate_noise:
        return 1.0
    sample, pixels, values = band.sample, band.pixels, []
    for tile in tiles(pixels.shape, config.tile_size):
        (y0, x0), (y1, x1) = tile.origin, tile.stop
        here = (sample.y >= y0) & (sample.y < y1) & (sample.x >= x0) & (sample.x < x1)
        if here.any():
            kernel = pixels.kernel_on(tile)
            radius = scale * psf_sigma(kernel) * FWHM_PER_SIGMA
            around = _rough(pixels.on(tile.grow(contrast_reach(radius))), config)
            value, seen = contrast_at(around, kernel, radius, (sample.y[here] - y0, sample.x[here] - x0))
            values.append(value[seen])
    return noise_ratio(np.concatenate(values), sample.independent) if values else 1.0


def _rough(pixels: TilePixels, config: DetectConfig) -> TilePixels:
    """Add the relative roughness ``config.roughness`` of what is bright to the variance.

    PSFs are not known, and galaxies are not smooth, to the precision of the photon noise of a bright source.
    """
    rough = config.roughness * np.maximum(pixels.image, 0.0)
    return replace(pixels, variance=pixels.variance + rough**2)
