"""Coadds of Rubin's middleware and our exposures: one image per band there, one exposure of all bands here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from meas_deblend.exceptions import InputError
from meas_deblend.image import MaskPlanes, MultibandExposure, PsfStamp, load_survey, pixel_scale_of

from .afw import is_afw_exposure, planes_of_exposure
from .planes import BandPlanes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meas_deblend.image import Psf

__all__ = ["BAND_ORDER", "CellPsf", "band_order", "from_band_images", "to_mask", "to_masked_image"]

BAND_ORDER = ("u", "g", "r", "i", "z", "y")

_ZEROPOINT, _SCALE, _BAD, _UNIT = "PHOTZP", "PIXSCALE", "BADPLANE", "BUNIT"
_NANOJANSKY = 31.4
"""AB magnitude of 1 nJy."""


@dataclass(frozen=True, slots=True, eq=False)
class CellPsf:
    """The PSF of a coadd of cells, at positions of our pixels.

    Parameters
    ----------
    psf : lsst.images.cells.CellPointSpreadFunction
        Or another PSF of ``lsst.images``.
    origin : tuple of int
        Position ``(y, x)`` of our first pixel on its grid.
    """

    psf: Any
    origin: tuple[int, int]

    def image(self, y: float, x: float) -> PsfStamp:
        """PSF of a point source at ``(y, x)``."""
        y0, x0 = self.origin
        drawn = self.psf.compute_stellar_image(x=x + x0, y=y + y0)
        stamp, first = np.array(drawn.array, dtype=np.float64), drawn.yx0
        h, w = stamp.shape
        return PsfStamp(stamp, (int(first[0]) - y0 + h // 2, int(first[1]) - x0 + w // 2))


def band_order(bands: Sequence[str]) -> list[str]:
    """Return bands from blue to red; those that Rubin does not have come after its own, by name."""
    return sorted(bands, key=lambda band: (BAND_ORDER.index(band) if band in BAND_ORDER else len(BAND_ORDER), band))


def to_masked_image(exposure: MultibandExposure, band: str) -> Any:
    """Return one band as an `lsst.images.MaskedImage`: the storage class ``MaskedImageV2``.

    Zero point, pixel scale and unusable planes go into its metadata; the PSF is a dataset of its own.
    """
    from astropy.units import Unit  # noqa: PLC0415
    from lsst import images  # noqa: PLC0415 - loads AST; only who converts needs it

    k = exposure.band_index(band)
    projection = _projection(exposure.wcs)
    unit = Unit(exposure.units, parse_strict="silent")
    metadata = {
        **{_ZEROPOINT: exposure.zeropoints[k], _SCALE: exposure.pixel_scale},
        **{_BAD: ",".join(exposure.mask_planes.bad), _UNIT: exposure.units},
    }
    return images.MaskedImage(
        images.Image(np.ascontiguousarray(exposure.images[k]), unit=unit, sky_projection=projection),
        mask=_mask(exposure.mask_planes.naming_all(exposure.mask[k]), exposure.mask[k]),
        variance=images.Image(np.ascontiguousarray(exposure.variance[k]), unit=unit**2),
        metadata=metadata,
    )


def to_mask(exposure: MultibandExposure, planes: Sequence[str]) -> Any:
    """Return mask planes of all bands together as an `lsst.images.Mask`: a bit is set where any band has it."""
    bits = MaskPlanes({name: bit for bit, name in enumerate(planes)})
    union = np.zeros(exposure.box.shape, dtype=np.int64)
    for name in planes:
        union |= exposure.mask_planes.any_set(exposure.mask, (name,)).any(axis=0).astype(np.int64) << bits.bits[name]
    return _mask(bits, union, _projection(exposure.wcs))


def from_band_images(images: Mapping[str, Any], psfs: Mapping[str, Psf]) -> MultibandExposure:
    """Join images of single bands to an exposure.

    Parameters
    ----------
    images : mapping of str to lsst.images.MaskedImage, CellCoadd or lsst.afw.image.Exposure
        By band; all on the same pixels.
    psfs : mapping of str to Psf
        PSFs of the bands whose images have none in them.

    Raises
    ------
    InputError
        If the bands' pixels are not the same, or a band has no PSF.
    """
    bands = band_order(list(images))
    planes = {band: _planes(images[band]) for band in bands}
    first = planes[bands[0]]
    for band, one in planes.items():
        if one.image.shape != first.image.shape or one.origin != first.origin:
            raise InputError(
                f"the image of band {band} has {one.image.shape} pixels (y, x) from {one.origin}, that of {bands[0]} "
                f"{first.image.shape} from {first.origin}: bands must be on the same pixels"
            )
        if psfs.get(band, one.psf) is None:
            raise InputError(f"band {band} has no PSF: neither a dataset of its own nor in the image")
    if len({one.units for one in planes.values()}) > 1:
        raise InputError(f"bands have different units: { ({band: one.units for band, one in planes.items()}) }")
    named = MaskPlanes()
    for one in planes.values():
        named = named.union(one.mask_planes)
    return MultibandExposure(
        bands=tuple(bands),
        images=np.stack([planes[band].image for band in bands]),
        variance=np.stack([planes[band].variance for band in bands]),
        mask=np.stack([named.translate(planes[band].mask, planes[band].mask_planes) for band in bands]),
        psfs=tuple(psfs.get(band, planes[band].psf) for band in bands),
        mask_planes=named,
        wcs=first.wcs,
        zeropoints=tuple(planes[band].zeropoint for band in bands),
        units=first.units,
        pixel_scale=first.pixel_scale,
    )


def _planes(image: Any) -> BandPlanes:
    if is_afw_exposure(image):
        return planes_of_exposure(image)
    metadata, mask = image.metadata, image.mask
    names = list(mask.schema.names)
    planes = MaskPlanes({name: bit for bit, name in enumerate(names)}, _bad_planes(metadata))
    bits = np.zeros(image.image.array.shape, dtype=np.int64)
    for name, bit in planes.bits.items():
        bits |= np.asarray(mask.get(name)).astype(np.int64) << bit
    wcs = image.fits_wcs
    units = metadata.get(_UNIT) or ("count" if image.unit is None else image.unit.to_string())
    given = metadata.get(_ZEROPOINT)
    return BandPlanes(
        image=np.asarray(image.image.array),
        variance=np.asarray(image.variance.array),
        mask=bits,
        mask_planes=planes,
        wcs=wcs,
        zeropoint=given if given is not None or units != "nJy" else _NANOJANSKY,
        units=units,
        pixel_scale=metadata.get(_SCALE) or (None if wcs is None else pixel_scale_of(wcs, bits.shape)),
        origin=tuple(image.yx0),
        psf=None if getattr(image, "psf", None) is None else CellPsf(image.psf, (int(image.yx0[0]), int(image.yx0[1]))),
    )


def _bad_planes(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the planes of unusable pixels: as they were said when the image was made, or Rubin's."""
    given = metadata.get(_BAD)
    return tuple(load_survey("lsst").bad_planes) if given is None else tuple(filter(None, str(given).split(",")))


def _projection(wcs: Any) -> Any:
    if wcs is None:
        return None
    from astropy.units import pix  # noqa: PLC0415
    from lsst import images  # noqa: PLC0415

    return images.SkyProjection.from_fits_wcs(wcs, pixel_frame=images.GeneralFrame(unit=pix))


def _mask(planes: MaskPlanes, values: Any, projection: Any = None) -> Any:
    """Return a mask whose planes have the same numbers."""
    from lsst import images  # noqa: PLC0415

    schema: list[Any] = [None] * (max(planes.bits.values(), default=0) + 1)
    for name, bit in planes.bits.items():
        schema[bit] = images.MaskPlane(name, name)
    made = images.Mask(0, schema=images.MaskSchema(schema), shape=values.shape, sky_projection=projection)
    for name, bit in planes.bits.items():
        made.set(name, (values >> bit & 1).astype(bool))
    return made
