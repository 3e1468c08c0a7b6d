"""Stamps as FITS files."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._atomic import atomic_write
from ..exceptions import InputError
from ..image.fits_io import target_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .stamp import Stamp

__all__ = ["CUTOUT_KINDS", "write_cutout"]

CUTOUT_KINDS = ("image", "variance", "mask", "psf", "noise", "model", "weight", "sigma")
"""What a cut-out may hold; "sigma" is the standard deviation, 1e30 on pixels that carry no usable flux."""

_BAD_SIGMA = 1e30
_PIXELS = ("image", "noise", "model", "sigma")


def write_cutout(
    path: str | Path,
    stamp: Stamp,
    kinds: Sequence[str] = ("image", "variance", "mask", "psf"),
    bands: Sequence[str] | None = None,
    *,
    overwrite: bool = False,
) -> Path:
    """Write a stamp as a FITS file, whole or not at all: one HDU per band and kind, named ``<KIND>_<band>``.

    Headers hold the world coordinates, band (FILTER), unit (BUNIT), zero point (PHOTZP), the object's position on the
    stamp (XCENTER, YCENTER: 1-based, as in FITS), where the stamp lies on the coadd (LTV1, LTV2, so that tools which
    know physical coordinates show the coadd's pixels), and for masks the planes (``MP_*``).

    Parameters
    ----------
    path : path-like
        File to write.
    stamp : Stamp
        Of `Models.stamps`.
    kinds : sequence of str
        Of `CUTOUT_KINDS`.
    bands : sequence of str, optional
        Default: all.
    overwrite : bool
        Whether a file of that name may be replaced.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    InputError
        If there is no such kind, or the file exists already.
    ModelError
        If there is no such band.
    """
    from astropy.io import fits  # noqa: PLC0415 - slow to load, so only where it is used

    target = target_file(path, overwrite=overwrite)
    unknown = [kind for kind in kinds if kind not in CUTOUT_KINDS]
    if unknown or not kinds:
        raise InputError(f"a cut-out holds {', '.join(CUTOUT_KINDS)}; got {', '.join(unknown) or 'none'}")
    primary = fits.PrimaryHDU()
    primary.header["OBJECTID"] = (stamp.id, "identifier in the catalog")
    primary.header["PARENTID"] = (stamp.parent_id, "parent; 0: isolated")
    primary.header["NEIGHBRS"] = (stamp.neighbours, "what was done about neighbours")
    hdus = [primary]
    for k in (stamp.band(name) for name in (stamp.bands if bands is None else bands)):
        hdus += [_hdu(stamp, kind, k) for kind in kinds]
    stream = BytesIO()
    fits.HDUList(hdus).writeto(stream)
    with atomic_write(target) as out:
        out.write(stream.getvalue())
    return target


def _hdu(stamp: Stamp, kind: str, k: int) -> Any:
    from astropy.io import fits  # noqa: PLC0415 - slow to load, so only where it is used

    header = fits.Header() if kind == "psf" or stamp.wcs is None else stamp.wcs.to_header(relax=True)
    header["FILTER"] = stamp.bands[k]
    if kind != "psf":
        (y, x), (y0, x0) = stamp.position, stamp.box.origin
        header["XCENTER"], header["YCENTER"] = (x + 1, "[px] object, 1-based"), (y + 1, "[px] object, 1-based")
        header["LTV1"], header["LTV2"] = -x0, -y0
    if kind in _PIXELS:
        header["BUNIT"] = stamp.units
        zeropoint = stamp.zeropoints[k]
        if zeropoint is not None:
            header["PHOTZP"] = (zeropoint, "AB magnitude of one BUNIT")
    if kind == "mask":
        for name, bit in stamp.mask_planes.bits.items():
            # Names longer than a keyword are written as HIERARCH cards; said outright, astropy does not warn.
            header[f"MP_{name}" if len(name) <= 5 else f"HIERARCH MP_{name}"] = bit
    return fits.ImageHDU(_plane(stamp, kind, k), header, name=f"{kind.upper()}_{stamp.bands[k]}", ver=k + 1)


def _plane(stamp: Stamp, kind: str, k: int) -> NDArray[Any]:
    if kind == "sigma":
        bad = stamp.bad[k]
        sigma = np.sqrt(np.where(bad, 1, stamp.variance[k]))
        return np.where(bad, np.float32(_BAD_SIGMA), sigma).astype(np.float32)
    plane: NDArray[Any] = getattr(stamp, kind)[k]
    return plane
