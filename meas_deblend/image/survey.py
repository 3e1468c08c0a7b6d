"""What differs between surveys when images are read, as data: ``config/<survey>/survey.yaml``."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..exceptions import ConfigError
from ..shipped import shipped_folder, surveys

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.resources.abc import Traversable


__all__ = ["HduNames", "SanityLimits", "Survey", "load_survey"]

Bit = Annotated[int, Field(ge=0, le=62)]

_ZEROPOINT_KEYWORDS: dict[str, Literal["magnitude", "flux"]] = {
    "PHOTZP": "magnitude",
    "MAGZERO": "magnitude",
    "FLUXMAG0": "flux",
}

_STANDARD_BITS = {
    "BAD": 0,
    "SAT": 1,
    "INTRP": 2,
    "CR": 3,
    "EDGE": 4,
    "DETECTED": 5,
    "DETECTED_NEGATIVE": 6,
    "SUSPECT": 7,
    "NO_DATA": 8,
}


class HduNames(BaseModel):
    """Names (EXTNAME or EXTTYPE, any case) under which the planes of a coadd are looked for, in this order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    image: tuple[str, ...] = Field(("IMAGE", "SCI"), description="Calibrated pixels; else the only image HDU.")
    variance: tuple[str, ...] = Field(("VARIANCE", "VAR"), description="Variance, in squared image units.")
    sigma: tuple[str, ...] = Field(
        ("ERR", "ERROR", "SIGMA", "RMS", "STD"), description="Standard deviation, in image units; squared on reading."
    )
    weight: tuple[str, ...] = Field(
        ("IVAR", "INVVAR", "WHT", "WEIGHT"), description="Inverse variance; 0 means no data."
    )
    mask: tuple[str, ...] = Field(("MASK", "DQ"), description="Bits per pixel, named by MP_* keywords if any.")
    psf: tuple[str, ...] = Field(("PSF",), description="PSF stamp (y, x).")


class SanityLimits(BaseModel):
    """When a plane is so unlikely that the reader warns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sky_chi2: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = Field(
        (0.5, 2.0),
        description="Allowed range of (scatter of the sky)² / variance. Wide, because resampling makes the noise of "
        "neighbouring pixels correlated and the scatter of single pixels smaller than their variance says.",
    )
    sky_offset: float = Field(
        0.1, gt=0, description="Largest sky level that is not reported, in standard deviations of one pixel."
    )

    @model_validator(mode="after")
    def _range_is_ordered(self) -> SanityLimits:
        if self.sky_chi2[0] >= self.sky_chi2[1]:
            raise ValueError(f"sky_chi2 must be (low, high) with low < high, got {self.sky_chi2}")
        return self


class Survey(BaseModel):
    """How the images of one survey are read; the defaults are those of the survey ``generic``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="Short name, as used on the command line.")
    description: str = Field("", description="What the survey is, in a sentence.")
    hdus: HduNames = Field(default_factory=HduNames, description="Names of the HDUs that hold the planes.")
    mask_planes: dict[str, Bit] = Field(
        default_factory=lambda: dict(_STANDARD_BITS),
        description="Plane name to bit number for masks whose header has no MP_* keywords.",
    )
    mask_without_names: Literal["bits", "nonzero"] = Field(
        "nonzero",
        description="Meaning of a mask whose header has no MP_* keywords: 'bits' reads it with mask_planes; 'nonzero' "
        "takes every pixel that is not 0 as BAD, which is safe for bit masks, codes and flags alike.",
    )
    bad_planes: tuple[str, ...] = Field(
        ("BAD", "NO_DATA", "SAT", "SUSPECT", "EDGE"),
        description="Planes whose pixels carry no usable flux; those that an image lacks are ignored.",
    )
    pixel_scale: float | None = Field(
        None, gt=0, le=60, description="Arcseconds per pixel where the header has neither a WCS nor PIXSCALE."
    )
    zeropoint: float | None = Field(
        None, ge=0, le=60, description="AB magnitude of one ``units``, where the header does not tell."
    )
    zeropoint_keywords: dict[str, Literal["magnitude", "flux"]] = Field(
        default_factory=lambda: dict(_ZEROPOINT_KEYWORDS),
        description="Header keywords that give the zero point, in order of preference: as a magnitude, or as the flux "
        "of magnitude 0 (then the zero point is 2.5 log10 of it).",
    )
    units: str = Field("count", min_length=1, description="Unit of the pixels where the header has no BUNIT.")
    band_order: tuple[str, ...] = Field(
        ("u", "g", "r", "i", "z", "y"), description="Bands from blue to red: the order of colours in pictures."
    )
    filters: dict[str, str] = Field(
        default_factory=dict, description="Physical filter, as in the keyword FILTER, to band name."
    )
    limits: SanityLimits = Field(default_factory=SanityLimits, description="When the reader warns.")

    def sort_bands(self, bands: Iterable[str]) -> tuple[str, ...]:
        """``bands`` from blue to red; those that the survey does not know come last, in the order given."""
        rank = {band: k for k, band in enumerate(self.band_order)}
        return tuple(sorted(bands, key=lambda band: rank.get(band, len(rank))))

    def band_of_filter(self, physical: str) -> str | None:
        """Band of a physical filter, e.g. "HSC-G" or "r DECam SDSS c0002 6415.0 1480.0"; None if it is not known."""
        name = physical.strip()
        if name in self.filters:
            return self.filters[name]
        first = name.split(" ", 1)[0]
        return first if first in self.band_order else None


def load_survey(name_or_path: str | Path | Survey) -> Survey:
    """Read a survey's settings.

    Parameters
    ----------
    name_or_path : str, Path or Survey
        Name of a shipped survey, or a path to a YAML file, or to a folder that holds a ``survey.yaml``.  A str is
        taken as a path if it has a folder separator or ends in .yaml or .yml.

    Raises
    ------
    ConfigError
        If there is no such survey (the message lists those that there are), or if the file has an unknown key, a
        value of the wrong type or out of range (the message names file, line, key and what is allowed).
    """
    if isinstance(name_or_path, Survey):
        return name_or_path
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or os.sep in text or text.endswith((".yaml", ".yml")):
        path = Path(name_or_path).expanduser()
        path = path / "survey.yaml" if path.is_dir() else path
        if not path.is_file():
            raise ConfigError(f"no survey file {path.absolute()}")
        return _parse(path)
    known = surveys()
    if text not in known:
        near = get_close_matches(text.lower(), known, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(
            f"no survey {text!r}: there are {', '.join(known)}{hint} (a path to a survey.yaml of your own works too)"
        )
    return _parse(shipped_folder("config") / text / "survey.yaml")


def _parse(path: Traversable) -> Survey:
    text = path.read_text(encoding="utf-8")
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must hold settings as 'key: value', got {type(values).__name__}")
    try:
        return Survey(**values)
    except ValidationError as error:
        lines = [_explain(path, root, dict(problem)) for problem in error.errors()]
        raise ConfigError("\n".join(lines)) from error


def _explain(path: Traversable, root: yaml.Node | None, problem: dict[str, Any]) -> str:
    """One line that says where a setting stands, what is wrong with it and what is allowed."""
    location = tuple(problem["loc"])
    where = f"{path}:{_line(root, location)}"
    key = ".".join(str(part) for part in location)
    if problem["type"] == "extra_forbidden":
        fields = _fields_at(location[:-1])
        near = get_close_matches(str(location[-1]), fields, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"{where}: unknown setting {key!r}{hint} (there are: {', '.join(fields)})"
    return f"{where}: {key}: {problem['msg']}; got {problem['input']!r}"


def _fields_at(location: tuple[Any, ...]) -> list[str]:
    """Names of the fields of the model at ``location``."""
    model: Any = Survey
    for part in location:
        model = model.model_fields[part].annotation
    return list(model.model_fields)


def _line(node: Any, location: tuple[Any, ...]) -> int:
    """Line (from 1) of the deepest part of ``location`` that is written in the file."""
    line = 1
    for part in location:
        if isinstance(getattr(node, "value", None), list):
            for item in node.value:
                if isinstance(item, tuple) and item[0].value == str(part):
                    line, node = item[0].start_mark.line + 1, item[1]
                    break
    return line
