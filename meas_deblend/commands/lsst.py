"""``meas-deblend lsst``: repositories and pipelines of Rubin's middleware."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from .._names import listing, suggestion
from ..exceptions import InputError, PipelineError
from ..image import read_coadds
from ..shipped import shipped_folder
from ._coadds import planes_of, read_options_of
from ._settings import say, shown_warnings

if TYPE_CHECKING:
    import argparse

__all__ = ["lsst_init", "lsst_pipeline"]


def lsst_init(options: argparse.Namespace) -> int:
    """Put coadds into a repository, and print the command that runs a pipeline on them."""
    _check_middleware()
    from meas_deblend_tasks.lsst.repository import PatchPlace, ingest_coadds, open_repository  # noqa: PLC0415

    if min(options.tract, options.patch) < 0:
        raise InputError(f"tract and patch count from 0, got {options.tract} and {options.patch}")
    with shown_warnings():
        coadds = read_coadds(planes_of(options), **read_options_of(options))
    place = PatchPlace(options.skymap, options.tract, options.patch, options.dataset_type, options.collection)
    butler = open_repository(options.repository, options.registry)
    made = ingest_coadds(butler, coadds, place)
    where = ", ".join(f"{key} {value}" for key, value in place.data_id.items())
    say(f"{len(made)} datasets of the bands {', '.join(coadds.bands)} are in {place.run} of {options.repository}")
    say(f"at {where}. To deblend them:")
    settings = {"survey": options.survey, "coadd": options.dataset_type}
    given = {"survey": "generic", "coadd": "deep_coadd"}
    extra = [f"-c parameters:{name}={value}" for name, value in settings.items() if value != given[name]]
    said = [f"pipetask run -b {options.repository}", f'-p "{_pipeline("multiband")}"', f"-i {place.run}"]
    say(" ".join([*said, "-o meas_deblend/run", *extra, "--register-dataset-types -j 2"]))
    return 0


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
