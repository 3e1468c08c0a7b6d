"""Reads the planes of one band from FITS files."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..exceptions import InputError
from .checks import check_image, usable_variance
from .exposure import BandSource
from .fits_io import FitsFile, checksum, open_fits, split_selector
from .headers import filter_note, header_number, header_text, named_planes, zeropoint_of
from .masks import MaskPlanes
from .planes import NOISE_PLANES, PlaneSpec
from .wcs import pixel_scale_of, wcs_from_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from ..geometry import FloatArray, IntArray
    from .cubes import Places
    from .survey import Survey

__all__ = ["BandData", "image_hdu", "image_shape", "open_image", "read_band", "wcs_of_band"]


@dataclass(frozen=True, slots=True, eq=False)
class BandData:
    """Planes of one band, before it is known whether they fit those of the others.

    Parameters
    ----------
    band : str
        Name.
    image, variance : float32 array (y, x)
        Pixels and variances.
    mask : int32 or int64 array (y, x)
        Bits named by ``planes``.
    psf : array or spec or None
        What the file or the caller gave as the PSF of this band.
    wcs, zeropoint, pixel_scale
        None where the header does not tell.
    units : str
        BUNIT.
    source : BandSource
        The image file.
    notes : tuple of str
        Findings.
    """

    band: str
    image: NDArray[np.float32]
    variance: NDArray[np.float32]
    mask: IntArray
    planes: MaskPlanes
    psf: Any
    wcs: Any
    zeropoint: float | None
    pixel_scale: float | None
    units: str
    source: BandSource
    notes: tuple[str, ...]


class _Wanted(NamedTuple):
    """What a plane must fit.

    Parameters
    ----------
    label : str
        How messages name it.
    shape : tuple of int
        That of the image (y, x).
    empty : callable
        Makes its array, from a shape and a type.
    """

    label: str
    shape: tuple[int, int]
    empty: Callable[[tuple[int, ...], Any], NDArray[Any]]


def read_band(band: str, spec: PlaneSpec, survey: Survey, places: Places) -> BandData:
    """Read one band.

    Pixels and variances become float32 in native byte order: its 24 bits resolve a ten-millionth of a pixel's value,
    far below the noise, in half the memory.

    Parameters
    ----------
    band : str
        Name.
    spec : PlaneSpec
        Its files.
    survey : Survey
        Names of HDUs, mask planes and keywords.
    places : callable
        Where planes are read to.

    Raises
    ------
    InputError
        If a file is missing or unreadable, the HDU of the image is not clear, the image is not 2-D or all NaN, there
        is no noise plane, or a plane has another shape than the image.
    """
    label = f"band {band}"
    notes: list[str] = []
    with open_image(spec, survey) as (file, hdu):
        image = file.pixels(hdu, np.float32, partial(places, "image"))
        if image.ndim != 2:
            raise InputError(f"{label}: {file.path}: the image must be 2-D (y, x), got shape {image.shape}")
        check_image(image, label)
        headers = (hdu.header, file.hdus[0].header)
        wcs = wcs_from_header(hdu.header, file.hdus, label)
        scale = pixel_scale_of(wcs, image.shape) if wcs is not None else header_number(headers, "PIXSCALE")
        noise, bits = (_Wanted(label, image.shape, partial(places, name)) for name in ("variance", "mask"))
        variance, repaired = usable_variance(_variance(spec, file, survey, noise), label)
        mask, planes = _mask(spec, file, survey, bits)
        psf = _psf_pixels(file, survey) if spec.psf is None else spec.psf
    notes += [*repaired, *filter_note(headers, band, survey), *_fits_notes(file)]
    return BandData(
        band=band,
        image=image,
        variance=variance.astype(np.float32, copy=False),
        mask=mask,
        planes=planes,
        psf=psf,
        wcs=wcs,
        zeropoint=zeropoint_of(headers, survey),
        pixel_scale=scale if scale is not None else survey.pixel_scale,
        units=header_text(headers, "BUNIT") or survey.units,
        source=BandSource(str(file.path), checksum(file.path)),
        notes=tuple(notes),
    )


def image_hdu(file: FitsFile, selector: str | None, survey: Survey) -> Any:
    """HDU of the image: the one with this number or name, else as the survey calls it, else the only one in question.

    Raises
    ------
    InputError
        If there is none, or it is not clear which.
    """
    if selector is not None:
        return file.select(selector)
    found = file.named(survey.hdus.image)
    if found is not None:
        return found
    images = file.need_images()
    other = [n for names in survey.hdus.model_dump(exclude={"image"}).values() for n in names]
    unnamed = [hdu for hdu in images if hdu.name.upper() not in other]
    if images[0] is file.hdus[0] or len(unnamed) == 1:
        return unnamed[0] if unnamed else images[0]
    raise InputError(
        f"{file.path}: which HDU is the image? None is called {' or '.join(survey.hdus.image)}; there are "
        f"{file.listing()}; name it as FILE[HDU], e.g. {file.path.name}[1]"
    )


@contextmanager
def open_image(spec: PlaneSpec, survey: Survey) -> Iterator[tuple[FitsFile, Any]]:
    """Open the file of an image; give it and the HDU of the image.

    Raises
    ------
    InputError
        If the file cannot be opened, or it is not clear which HDU is the image.
    """
    path, selector = split_selector(spec.image)
    with open_fits(path) as file:
        yield file, image_hdu(file, selector, survey)


def image_shape(spec: PlaneSpec, survey: Survey) -> tuple[int, ...]:
    """Return the shape of an image from its header, without axes of length 1 in front; raises as `open_image`."""
    with open_image(spec, survey) as (_, hdu):
        shape: tuple[int, ...] = hdu.shape
    while len(shape) > 2 and shape[0] == 1:
        shape = shape[1:]
    return shape


def wcs_of_band(band: str, spec: PlaneSpec, survey: Survey) -> Any | None:
    """Return the world coordinates of an image from its header; None if it has none; raises as `open_image`."""
    with open_image(spec, survey) as (file, hdu):
        return wcs_from_header(hdu.header, file.hdus, f"band {band}")


def _plane(given: str | Path, names: tuple[str, ...], wanted: _Wanted) -> tuple[NDArray[Any], Any]:
    """Pixels and header of a plane in a file of its own."""
    path, selector = split_selector(given)
    with open_fits(path) as file:
        hdu = file.select(selector) if selector is not None else file.named(names)
        if hdu is None:
            images = file.images()
            if len(images) != 1:
                raise InputError(
                    f"{wanted.label}: {file.path}: which HDU? None is called {' or '.join(names)}; there are "
                    f"{file.listing()}; name it as FILE[HDU]"
                )
            hdu = images[0]
        return _fitting(file, hdu, wanted), hdu.header.copy()


def _fitting(file: FitsFile, hdu: Any, wanted: _Wanted) -> NDArray[Any]:
    """Pixels of a plane, which must have the shape of the image."""
    pixels = file.pixels(hdu, empty=wanted.empty)
    if pixels.shape != wanted.shape:
        raise InputError(f"{wanted.label}: {file.path} has shape {pixels.shape}, but the image has {wanted.shape}")
    return pixels


def _variance(spec: PlaneSpec, file: FitsFile, survey: Survey, wanted: _Wanted) -> FloatArray:
    """Variance plane, from whichever form of the noise there is; what the caller gave goes first."""
    label = wanted.label
    for kind in NOISE_PLANES:
        given = getattr(spec, kind)
        if given is None:
            continue
        if isinstance(given, (int, float)):
            return _to_variance(np.full(wanted.shape, float(given)), kind, label)
        plane, _ = _plane(given, getattr(survey.hdus, kind), wanted._replace(label=f"{label}: {kind}"))
        return _to_variance(plane, kind, label)
    for kind in NOISE_PLANES:
        hdu = file.named(getattr(survey.hdus, kind))
        if hdu is not None:
            return _to_variance(_fitting(file, hdu, wanted._replace(label=f"{label}: {kind}")), kind, label)
    raise InputError(
        f"{label}: {file.path} has no noise plane (image HDUs: {file.listing()}); give one as variance=FILE, "
        "weight=FILE (inverse variance) or sigma=FILE (standard deviation), or the same for all pixels as a number, "
        f"e.g. {label.rsplit(maxsplit=1)[-1]}={file.path.name},sigma=0.02"
    )


def _to_variance(pixels: NDArray[Any], kind: str, label: str) -> FloatArray:
    if kind == "variance":
        return pixels.astype(np.result_type(pixels, np.float32), copy=False)
    values = pixels.astype(np.float64)
    if kind == "sigma":
        # A negative standard deviation must not turn into a good variance.
        return np.asarray(np.sign(values) * values**2)
    if not (values > 0).any():
        raise InputError(
            f"{label}: no pixel has a positive weight; the largest is {np.nanmax(values, initial=-np.inf):.4g}"
        )
    # Weight 0 is the usual way to say that there are no data, so it is not reported.
    with np.errstate(divide="ignore"):
        return np.where(values == 0.0, np.nan, 1.0 / values)


def _mask(spec: PlaneSpec, file: FitsFile, survey: Survey, wanted: _Wanted) -> tuple[IntArray, MaskPlanes]:
    """Mask and the names of its bits; all 0 where there is none."""
    label = wanted.label
    wanted = wanted._replace(label=f"{label}: mask")
    if spec.mask is not None:
        raw, header = _plane(spec.mask, survey.hdus.mask, wanted)
    else:
        hdu = file.named(survey.hdus.mask)
        if hdu is None:
            return np.zeros(wanted.shape, dtype=np.int32), MaskPlanes({}, survey.bad_planes)
        raw, header = _fitting(file, hdu, wanted), hdu.header
    bits = _as_bits(raw, label)
    named = named_planes(header, label)
    if named:
        return bits, MaskPlanes(named, survey.bad_planes).naming_all(bits)
    if survey.mask_without_names == "nonzero" and not bits.any():
        return bits, MaskPlanes({}, survey.bad_planes)
    if survey.mask_without_names == "nonzero":
        flags = np.not_equal(bits, 0, out=bits).astype(np.int32, copy=False)
        return flags, MaskPlanes({"BAD": 0}, (*survey.bad_planes, "BAD"))
    return bits, MaskPlanes(survey.mask_planes, survey.bad_planes).naming_all(bits)


def _as_bits(raw: NDArray[Any], label: str) -> IntArray:
    """Mask of 32 bits where that many hold it, as is usual, else of 64."""
    if raw.dtype.kind == "f":
        if not np.array_equal(raw, np.round(raw)) or (np.abs(raw) >= 2**62).any():
            raise InputError(f"{label}: a mask must hold whole numbers, got {raw.dtype} values that are not")
        raw = raw.astype(np.int64)
    if raw.dtype == np.int32 and raw.min(initial=0) >= 0:
        return raw
    if raw.dtype.kind == "i" and raw.dtype.itemsize < 8:
        # The sign bit is a plane like any other: 32 bits hold 32 planes.
        raw = raw.view(raw.dtype.str.replace("i", "u"))
    narrow = raw.min(initial=0) >= 0 and raw.max(initial=0) < 2**31
    return raw.astype(np.int32) if narrow else np.asarray(raw.astype(np.int64) & (2**63 - 1))


def _psf_pixels(file: FitsFile, survey: Survey) -> NDArray[np.float64] | None:
    hdu = file.named(survey.hdus.psf)
    return None if hdu is None else file.pixels(hdu, np.float64)


def _fits_notes(file: FitsFile) -> tuple[str, ...]:
    """One line for all that astropy had to say about a file."""
    messages = file.messages
    if not messages:
        return ()
    more = f" (and {len(messages) - 1} more like it)" if len(messages) > 1 else ""
    return (f"{file.path.name}: {messages[0][:200]}{more}",)
