"""Which files hold the planes of one band, and how a user writes that down."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exceptions import InputError

if TYPE_CHECKING:
    from .psf import Psf

__all__ = ["NOISE_PLANES", "PlaneSpec", "parse_plane_spec", "plane_spec"]

NOISE_PLANES = ("variance", "sigma", "weight")
_ALIASES = {"ivar": "weight", "err": "sigma", "var": "variance", "dq": "mask"}
# Settings of an analytic PSF may follow it: psf=moffat:fwhm=0.7,beta=3.
_PSF_SETTINGS = ("fwhm", "beta")


@dataclass(frozen=True, slots=True, eq=False)
class PlaneSpec:
    """Files of one band. A file may name its HDU: ``file.fits[SCI]`` or ``file.fits[2]``.

    Parameters
    ----------
    image : str or Path
        Calibrated pixels; the other planes are looked for in the same file if they are not given.
    variance, sigma, weight : str, Path or float, optional
        Noise as a variance, a standard deviation or an inverse variance (0: no data); at most one of them. A number is
        the same noise for every pixel.
    mask : str or Path, optional
        Bit mask.
    psf : Psf, array (y, x), str or Path, optional
        PSF object, stamp, FITS file or specification such as "fwhm=0.7".

    Raises
    ------
    InputError
        If no image is given, or more than one kind of noise.
    """

    image: str | Path
    variance: str | Path | float | None = None
    sigma: str | Path | float | None = None
    weight: str | Path | float | None = None
    mask: str | Path | None = None
    psf: Psf | Any | None = None

    def __post_init__(self) -> None:
        if not str(self.image):
            raise InputError("a band needs an image file; got an empty path")
        given = [name for name in NOISE_PLANES if getattr(self, name) is not None]
        if len(given) > 1:
            raise InputError(f"give the noise in one form, got {' and '.join(given)} for {self.image}")


def plane_spec(value: str | Path | Mapping[str, Any] | PlaneSpec) -> PlaneSpec:
    """Files of one band, from a path or from a mapping such as ``{"image": …, "ivar": …, "psf": …}``.

    Raises
    ------
    InputError
        If the mapping has an unknown key, or no image.
    """
    if isinstance(value, PlaneSpec):
        return value
    if not isinstance(value, Mapping):
        return PlaneSpec(value)
    settings: dict[str, Any] = {}
    for key, entry in value.items():
        name = _plane_name(key)
        if name in settings:
            raise InputError(f"plane {name!r} is given twice")
        settings[name] = _number_or_path(entry) if name in NOISE_PLANES else entry
    if "image" not in settings:
        raise InputError(f"a band needs an image file; got only {', '.join(settings) or 'nothing'}")
    return PlaneSpec(**settings)


def parse_plane_spec(text: str) -> tuple[str, PlaneSpec]:
    """Read the command line's form ``g=img.fits,variance=var.fits,psf=psf.fits``.

    A comma that is not followed by ``name=`` belongs to the path.

    Returns
    -------
    str
        Band.
    PlaneSpec
        Its files.

    Raises
    ------
    InputError
        If it does not have that form, or names an unknown plane; the message lists those that there are.
    """
    band, equals, rest = text.partition("=")
    band = band.strip()
    if not equals or not band or not rest or not re.fullmatch(r"[\w.+-]+", band):
        raise InputError(f"coadds are given as BAND=FILE or BAND=FILE,variance=FILE,mask=FILE,psf=FILE; got {text!r}")
    settings: dict[str, str] = {}
    last = "image"
    for k, part in enumerate(re.split(r",(?=[A-Za-z_]+=)", rest)):
        key, _, value = part.partition("=")
        if k == 0:
            settings["image"] = part
        elif last == "psf" and key in _PSF_SETTINGS:
            settings["psf"] += f",{part}"
        else:
            last = _plane_name(key)
            if last in settings:
                raise InputError(f"plane {last!r} is given twice in {text!r}")
            if not value:
                raise InputError(f"plane {last!r} has no file in {text!r}")
            settings[last] = value
    return band, plane_spec(settings)


def _plane_name(key: str) -> str:
    names = [f.name for f in fields(PlaneSpec)]
    name = _ALIASES.get(key.lower(), key.lower())
    if name not in names:
        near = get_close_matches(name, [*names, *_ALIASES], 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise InputError(f"no plane {key!r}: there are {', '.join([*names, *_ALIASES])}{hint}")
    return name


def _number_or_path(value: Any) -> Any:
    """Turn text that is a number into one: ``sigma=0.013``."""
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        return value
