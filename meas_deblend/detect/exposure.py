"""Detection on a whole multi-band exposure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .band import BandDetections, detect_together
from .band_pixels import BandPixels, with_depth
from .psfs import exposure_psfs
from .significance import filter_kernel

if TYPE_CHECKING:
    from ..image import MultibandExposure
    from .config import DetectConfig

__all__ = ["detect_bands"]


def detect_bands(exposure: MultibandExposure, config: DetectConfig) -> dict[str, BandDetections]:
    """Detect in all bands of an exposure: footprints in each of them, peaks in all of them together.

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
    psfs = exposure_psfs(exposure)
    planes = exposure.mask_planes
    bad = planes.value([name for name in planes.bad if name in planes.bits])
    kernels = [filter_kernel(psfs.stamp(k), config) for k in range(len(exposure.bands))]
    cubes = zip(exposure.images, exposure.variance, exposure.mask, kernels, strict=True)
    pixels = [with_depth(BandPixels(*planes, bad, kernel, 1.0)) for *planes, kernel in cubes]
    return dict(zip(exposure.bands, detect_together(pixels, config), strict=True))
