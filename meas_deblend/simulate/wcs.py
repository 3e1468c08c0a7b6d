"""World coordinates of a simulated image."""

from __future__ import annotations

from typing import Any

__all__ = ["tan_wcs"]


def tan_wcs(shape: tuple[int, int], pixel_scale: float, center: tuple[float, float]) -> Any:
    """Gnomonic projection, north up and east left, with the middle of the image at ``center``.

    Parameters
    ----------
    shape : tuple of int
        Height and width [px].
    pixel_scale : float
        Arcseconds per pixel.
    center : tuple of float
        Right ascension and declination (ICRS) [deg].

    Returns
    -------
    astropy.wcs.WCS
        Loaded on call: importing this package does not import astropy.
    """
    from astropy.wcs import WCS  # noqa: PLC0415 - loaded only where it is wanted

    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cunit = ["deg", "deg"]
    # FITS counts pixels from 1, and x before y.
    wcs.wcs.crpix = [(shape[1] + 1) / 2, (shape[0] + 1) / 2]
    wcs.wcs.crval = list(center)
    wcs.wcs.cdelt = [-pixel_scale / 3600, pixel_scale / 3600]
    wcs.wcs.radesys = "ICRS"
    wcs.pixel_shape = (shape[1], shape[0])
    return wcs
