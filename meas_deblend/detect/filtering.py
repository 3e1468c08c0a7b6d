"""A band, filtered: the significance of a point source at each pixel, and what is detected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Box
from .cores import unseen_regions
from .dilation import dilate_disc
from .noise import noise_ratio
from .pieces import Pieces
from .significance import matched_filter
from .stencils import Stencils
from .tiling import tiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..geometry import BoolArray, FloatArray, IntArray
    from .band_pixels import BandPixels
    from .config import DetectConfig
    from .cores import UnseenRegion

__all__ = ["FilteredBand", "Sample", "filter_band"]

MAX_SAMPLE = 10_000
"""Pixels that the scatter of the noise is measured on, to better than 2 %."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Pixels away from what is detected, evenly spread.

    Parameters
    ----------
    y, x : int array (n,)
        In raster order.
    independent : float
        How many independent values a filtered image has there.
    """

    y: IntArray
    x: IntArray
    independent: float


@dataclass(frozen=True, slots=True, eq=False)
class FilteredBand:
    """A band after the matched filter.

    Parameters
    ----------
    pixels : BandPixels
    bits : uint8 array (y, ⌈x / 8⌉)
        Connected pieces above the threshold that are large enough, eight pixels to a byte (`detected`).
    values : float32 array (n,)
        Signal-to-noise ratio of a point source on the detected pixels, in raster order.
    footprint : bool array (y, x)
        The detected pixels, grown by ``config.grow``.
    sample : Sample
        Of the sky of this band.
    noise : tuple of float
        Scatter of significances over the surroundings, by scale (`contrast_noise`).
    """

    pixels: BandPixels
    bits: NDArray[np.uint8]
    values: NDArray[np.float32]
    footprint: BoolArray
    sample: Sample
    noise: tuple[float, ...] = ()

    @property
    def detected(self) -> BoolArray:
        """Detected pixels (y, x), made anew."""
        return np.unpackbits(self.bits, axis=1, count=self.pixels.shape[1]).view(np.bool_)

    def significance(self, y: IntArray, x: IntArray) -> tuple[NDArray[np.float32], BoolArray]:
        """Signal-to-noise ratio of a point source at some pixels (n,), and where it is detected; 0 elsewhere."""
        from ._label_kernels import members_before  # noqa: PLC0415 - loads the compiler

        place = members_before(self.bits, (y, x))
        here: BoolArray = place >= 0
        out = np.zeros(len(y), dtype=np.float32)
        out[here] = self.values[place[here]]
        return out, here


def filter_band(pixels: BandPixels, config: DetectConfig) -> tuple[FilteredBand, NDArray[np.float32]]:
    """Filter a band with its PSF, tile by tile, and find what is above the threshold.

    With ``config.calibrate_noise`` the scatter away from what is detected at first gives the unit of significance.

    Returns
    -------
    FilteredBand
    float32 array (y, x)
        Significance; masked cores of sources are filled, other unseen pixels are 0.
    """
    plane = _significance(pixels, config)
    regions = unseen_regions(plane)
    detected = _detected(plane, regions, config)
    footprint = _grown(detected, pixels, config)
    sample = _free_sample(pixels, footprint)
    if config.calibrate_noise:
        values = plane[sample.y, sample.x]
        ratio = noise_ratio(values[np.isfinite(values)], sample.independent)
        if ratio != 1:
            plane /= np.float32(ratio)
            regions = [region.scaled(1 / ratio) for region in regions]
            detected = _detected(plane, regions, config)
            # The noise is larger than was thought: more of the sky is free.
            footprint = _grown(detected, pixels, config)
            sample = _free_sample(pixels, footprint)
    np.nan_to_num(plane, copy=False, nan=0.0)
    for region in regions:
        if region.lowest > config.threshold:
            plane[region.where][region.members] = region.highest
    return FilteredBand(pixels, np.packbits(detected, axis=1), plane[detected], footprint, sample), plane


def _significance(pixels: BandPixels, config: DetectConfig) -> NDArray[np.float32]:
    """Matched-filter significance (y, x), NaN where not seen."""
    shape = pixels.shape
    plane = np.full(shape, np.nan, dtype=np.float32)
    if pixels.depth == 0:
        return plane
    known: tuple[FloatArray, Stencils] | None = None
    for tile in tiles(shape, config.tile_size):
        kernel = pixels.kernel_on(tile)
        # Tiles at the far edges of the image are smaller: their margin makes up for it.
        inner = min(config.tile_size, shape[0]), min(config.tile_size, shape[1])
        if known is None or known[0] is not kernel:
            known = kernel, Stencils.of([kernel, kernel**2], inner)
        source = Box(tile.origin, inner).grow(known[1].reach)
        found = matched_filter(pixels.on(source), known[1], pixels.depth, config.min_coverage)
        plane[tile.slices_in(Box((0, 0), shape))] = found[: tile.shape[0], : tile.shape[1]]
    return plane


def _detected(significance: NDArray[np.float32], regions: Sequence[UnseenRegion], config: DetectConfig) -> BoolArray:
    """Pixels above the threshold, and cores with nothing else around them, in pieces that are large enough."""
    above: BoolArray = significance > config.threshold
    for region in regions:
        if region.lowest > config.threshold:
            above[region.where] |= region.members
    return Pieces.of(above).without_small(config.min_area) if config.min_area > 1 else above


def _grown(detected: BoolArray, pixels: BandPixels, config: DetectConfig) -> BoolArray:
    return dilate_disc(detected, round(config.grow * pixels.sigma))


def _free_sample(pixels: BandPixels, footprint: BoolArray) -> Sample:
    """Pixels away from what is detected."""
    from ._label_kernels import every_nth  # noqa: PLC0415 - loads the compiler

    free = pixels.usable(slice(None)) & ~footprint
    total = int(np.count_nonzero(free))
    index = every_nth(free, max(-(-total // MAX_SAMPLE), 1))
    # A filter that is a Gaussian of σ leaves one independent value in 4 π σ² pixels.
    independent = min(index.size, total / max(4 * np.pi * pixels.sigma**2, 1.0))
    y, x = np.divmod(index, max(pixels.shape[1], 1))
    return Sample(y, x, independent)
