"""Detection on a whole multi-band exposure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .band import BandDetections, detect_band

if TYPE_CHECKING:
    from ..image import MultibandExposure
    from .config import DetectConfig

__all__ = ["detect_bands"]


def detect_bands(exposure: MultibandExposure, config: DetectConfig) -> dict[str, BandDetections]:
    """Detect in every band of an exposure, one band in memory at a time.

    Parameters
    ----------
    exposure : MultibandExposure
        The PSF of each band is taken at the middle of the image; a band without one is filtered with a Gaussian of
        ``config.default_fwhm``.
    config : DetectConfig

    Returns
    -------
    dict of str to BandDetections
        By band, in the exposure's order: what `merge_detections` and `parents_from_sources` read.
    """
    # On a whole pixel, so that the stamp is not shifted within itself.
    y, x = (side // 2 for side in exposure.box.shape)
    bad = exposure.bad
    found = {}
    for k, band in enumerate(exposure.bands):
        psf = exposure.psfs[k]
        stamp = None if psf is None else psf.image(float(y), float(x)).stamp
        found[band] = detect_band(exposure.images[k], exposure.variance[k], bad[k], stamp, config)
    return found
