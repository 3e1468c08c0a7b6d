"""What is read of one band, whatever kind of image it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from meas_deblend.geometry import FloatArray, IntArray
    from meas_deblend.image import MaskPlanes, Psf

__all__ = ["BandPlanes"]


@dataclass(frozen=True, slots=True, eq=False)
class BandPlanes:
    """Pixels of one band, and what is known of them.

    Parameters
    ----------
    image, variance : float array (y, x)
        In ``units`` and ``units``².
    mask : int array (y, x)
        Bits named by ``mask_planes``.
    wcs : astropy.wcs.WCS, optional
        Of the array's pixels, counted from 0.
    zeropoint : float, optional
        AB magnitude of one unit.
    pixel_scale : float, optional
        Arcseconds.
    origin : tuple of int
        Position ``(y, x)`` of the first pixel on the tract's grid.
    psf : Psf, optional
        None where it is not part of the image.
    """

    image: FloatArray
    variance: FloatArray
    mask: IntArray
    mask_planes: MaskPlanes
    wcs: Any
    zeropoint: float | None
    units: str
    pixel_scale: float | None
    origin: tuple[int, ...]
    psf: Psf | None
