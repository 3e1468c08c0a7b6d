"""``meas-deblend lsst``: repositories and pipelines of Rubin's middleware."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._names import listing, suggestion
from .._phrases import counted
from ..exceptions import InputError, PipelineError
from ..image import plane_spec, read_coadds
from ..patches import check_options, options_for, patch_cell, read_patches
from ..shipped import shipped_folder
from ._coadds import planes_of, read_options_of
from ._settings import say, shown_warnings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from meas_deblend_tasks.lsst.repository import PatchPlace

    from ..image import PlaneSpec

__all__ = ["lsst_init", "lsst_pipeline"]


def lsst_init(options: argparse.Namespace) -> int:
    """Put coadds into a repository, and print the command that runs a pipeline on them."""
    _check_middleware()
    from meas_deblend_tasks.lsst.repository import has_coadds, ingest_coadds, open_repository  # noqa: PLC0415

    patches = _patches(options)
    there = (Path(options.repository) / "butler.yaml").is_file()
    butler = open_repository(options.repository, options.registry) if there else None
    made, bands, left = 0, [], 0
    for place, planes, read_options in patches:
        if options.inputs is not None and butler is not None and has_coadds(butler, planes, place):
            left += 1
            continue
        with shown_warnings():
            coadds = read_coadds(planes, **read_options)
        # Only now: files that cannot be read make no repository.
        butler = butler or open_repository(options.repository, options.registry)
        made += len(ingest_coadds(butler, coadds, place))
        bands += [band for band in coadds.bands if band not in bands]
    if left:
        say(f"{counted(left, 'patch is', 'patches are')} there already: nothing of that is changed")
    _tell(options, [place for place, _, _ in patches], made, bands)
    return 0


def _patches(options: argparse.Namespace) -> list[tuple[PatchPlace, Mapping[str, PlaneSpec], Mapping[str, Any]]]:
    """Where patches go, their files by band, and how those are read."""
    from meas_deblend_tasks.lsst.repository import PatchPlace  # noqa: PLC0415

    read_options = read_options_of(options)
    place = PatchPlace(options.skymap, 0, 0, options.dataset_type, options.collection)
    if options.inputs is None:
        tract, patch = options.tract or 0, options.patch or 0
        if min(tract, patch) < 0:
            raise InputError(f"tract and patch count from 0, got {tract} and {patch}")
        return [(replace(place, tract=tract, patch=patch), planes_of(options), read_options)]
    if options.tract is not None or options.patch is not None:
        raise InputError("--tract and --patch are for --coadd: the patches of --inputs have their own")
    found = read_patches(options.inputs)
    check_options(tuple(dict.fromkeys(band for patch in found for band in patch.bands)), read_options)
    return [
        (
            replace(place, tract=patch.tract, patch=patch.number, cell=patch_cell(patch.patch)),
            {band: plane_spec(files) for band, files in patch.bands.items()},
            options_for(patch.bands, read_options),
        )
        for patch in found
    ]


def _tell(options: argparse.Namespace, places: Sequence[PatchPlace], made: int, bands: Sequence[str]) -> None:
    """Say what is in the repository, and how to run a pipeline on it."""
    run = options.collection
    where = ", ".join(f"{key} {value}" for key, value in places[0].data_id.items())
    if len(places) > 1:
        where = f"skymap {options.skymap}, {counted(len(places), 'patch', 'patches')}"
    of = f" of the bands {', '.join(bands)}" if bands else ""
    say(f"{counted(made, 'dataset')}{of} are in {run} of {options.repository}")
    say(f"at {where}. To deblend them:")
    settings = {"survey": options.survey, "coadd": options.dataset_type}
    given = {"survey": "generic", "coadd": "deep_coadd"}
    extra = [f"-c parameters:{name}={value}" for name, value in settings.items() if value != given[name]]
    said = [f"pipetask run -b {options.repository}", f'-p "{_pipeline("multiband")}"', f"-i {run}"]
    say(" ".join([*said, "-o meas_deblend/run", *extra, "--register-dataset-types -j 2"]))


def lsst_pipeline(options: argparse.Namespace) -> int:
    """Print the path of a pipeline's file."""
    say(_pipeline(options.name))
    return 0


def _pipeline(name: str) -> str:
    folder = shipped_folder("pipelines") / "lsst"
    names = sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    if name not in names:
        raise PipelineError(f"there is no pipeline '{name}'{suggestion(name, names)} Pipelines: {listing(names)}")
    return str(folder / f"{name}.yaml")


def _check_middleware() -> None:
    try:
        found = find_spec("lsst.daf.butler") is not None and find_spec("lsst.pipe.base") is not None
    except ModuleNotFoundError:
        found = False
    if not found:
        raise InputError(
            "Rubin's middleware is not installed: pip install 'meas_deblend[lsst]', with Python 3.12 or later; where "
            "the Science Pipelines are set up, they bring it"
        )
