"""What an exposure must have before sources can be added to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..evaluate import reference_band
from ..exceptions import InputError
from ..image import psf_fwhm

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..image import MultibandExposure, Psf

__all__ = ["exposure_psfs", "fwhm_of", "pixel_scale_of_exposure", "reference_index", "zeropoints_of"]


def exposure_psfs(exposure: MultibandExposure) -> tuple[Psf, ...]:
    """PSFs of all bands.

    Raises
    ------
    InputError
        If a band has none.
    """
    missing = [band for band, psf in zip(exposure.bands, exposure.psfs, strict=True) if psf is None]
    if missing:
        raise InputError(
            f"no PSF for band {', '.join(missing)}: sources are drawn through the exposure's own PSF; give it (command "
            "line: --psf), or leave such bands out"
        )
    return tuple(psf for psf in exposure.psfs if psf is not None)


def zeropoints_of(exposure: MultibandExposure) -> NDArray[np.float64]:
    """AB magnitude of one image unit (B,).

    Raises
    ------
    InputError
        If one is not known.
    """
    missing = [band for band, value in zip(exposure.bands, exposure.zeropoints, strict=True) if value is None]
    if missing:
        raise InputError(
            f"no zero point for band {', '.join(missing)}: without the AB magnitude of a unit, magnitudes are no "
            "fluxes; give it (command line: --zeropoint 27, or --zeropoint "
            f"{missing[0]}=27)"
        )
    return np.array(exposure.zeropoints, dtype=np.float64)


def pixel_scale_of_exposure(exposure: MultibandExposure) -> float:
    """Arcseconds per pixel.

    Raises
    ------
    InputError
        If it is not known.
    """
    if exposure.pixel_scale is None:
        raise InputError(
            "the pixel scale is not known, as the images have no WCS: without it, sizes and densities have no meaning; "
            "give it (command line: --pixel-scale ARCSEC)"
        )
    return float(exposure.pixel_scale)


def reference_index(exposure: MultibandExposure, band: str | None) -> int:
    """Index of the band in which contrasts and contamination are meant.

    Raises
    ------
    InputError
        If there is no such band.
    """
    return reference_band(exposure.bands) if band is None else exposure.band_index(band)


def fwhm_of(exposure: MultibandExposure) -> NDArray[np.float64]:
    """FWHM (B,) of the PSFs in the middle of the image [px]."""
    y, x = exposure.box.center
    return np.array([psf_fwhm(psf.image(y, x).stamp) for psf in exposure_psfs(exposure)])
