"""Adding sources to an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..exceptions import InputError
from ..simulate import draw_source
from ..simulate.drawing import stamp_radius
from .checks import exposure_psfs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import Image
    from ..image import MultibandExposure
    from ..simulate import SimulatedSource

__all__ = ["Gain", "inject_sources"]

Gain = float | Sequence[float] | Mapping[str, float]

# Sources are drawn out to this fraction of the noise of a pixel, and at most this far.
_CUT_LEVEL = 0.01
_MAX_RADIUS = 300


def inject_sources(
    exposure: MultibandExposure,
    sources: Sequence[SimulatedSource],
    *,
    gain: Gain | None = None,
    rng: np.random.Generator,
) -> tuple[MultibandExposure, tuple[Image, ...]]:
    """Add sources to an exposure, drawn through its own PSFs.

    The images become ``image + truth + noise``. With a gain the noise is that of the added photo-electrons, Poisson
    (truth · gain) / gain − truth, and the variance plane grows by truth / gain; without, both are left out, and pulls
    of bright sources come out too narrow. The noise is independent from pixel to pixel, as in a single exposure; in a
    resampled coadd that of real sources is correlated. Masks are left alone: no pixel saturates.

    Parameters
    ----------
    exposure : MultibandExposure
        With a PSF in every band; not changed.
    sources : sequence of SimulatedSource
        With one flux per band, image units.
    gain : float, sequence of float (B,) or mapping of band to float, optional
        Photo-electrons per image unit.
    rng : numpy Generator
        Draws the noise; not used without a gain.

    Returns
    -------
    MultibandExposure
        The same but for images and, with a gain, variances.
    tuple of Image
        Per source its noiseless image (B, h, w), float64; boxes may reach beyond the exposure.

    Raises
    ------
    InputError
        If a band has no PSF, a source has another number of fluxes, or a gain is missing or not above 0.
    """
    psfs = exposure_psfs(exposure)
    for source in sources:
        if len(source.flux) != len(exposure.bands):
            raise InputError(
                f"source {source.id} has {len(source.flux)} fluxes; expected one each for {', '.join(exposure.bands)}"
            )
    sky = exposure.noise_rms
    # A band without usable pixels has no noise to compare with: its stamps are as large as the others'.
    noise = np.where(np.isfinite(sky), sky, np.inf)
    truths = tuple(draw_source(s, psfs, stamp_radius(s, noise, _CUT_LEVEL, _MAX_RADIUS)) for s in sources)
    added = np.zeros(exposure.images.shape)
    for image in truths:
        here, there = image.box.overlap_slices(exposure.box)
        added[(slice(None), *there)] += image.array[(slice(None), *here)]
    variance = exposure.variance
    if gain is not None:
        electrons = _gains(gain, exposure.bands)[:, None, None]
        # Fourier ringing leaves tiny negative values far from a source, which bring no photons.
        light = np.maximum(added, 0.0)
        added = added + rng.poisson(light * electrons) / electrons - light
        variance = (variance + light / electrons).astype(variance.dtype)
    images = (exposure.images + added).astype(exposure.images.dtype)
    return replace(exposure, images=images, variance=variance), truths


def _gains(gain: Gain, bands: Sequence[str]) -> NDArray[np.float64]:
    if isinstance(gain, Mapping):
        missing = [band for band in bands if band not in gain]
        if missing:
            raise InputError(f"no gain for band {', '.join(missing)}; it is given for {', '.join(gain)}")
        values = np.array([gain[band] for band in bands], dtype=np.float64)
    else:
        values = np.atleast_1d(np.asarray(gain, dtype=np.float64))
        values = np.full(len(bands), values[0]) if np.ndim(gain) == 0 else values
    if values.shape != (len(bands),):
        raise InputError(f"{values.size} gains for the {len(bands)} bands {', '.join(bands)}")
    if not (np.isfinite(values) & (values > 0)).all():
        raise InputError(f"a gain must be above 0 photo-electrons per image unit, got {', '.join(map(str, values))}")
    return values
