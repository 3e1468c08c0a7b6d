"""Detection on a whole multi-band exposure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._each import Each, in_turn
from .band import BandDetections, detect_together
from .band_pixels import BandPixels
from .psfs import exposure_psfs
from .significance import filter_kernel
from .tile_psfs import TilePsfs, tile_psfs

if TYPE_CHECKING:
    from ..geometry import FloatArray
    from ..image import MultibandExposure
    from .config import DetectConfig

__all__ = ["detect_bands"]


def detect_bands(exposure: MultibandExposure, config: DetectConfig, each: Each = in_turn) -> dict[str, BandDetections]:
    """Detect in all bands of an exposure: footprints in each of them, peaks in all of them together.

    Parameters
    ----------
    exposure : MultibandExposure
        Each tile is filtered with the PSF in its middle (`tile_psfs`); a band without a PSF, with a Gaussian of
        ``config.default_fwhm``.
    config : DetectConfig
    each : callable
        Does bands, and tiles, one after the other or several at a time.

    Returns
    -------
    dict of str to BandDetections
        By band, in the exposure's order: what `merge_detections` and `parents_from_sources` read.
    """
    psfs = exposure_psfs(exposure)
    pixels = [_pixels(exposure, k, psfs.stamp(k), config) for k in range(len(exposure.bands))]
    return dict(zip(exposure.bands, detect_together(pixels, config, each), strict=True))


def _pixels(exposure: MultibandExposure, k: int, stamp: FloatArray | None, config: DetectConfig) -> BandPixels:
    """Band number ``k`` with the kernels of its tiles, of whose PSFs ``stamp`` is that in the middle."""
    kernels: dict[tuple[int, int], FloatArray] = {}
    if stamp is not None:
        local = tile_psfs(exposure.psfs[k], stamp, exposure.box.shape, config.tile_size, config.psf_tolerance)
        # Equal stamps stay the same object, whose transform is then made once.
        made = {id(other): filter_kernel(other, config) for other in local.others.values()}
        kernels = {origin: made[id(other)] for origin, other in local.others.items()}
    return BandPixels.of_exposure(exposure, k, TilePsfs(filter_kernel(stamp, config), kernels))
