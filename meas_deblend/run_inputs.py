"""What a run read, written so that any folder, at any time, finds the same files again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .image import PlaneSpec
from .image.fits_io import split_selector
from .image.psf_files import split_psf_spec
from .products import RunInput, file_sha256

if TYPE_CHECKING:
    from .image import MultibandExposure

__all__ = ["RunFiles", "describe_inputs"]


@dataclass(frozen=True, slots=True)
class RunFiles:
    """What `products.RunRecord` says of a run's inputs.

    Parameters
    ----------
    inputs : tuple of RunInput
        One per band.
    read_options : dict
        Keyword arguments of the reader, with absolute paths.
    checksums : dict of str to str
        SHA-256 by absolute path, for files beside the images.
    """

    inputs: tuple[RunInput, ...]
    read_options: dict[str, Any]
    checksums: dict[str, str]


def describe_inputs(
    coadds: MultibandExposure, planes: Mapping[str, PlaneSpec], read_options: Mapping[str, Any]
) -> RunFiles:
    """Describe what was read.

    Parameters
    ----------
    coadds : MultibandExposure
        Its ``sources`` name the image files and their checksums.
    planes : mapping of str to PlaneSpec
        What the reader was given, by band; empty for arrays that came from no file.
    read_options : mapping
        Keyword arguments of the reader.
    """
    inputs = []
    checksums: dict[str, str] = {}
    for band, source in zip(coadds.bands, coadds.sources, strict=True):
        given = _given_planes(planes[band], source.path) if band in planes else {}
        inputs.append(RunInput(band=band, path=source.path, sha256=source.sha256, planes=given))
        others = (value for plane, value in given.items() if plane != "image")
        checksums |= _checksums(value for value in others if isinstance(value, str))
    options = {key: value for key, value in read_options.items() if value is not None}
    # Only these two may be paths: a folder that is called as a survey must not be taken for it.
    if "psf" in options:
        psf = options["psf"] = _absolute_psfs(options["psf"])
        specs = list(psf.values()) if isinstance(psf, Mapping) else [psf]
        checksums |= _checksums(split_psf_spec(spec).file for spec in specs if isinstance(spec, str))
    if _is_survey_path(options.get("survey", "")):
        path = Path(options["survey"]).expanduser().absolute()
        options["survey"] = str(path)
        checksums |= _checksums([path / "survey.yaml" if path.is_dir() else path])
    return RunFiles(tuple(inputs), options, checksums)


def _is_survey_path(survey: Any) -> bool:
    """Whether it is a path, as `image.load_survey` decides, and not the name of a shipped survey."""
    return isinstance(survey, Path) or (
        isinstance(survey, str) and (os.sep in survey or survey.endswith((".yaml", ".yml")))
    )


def _given_planes(spec: PlaneSpec, image: str) -> dict[str, str | float]:
    """Planes that were given on their own, as absolute paths; the image too if an HDU of it was chosen."""
    given = {f.name: getattr(spec, f.name) for f in fields(spec)}
    found = {name: _absolute(value) for name, value in given.items() if value is not None}
    if len(found) == 1 and found["image"] == image:
        return {}
    return found


def _absolute_psfs(value: Any) -> Any:
    """PSFs with the paths in them made absolute, also those behind a word that says what the file holds."""
    if isinstance(value, Mapping):
        return {key: _absolute_psfs(one) for key, one in value.items()}
    if not isinstance(value, (str, Path)):
        return value
    parts = split_psf_spec(value)
    return str(parts._replace(file=_absolute(parts.file)))


def _absolute(value: Any) -> Any:
    """Absolute path of what names an existing file or folder (with its HDU selector); anything else as it is."""
    if not isinstance(value, (str, Path)):
        return value
    path, selector = split_selector(value)
    absolute = Path(path).expanduser().absolute()
    if not absolute.exists():
        return str(value)
    return str(absolute) if selector is None else f"{absolute}[{selector}]"


def _checksums(values: Any) -> dict[str, str]:
    paths = (Path(split_selector(value)[0]) for value in values)
    return {str(path): file_sha256(path) for path in paths if path.is_file()}
