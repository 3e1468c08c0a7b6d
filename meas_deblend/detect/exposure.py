"""Detection on a whole multi-band exposure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .band import BandDetections, detect_band
from .psfs import exposure_psfs

if TYPE_CHECKING:
    from ..image import MultibandExposure
    from .config import DetectConfig

__all__ = ["detect_bands"]


def detect_bands(exposure: MultibandExposure, config: DetectConfig) -> dict[str, BandDetections]:
    """Detect in every band of an exposure.

    Parameters
    ----------
    exposure : MultibandExposure
        The PSF of each band is taken at the middle of the image, or of a quarter of it; a band without one is filtered
        with a Gaussian of ``config.default_fwhm``.
    config : DetectConfig

    Returns
    -------
    dict of str to BandDetections
        By band, in the exposure's order: what `merge_detections` and `parents_from_sources` read.
    """
    bad, psfs = exposure.bad, exposure_psfs(exposure)
    return {
        band: detect_band(exposure.images[k], exposure.variance[k], bad[k], psfs.stamp(k), config)
        for k, band in enumerate(exposure.bands)
    }
