"""Reads coadds of several bands into one exposure."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .._each import in_turn
from ..exceptions import InputError, InputWarning, NoWorkFoundError
from .background import subtract_background
from .band_reader import BandData, wcs_of_band
from .checks import check_exposure
from .cubes import Cubes
from .exposure import MultibandExposure
from .grids import check_grids
from .masks import MaskPlanes
from .planes import PlaneSpec, plane_spec
from .psf_specs import BandContext, make_psf, psf_of_band
from .several_bands import read_bands
from .survey import Survey, load_survey

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .._each import Each
    from .psf import Psf

__all__ = ["read_coadds", "wcs_of_coadds"]


def read_coadds(
    paths: Mapping[str, str | Path | Mapping[str, Any] | PlaneSpec],
    survey: str | Path | Survey = "generic",
    *,
    psf: Any = None,
    zeropoint: float | Mapping[str, float] | None = None,
    background: Literal["none", "subtract"] = "none",
    on_missing_psf: Literal["error", "drop"] = "error",
    each: Each = in_turn,
    each_file: Each | None = None,
    empty: Callable[[tuple[int, ...], Any], NDArray[Any]] = np.empty,
) -> MultibandExposure:
    """Read coadds of one patch of sky, one per band, all on the same pixel grid.

    Parameters
    ----------
    paths : mapping of str to path, mapping or PlaneSpec
        Band to its FITS file; or to ``{"image": …, "variance" | "weight" | "sigma": …, "mask": …, "psf": …}`` where the
        planes are in files of their own.  ``file.fits[SCI]`` names an HDU.  The bands keep this order.
    survey : str, Path or Survey
        Which conventions the files follow (see :func:`load_survey`).
    psf : optional
        PSF for all bands, or a mapping of band to PSF: an object with ``image(y, x)``, an array (y, x) or
        (band, y, x), a FITS file with one of these, a PSFEx model ("psfex=FILE"), a grid of stamps ("grid=FILE"), or
        "fwhm=0.7" (see :func:`parse_analytic_psf`).  It goes before the one in the band's own file.
    zeropoint : float or mapping of str to float, optional
        AB magnitude of one image unit; goes before what the header says.
    background : {"none", "subtract"}
        Whether to subtract the sky (see :func:`subtract_background`).
    on_missing_psf : {"error", "drop"}
        What to do about a band without a PSF: refuse to read, or leave the band out and say so.  A PSF is never
        guessed.
    each : callable
        Does bands one after the other or several at a time: ``each(function, places, shared)`` gives
        ``function(shared, place)`` of every place.  For what is looked at when all bands are read.
    each_file : callable, optional
        Does as ``each``, for reading, in processes that have the memory from ``empty`` in common.  Default: one band
        after the other.
    empty : callable
        Makes the arrays (band, y, x) that pixels are read into, from a shape and a type.

    Returns
    -------
    MultibandExposure
        Its ``warnings`` hold everything that was found wrong and repaired, and the background that was subtracted.

    Raises
    ------
    InputError
        If a file or plane is missing or unreadable, shapes, pixel grids or units of the bands differ, or a band has no
        PSF.
    NoWorkFoundError
        If no band is left.
    ConfigError
        If there is no such survey.

    Warns
    -----
    InputWarning
        Once, with one line for each finding.
    """
    settings = load_survey(survey)
    _check_choices(background, on_missing_psf)
    if not paths:
        raise InputError("no coadds were given: name at least one band and its file")
    specs = {band: plane_spec(value) for band, value in paths.items()}
    # Where bands may be left out, it is known only at the end how many there are.
    known = on_missing_psf == "error"
    cubes = Cubes(len(specs) if known else 0, empty)
    bands = read_bands(specs, settings, cubes, each_file if known else None)
    _check_names("psf", psf, bands)
    _check_names("zeropoint", zeropoint, bands)
    notes = [note for data in bands for note in data.notes] + check_grids(bands)
    bands, psfs = _with_psfs(bands, psf, settings, on_missing_psf, notes)
    exposure = _assemble(bands, psfs, zeropoint, cubes)
    asked_for: list[str] = []
    if background == "subtract":
        exposure = _without_background(exposure, asked_for)
    notes += check_exposure(exposure, settings.limits, each)
    findings = tuple(dict.fromkeys(notes))
    if findings:
        warnings.warn("\n".join(findings), InputWarning, stacklevel=2)
    return replace(exposure, warnings=(*findings, *asked_for))


def wcs_of_coadds(paths: Mapping[str, PlaneSpec], bands: Sequence[str], survey: str | Path | Survey) -> Any | None:
    """Return the world coordinates that `read_coadds` gives an exposure, from the headers alone.

    Parameters
    ----------
    paths : mapping of str to PlaneSpec
        Files by band.
    bands : sequence of str
        Those of the exposure.
    survey : str, Path or Survey
        Which conventions the files follow.

    Raises
    ------
    InputError
        If a file or its image cannot be found any more.
    """
    settings = load_survey(survey)
    found = (wcs_of_band(band, paths[band], settings) for band in bands)
    return next((wcs for wcs in found if wcs is not None), None)


def _check_choices(background: str, on_missing_psf: str) -> None:
    for name, value, allowed in (
        ("background", background, ("none", "subtract")),
        ("on_missing_psf", on_missing_psf, ("error", "drop")),
    ):
        if value not in allowed:
            raise InputError(f"{name} must be {' or '.join(map(repr, allowed))}, got {value!r}")


def _check_names(argument: str, value: Any, bands: Sequence[BandData]) -> None:
    """Refuse settings for bands that were not given: a misspelt band would else be without effect."""
    if not isinstance(value, Mapping):
        return
    names = [data.band for data in bands]
    unknown = [name for name in value if name not in names]
    if unknown:
        raise InputError(
            f"{argument} is given for {', '.join(map(str, unknown))}, but the bands are {', '.join(names)}"
        )


def _with_psfs(
    bands: Sequence[BandData], psf: Any, survey: Survey, on_missing_psf: str, notes: list[str]
) -> tuple[list[BandData], list[Psf]]:
    """Bands that have a PSF, and their PSFs."""
    kept, psfs, missing = [], [], []
    scale = _pixel_scale(bands)
    for k, data in enumerate(bands):
        shape = (data.image.shape[0], data.image.shape[1])
        context = BandContext(data.band, k, len(bands), scale, survey.hdus.psf, shape)
        given = psf_of_band(psf, context)
        spec = data.psf if given is None else given
        if spec is None:
            missing.append(data.band)
            continue
        made, found = make_psf(spec, context)
        kept.append(data)
        psfs.append(made)
        notes += found
    if missing and on_missing_psf == "error":
        band = missing[0]
        raise InputError(
            f"no PSF for band {', '.join(missing)}: there is no HDU {' or '.join(survey.hdus.psf)}; give a file, a "
            f"stamp or a width, e.g. psf={{'{band}': 'fwhm=0.7'}} (command line: --psf {band}=psf.fits or "
            f"--psf {band}=fwhm=0.7), or leave such bands out with on_missing_psf='drop'"
        )
    notes += [f"band {band}: left out, because it has no PSF" for band in missing]
    if not kept:
        raise NoWorkFoundError(f"no band is left: none of {', '.join(missing)} has a PSF")
    return kept, psfs


def _pixel_scale(bands: Sequence[BandData]) -> float | None:
    return next((data.pixel_scale for data in bands if data.pixel_scale is not None), None)


def _assemble(
    bands: list[BandData],
    psfs: Sequence[Psf],
    zeropoint: float | Mapping[str, float] | None,
    cubes: Cubes,
) -> MultibandExposure:
    """Stack the planes that are not in their cube yet; masks are rewritten to common bits if their headers differ.

    Planes leave ``bands`` as they are stacked, so that an image is held once and not twice.
    """
    planes = reduce(MaskPlanes.union, (data.planes for data in bands))
    # 32 bits, as in most FITS masks, unless a plane lies above them: it halves the largest integer array.
    narrow = max(planes.bits.values(), default=0) <= 30
    shape = (len(bands), *bands[0].image.shape)
    given = zeropoint if isinstance(zeropoint, Mapping) else dict.fromkeys((d.band for d in bands), zeropoint)
    return MultibandExposure(
        bands=tuple(d.band for d in bands),
        images=_stacked(bands, "image", cubes.take("image", shape, np.float32)),
        variance=_stacked(bands, "variance", cubes.take("variance", shape, np.float32)),
        mask=_stacked(bands, "mask", cubes.take("mask", shape, np.int32 if narrow else np.int64), planes),
        psfs=tuple(psfs),
        mask_planes=MaskPlanes(planes.bits, planes.bad),
        wcs=next((d.wcs for d in bands if d.wcs is not None), None),
        zeropoints=tuple(_first(given.get(d.band), d.zeropoint) for d in bands),
        units=bands[0].units,
        pixel_scale=_pixel_scale(bands),
        sources=tuple(d.source for d in bands),
    )


def _stacked(bands: list[BandData], name: str, cube: NDArray[Any], planes: MaskPlanes | None = None) -> NDArray[Any]:
    """Put one kind of plane of all bands into a cube (band, y, x), out of them; masks in the bits of ``planes``."""
    for k, data in enumerate(bands):
        plane = getattr(data, name)
        if planes is not None and dict(data.planes.bits) != dict(planes.bits):
            plane = planes.translate(plane, data.planes)
        if not np.may_share_memory(plane, cube[k]):
            cube[k] = plane
        taken: dict[str, Any] = {name: np.empty((0, 0), dtype=cube.dtype)}
        bands[k] = replace(data, **taken)
    return cube


def _first(given: float | None, read: float | None) -> float | None:
    return read if given is None else float(given)


def _without_background(exposure: MultibandExposure, notes: list[str]) -> MultibandExposure:
    images, levels = [], []
    for image, bad, band in zip(exposure.images, exposure.bad, exposure.bands, strict=True):
        subtracted, level, note = subtract_background(image, bad)
        images.append(subtracted)
        levels.append(level)
        notes.append(f"band {band}: {note}")
    return replace(exposure, images=np.stack(images), background=tuple(levels))
