"""Writes a band as a FITS coadd that :func:`read_coadds` reads back."""

from __future__ import annotations

import gzip
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._atomic import atomic_write
from .fits_io import target_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .exposure import MultibandExposure

__all__ = ["write_coadd", "write_mask"]


def write_coadd(path: str | Path, exposure: MultibandExposure, band: str, *, overwrite: bool = False) -> Path:
    """Write the HDUs IMAGE, MASK (planes named by ``MP_*``), VARIANCE and PSF of one band.

    WCS, zero point (PHOTZP), unit (BUNIT), pixel scale (PIXSCALE) and band (FILTER) are in the header of IMAGE.  The
    PSF is the one at the middle of the image.  The file appears whole or not at all.

    Parameters
    ----------
    path : path-like
        File to write; compressed if it ends in ``.gz``.
    exposure : MultibandExposure
        Where the planes are taken from.
    band : str
        Which band.
    overwrite : bool
        Whether a file of that name may be replaced.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    InputError
        If there is no such band, or the file exists already.
    """
    target = target_file(path, overwrite=overwrite)
    stream = BytesIO()
    _hdus(exposure, exposure.band_index(band)).writeto(stream)
    content = stream.getvalue()
    if target.suffix == ".gz":
        # The same content gives the same bytes, whenever it is written.
        content = gzip.compress(content, mtime=0)
    with atomic_write(target) as out:
        out.write(content)
    return target


def write_mask(path: str | Path, exposure: MultibandExposure, planes: Sequence[str]) -> Path:
    """Write some mask planes of all bands together, as one compressed image: a bit is set where any band has it.

    The planes are numbered from 0 in the order given, and named by ``MP_*`` in the header, which holds the WCS too. The
    file appears whole or not at all.

    Parameters
    ----------
    path : path-like
        File to write, compressed with gzip.
    exposure : MultibandExposure
        Has the planes.
    planes : sequence of str
        At most eight.

    Returns
    -------
    Path
        The file that was written.
    """
    from astropy.io import fits  # noqa: PLC0415 - slow to load, so only where it is used

    mask = np.zeros(exposure.box.shape, dtype=np.uint8)
    header = fits.Header() if exposure.wcs is None else exposure.wcs.to_header(relax=True)
    for bit, name in enumerate(planes):
        for plane in exposure.mask:
            mask |= np.uint8(1 << bit) * exposure.mask_planes.any_set(plane, (name,))
        header[_plane_keyword(name)] = bit
    stream = BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(mask, header, name="MASK")]).writeto(stream)
    with atomic_write(Path(path)) as out:
        out.write(gzip.compress(stream.getvalue(), mtime=0))
    return Path(path)


def _plane_keyword(name: str) -> str:
    """Keyword of a mask plane; longer ones are HIERARCH cards: said outright, astropy does not warn."""
    keyword = f"MP_{name}"
    return keyword if len(keyword) <= 8 else f"HIERARCH {keyword}"


def _hdus(exposure: MultibandExposure, k: int) -> Any:
    from astropy.io import fits  # noqa: PLC0415 - slow to load, so only where it is used

    header = fits.Header() if exposure.wcs is None else exposure.wcs.to_header(relax=True)
    header["FILTER"] = exposure.bands[k]
    header["BUNIT"] = exposure.units
    zeropoint = exposure.zeropoints[k]
    if zeropoint is not None:
        header["PHOTZP"] = (zeropoint, "AB magnitude of one BUNIT")
    if exposure.pixel_scale is not None:
        header["PIXSCALE"] = (exposure.pixel_scale, "[arcsec] side of a pixel")
    mask = fits.ImageHDU(exposure.mask[k], name="MASK")
    for name, bit in exposure.mask_planes.bits.items():
        mask.header[_plane_keyword(name)] = bit
    hdus = [
        fits.PrimaryHDU(),
        fits.ImageHDU(exposure.images[k], header, name="IMAGE"),
        mask,
        fits.ImageHDU(exposure.variance[k], name="VARIANCE"),
    ]
    psf = exposure.psfs[k]
    if psf is not None:
        # At the centre of a pixel: a stamp that was read from a file is written as it was.
        y, x = (np.floor(c) for c in exposure.box.center)
        hdus.append(fits.ImageHDU(psf.image(float(y), float(x)).stamp, name="PSF"))
    return fits.HDUList(hdus)
