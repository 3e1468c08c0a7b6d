"""A simulated sky: what a survey would deliver, and the truth behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..geometry import Box, Image
from ..image import MaskPlanes, MoffatPsf, MultibandExposure
from .catalog import SimulatedSource, truth_columns
from .drawing import draw_source, stamp_radius
from .population import draw_sources
from .wcs import tan_wcs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..image import Psf
    from .config import SkyConfig

__all__ = ["SimulatedSky", "observe", "simulate_sky", "sky_psfs", "sky_variance"]


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedSky:
    """An exposure with its truth.

    Parameters
    ----------
    exposure : MultibandExposure
        Images, variances, PSFs, WCS and zero points; float32 pixels, empty mask.
    sources : tuple of SimulatedSource
        What is on it, whether inside or not.
    images : tuple of Image
        Per source its noiseless image (B, h, w), convolved with the PSF, float64; boxes may reach beyond the
        exposure. Their sum is the exposure without noise.
    truth : dict of str to array
        The sources as columns (`truth_columns`).
    """

    exposure: MultibandExposure
    sources: tuple[SimulatedSource, ...]
    images: tuple[Image, ...]
    truth: dict[str, NDArray[Any]]

    def noiseless(self) -> NDArray[np.float64]:
        """Sum of all sources' images on the exposure's pixels (B, y, x)."""
        return _sum(self.images, self.exposure.box, len(self.exposure.bands))


def simulate_sky(config: SkyConfig) -> SimulatedSky:
    """Draw sources at random and observe them.

    Parameters
    ----------
    config : SkyConfig
        All options; ``SkyConfig()`` is a crowded field of 300 × 300 px in grizy like the Hyper Suprime-Cam
        survey's.

    Returns
    -------
    SimulatedSky
        The same for the same config.
    """
    return observe(draw_sources(config, np.random.default_rng([config.seed, 0])), config)


def observe(sources: Sequence[SimulatedSource], config: SkyConfig) -> SimulatedSky:
    """Draw given sources on an image and add noise.

    Parameters
    ----------
    sources : sequence of SimulatedSource
        With one flux per band of ``config``.
    config : SkyConfig
        How the sky is observed; its numbers of sources are not used. ``seed`` chooses the noise.

    Returns
    -------
    SimulatedSky
        With Gaussian noise of variance sky + model / gain in each pixel, and that variance plane.
    """
    psfs, sky = sky_psfs(config), sky_variance(config)
    images = tuple(
        draw_source(s, psfs, stamp_radius(s, np.sqrt(sky), config.cut_level, config.max_radius)) for s in sources
    )
    model = _sum(images, Box((0, 0), config.shape), len(psfs))
    gain = np.array([b.gain for b in config.bands])[:, None, None]
    # Fourier ringing may leave tiny negative values far from a source; they must not lower the variance.
    variance = sky[:, None, None] + np.maximum(model, 0.0) / gain
    noise = np.random.default_rng([config.seed, 1]).standard_normal(model.shape)
    wcs = tan_wcs(config.shape, config.pixel_scale, config.center)
    bands = tuple(b.name for b in config.bands)
    exposure = MultibandExposure(
        bands=bands,
        images=(model + np.sqrt(variance) * noise).astype(np.float32),
        variance=variance.astype(np.float32),
        mask=np.zeros(model.shape, dtype=np.int32),
        psfs=psfs,
        mask_planes=MaskPlanes({"BAD": 0, "SAT": 1, "NO_DATA": 2}, ("BAD", "SAT", "NO_DATA")),
        wcs=wcs,
        zeropoints=(config.zeropoint,) * len(bands),
        pixel_scale=config.pixel_scale,
    )
    truth = truth_columns(sources, bands, pixel_scale=config.pixel_scale, wcs=wcs)
    return SimulatedSky(exposure, tuple(sources), images, truth)


def sky_psfs(config: SkyConfig) -> tuple[Psf, ...]:
    """Return the Moffat PSF of each band of ``config``."""
    return tuple(MoffatPsf(fwhm=b.seeing / config.pixel_scale, beta=config.psf_beta) for b in config.bands)


def sky_variance(config: SkyConfig) -> NDArray[np.float64]:
    """Variance of the sky per pixel (B,), image units squared, that gives each band its depth.

    A PSF flux has the error √(V / Σ P²) on a sky of variance V, and at the depth that is a fifth of the flux.
    """
    out = np.empty(len(config.bands))
    for k, (band, psf) in enumerate(zip(config.bands, sky_psfs(config), strict=True)):
        limit = 10 ** (-0.4 * (band.depth - config.zeropoint))
        out[k] = (limit / 5) ** 2 * float((psf.image(0.0, 0.0).stamp ** 2).sum())
    return out


def _sum(images: Sequence[Image], box: Box, bands: int) -> NDArray[np.float64]:
    total = np.zeros((bands, *box.shape))
    for image in images:
        here, there = image.box.overlap_slices(box)
        total[(..., *there)] += image.array[(..., *here)]
    return total
