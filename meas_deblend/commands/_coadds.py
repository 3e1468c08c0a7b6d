"""Which coadds a command reads, and how, from its arguments."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..exceptions import InputError
from ..image import PlaneSpec, parse_plane_spec, parse_psf_specs, read_sources

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from ..image import MultibandExposure

__all__ = ["planes_of", "read_options_of", "sources_of", "values_by_band"]


def planes_of(options: argparse.Namespace) -> dict[str, PlaneSpec]:
    """Files by band, from ``--coadd``.

    Raises
    ------
    InputError
        If a band is given twice, or a text is no BAND=FILE.
    """
    planes: dict[str, PlaneSpec] = {}
    for text in options.coadd:
        band, spec = parse_plane_spec(text)
        if band in planes:
            raise InputError(f"--coadd: band {band} is given twice ({planes[band].image} and {spec.image})")
        planes[band] = spec
    return planes


def read_options_of(options: argparse.Namespace) -> dict[str, Any]:
    """Keyword arguments of `read_coadds`.

    Raises
    ------
    InputError
        If a PSF or a zero point cannot be understood.
    """
    return {
        "survey": options.survey,
        "psf": parse_psf_specs(options.psf),
        "zeropoint": values_by_band(options.zeropoint, "--zeropoint", "MAGNITUDE"),
        "background": options.background,
        "on_missing_psf": options.missing_psf,
    }


def sources_of(options: argparse.Namespace, coadds: MultibandExposure) -> dict[str, Any] | None:
    """Columns ``x``, ``y`` and ``name`` of the list of sources of ``--sources``; None without it.

    Raises
    ------
    InputError
        If the list cannot be used.
    """
    if options.sources is None:
        return None
    found = read_sources(options.sources, coadds.wcs, shape=coadds.box.shape, frame=options.frame)
    return {"x": found.x, "y": found.y, "name": found.names}


def values_by_band(texts: Sequence[str], option: str, what: str) -> float | dict[str, float] | None:
    """One number for all bands, or one per band; None if nothing was given.

    Parameters
    ----------
    texts : sequence of str
        One NUMBER, or BAND=NUMBER for each band.
    option, what : str
        What the option and its number are called in messages.

    Raises
    ------
    InputError
        If a text is neither.
    """
    if not texts:
        return None
    values: dict[str, float] = {}
    for text in texts:
        band, _, number = text.rpartition("=")
        if band in values:
            raise InputError(f"{option}: {f'band {band}' if band else 'all bands'} is given twice; got {list(texts)}")
        values[band] = _finite(number)
        if not math.isfinite(values[band]):
            raise InputError(f"{option}: {text!r} is neither a {what.lower()} nor BAND={what}")
    if "" not in values:
        return values
    if len(texts) > 1:
        raise InputError(f"{option}: give one {what.lower()} for all bands, or BAND={what} for each; got {list(texts)}")
    return values[""]


def _finite(number: str) -> float:
    """Value of a text, NaN if it is none."""
    try:
        return float(number)
    except ValueError:
        return math.nan
