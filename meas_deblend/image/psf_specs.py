"""PSFs as users give them: an object, a stamp, a cube, a file, or the words ``fwhm=0.7``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..exceptions import InputError
from .psf import Psf
from .psf_checks import check_psf_width
from .psf_files import FILE_KINDS, BandContext, psf_from_file, psf_from_pixels
from .psf_models import GaussianPsf, MoffatPsf

__all__ = ["BandContext", "make_psf", "parse_analytic_psf", "parse_psf_specs", "psf_of_band"]

_SETTINGS = {"gaussian": ("fwhm",), "moffat": ("fwhm", "beta")}
_NUMBER = re.compile(r"([0-9.eE+-]+)\s*(arcsec|px)?")
_FORMS = "'fwhm=0.7', 'gaussian:fwhm=0.7' or 'moffat:fwhm=0.7,beta=3' (a width may end in 'px' or 'arcsec')"


def parse_psf_specs(texts: Sequence[str]) -> str | dict[str, str] | None:
    """Read the command line's PSFs: ``SPEC`` for all bands, or ``BAND=SPEC`` for each.

    A specification is a file (a stamp, a cube with one plane per band, a PSFEx model, a grid of stamps; the last two
    also as ``psfex=FILE`` and ``grid=FILE``), or analytic (see :func:`parse_analytic_psf`).

    Returns
    -------
    str, dict or None
        One specification for all bands; one per band; None where ``texts`` is empty.

    Raises
    ------
    InputError
        If both forms are mixed, or a band is given twice.
    """
    if not texts:
        return None
    pairs = [_band_and_spec(text) for text in texts]
    general = [spec for band, spec in pairs if band is None]
    if general and len(pairs) > 1:
        raise InputError(f"give one PSF for all bands, or BAND=PSF for each; got {' '.join(texts)}")
    if general:
        return general[0]
    specs = {band: spec for band, spec in pairs if band is not None}
    if len(specs) < len(pairs):
        raise InputError(f"a band's PSF is given twice: {' '.join(texts)}")
    return specs


def _band_and_spec(text: str) -> tuple[str | None, str]:
    band, equals, spec = text.partition("=")
    if not equals or band in ("fwhm", "beta", *FILE_KINDS) or not re.fullmatch(r"[\w.+-]+", band):
        return None, text
    if not spec:
        raise InputError(f"no PSF for band {band!r} in {text!r}: give a file, {_FORMS}")
    return band, spec


def psf_of_band(psf: Any, context: BandContext) -> Any | None:
    """Part of the argument ``psf`` of :func:`read_coadds` that concerns one band; None if there is none."""
    if isinstance(psf, Mapping):
        return psf.get(context.band)
    if isinstance(psf, (list, tuple)):
        if len(psf) != context.n_bands:
            raise InputError(f"{len(psf)} PSFs for {context.n_bands} bands")
        return psf[context.index]
    return psf


def make_psf(spec: Any, context: BandContext) -> tuple[Psf, tuple[str, ...]]:
    """Build a band's PSF.

    Parameters
    ----------
    spec : Psf, array, str or Path
        An object with ``image(y, x)``; a stamp (y, x) or a cube (band, y, x); a FITS file with one of these; a PSFEx
        model, ``[psfex=]FILE``; a grid of stamps, ``[grid=]FILE``; or an analytic specification.
    context : BandContext
        The band.

    Returns
    -------
    Psf
        The PSF.
    tuple of str
        What was repaired or looks wrong.

    Raises
    ------
    InputError
        If no PSF can be made of it.
    """
    label = f"band {context.band}: PSF"
    if isinstance(spec, Psf):
        return spec, ()
    if isinstance(spec, (str, Path)):
        if _is_analytic(str(spec)):
            return _make_analytic(str(spec), context, label)
        return psf_from_file(spec, context, label)
    if isinstance(spec, np.ndarray):
        return psf_from_pixels(spec, context, label)
    raise InputError(
        f"{label}: expected an object with image(y, x), an array, a FITS file, {_FORMS}; got {type(spec).__name__}"
    )


def parse_analytic_psf(text: str, pixel_scale: float | None = None) -> GaussianPsf | MoffatPsf:
    """PSF from its width: ``fwhm=0.7``, ``gaussian:fwhm=0.7``, ``moffat:fwhm=0.7,beta=3``.

    Without a name it is a Moffat profile with β = 2.5, because a Gaussian has no wings and real stars do.  The width is
    in arcseconds if the pixel scale is known, else in pixels; ``0.7arcsec`` and ``3.5px`` say it outright.

    Parameters
    ----------
    text : str
        Specification.
    pixel_scale : float, optional
        Arcseconds per pixel.

    Raises
    ------
    InputError
        If it does not have one of these forms, or a width in arcseconds is given without a pixel scale.
    """
    name, colon, rest = text.partition(":")
    name, rest = (name.strip().lower(), rest) if colon else ("moffat", text)
    if name not in _SETTINGS:
        raise InputError(f"no PSF profile {name!r} in {text!r}: give {_FORMS}")
    values: dict[str, tuple[float, str | None]] = {}
    for part in rest.split(","):
        key, _, value = part.partition("=")
        match = _NUMBER.fullmatch(value.strip())
        if key.strip() not in _SETTINGS[name] or match is None or key.strip() in values:
            raise InputError(f"PSF {text!r} is not understood at {part!r}: give {_FORMS}")
        try:
            values[key.strip()] = (float(match[1]), match[2])
        except ValueError as error:
            raise InputError(f"PSF {text!r}: {match[1]!r} is not a number") from error
    if "fwhm" not in values:
        raise InputError(f"PSF {text!r} has no width: give {_FORMS}")
    fwhm = _in_pixels(*values["fwhm"], pixel_scale, text)
    try:
        if name == "gaussian":
            return GaussianPsf.from_fwhm(fwhm)
        return MoffatPsf(fwhm, values["beta"][0]) if "beta" in values else MoffatPsf(fwhm)
    except InputError as error:  # it counts in pixels, the caller perhaps in arcseconds
        raise InputError(f"PSF {text!r}: {error}") from error


def _in_pixels(value: float, unit: str | None, pixel_scale: float | None, text: str) -> float:
    if unit == "px" or (unit is None and pixel_scale is None):
        return value
    if pixel_scale is None:
        raise InputError(
            f"PSF {text!r} is in arcseconds, but no pixel scale is known: the images have no WCS and no PIXSCALE "
            "keyword, and the survey sets no pixel_scale; give the width in pixels, e.g. fwhm=3.5px"
        )
    return value / pixel_scale


def _is_analytic(text: str) -> bool:
    return re.match(r"\s*(\w+:)?\s*(fwhm|beta)\s*=", text) is not None


def _make_analytic(text: str, context: BandContext, label: str) -> tuple[Psf, tuple[str, ...]]:
    psf = parse_analytic_psf(text, context.pixel_scale)
    notes = check_psf_width(psf.image(0.0, 0.0).stamp, label)
    unit_given = "px" in text or "arcsec" in text
    if notes and context.pixel_scale is None and not unit_given:
        notes = (f"{notes[0]} (no pixel scale is known, so {text!r} was taken in pixels)",)
    return psf, notes
