"""Significance over the surroundings on the tiles of a band, in units of the noise that is measured."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .contrast import Disc, contrast_at, local_contrast
from .noise import noise_ratio
from .significance import FWHM_PER_SIGMA, psf_sigma
from .tiling import tiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray, Box, FloatArray
    from .band_pixels import BandPixels
    from .config import DetectConfig
    from .filtering import FilteredBand
    from .tiling import TilePixels

__all__ = ["contrast_noise", "contrasts_on"]


def contrasts_on(
    pixels: BandPixels, tile: Box, wanted: tuple[Box, BoolArray], config: DetectConfig
) -> list[tuple[NDArray[np.float32], BoolArray]]:
    """Significance of a point source over its surroundings, and where it is known, for each scale.

    Parameters
    ----------
    pixels : BandPixels
    tile : Box
        Whose kernel is used.
    wanted : tuple of Box and bool array (y, x)
        Tile with what is needed around it, and which of its pixels to look at.
    config : DetectConfig

    Returns
    -------
    list of tuple of float32 array (y, x) and bool array (y, x)
        On the box that is ``wanted``: the significance, and where it is known.
    """
    box, where = wanted
    discs = _discs(pixels.kernel_on(tile), config)
    around = _rough(pixels.on(box.grow(max(disc.reach for disc in discs))), config)
    return [local_contrast(around, disc, where) for disc in discs]


def contrast_noise(band: FilteredBand, config: DetectConfig) -> list[float]:
    """Scatter of that significance on the sky over what is expected, by scale; 1 unless ``config.calibrate_noise``."""
    scales = len(config.peak_scales)
    if not config.calibrate_noise:
        return [1.0] * scales
    sample, pixels = band.sample, band.pixels
    values: list[list[NDArray[np.float32]]] = [[] for _ in range(scales)]
    for tile in tiles(pixels.shape, config.tile_size):
        (y0, x0), (y1, x1) = tile.origin, tile.stop
        here = (sample.y >= y0) & (sample.y < y1) & (sample.x >= x0) & (sample.x < x1)
        if here.any():
            discs = _discs(pixels.kernel_on(tile), config)
            widest = max(disc.reach for disc in discs)
            around = _rough(pixels.on(tile.grow(widest)), config)
            for disc, found in zip(discs, values, strict=True):
                # Pixels are counted from the edge of the disc's own margin.
                shift = widest - disc.reach
                where = (sample.y[here] - y0 + shift, sample.x[here] - x0 + shift)
                value, seen = contrast_at(around, disc, where)
                found.append(value[seen])
    return [noise_ratio(np.concatenate(found), sample.independent) if found else 1.0 for found in values]


def _discs(kernel: FloatArray, config: DetectConfig) -> list[Disc]:
    """Surroundings of a peak, by scale."""
    fwhm = psf_sigma(kernel) * FWHM_PER_SIGMA
    return [Disc.of(kernel, scale * fwhm) for scale in config.peak_scales]


def _rough(pixels: TilePixels, config: DetectConfig) -> TilePixels:
    """Add the relative roughness ``config.roughness`` of what is bright to the variance.

    PSFs are not known, and galaxies are not smooth, to the precision of the photon noise of a bright source.
    """
    rough = config.roughness * np.maximum(pixels.image, 0.0)
    rough *= rough
    rough += pixels.variance
    return replace(pixels, variance=rough)
