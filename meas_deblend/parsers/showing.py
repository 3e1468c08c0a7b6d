"""Arguments of the commands that tell what there is."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ._shared import LAYERS, add_settings

if TYPE_CHECKING:
    from ._types import Commands

__all__ = ["add_explain", "add_export", "add_show"]

EXPORT_EXAMPLES = """\
examples:
  meas-deblend export out/ --fits objects.fits
  meas-deblend export out/ --fits psf.fits --columns x y 'coord_*' '*_psfFlux*'
  meas-deblend export out/ --table parents --fits parents.fits --overwrite
"""


def add_show(commands: Commands) -> None:
    """Add ``show``."""
    show = commands.add_parser("show", help="show tasks, a task's settings, a pipeline or a finished run")
    what = show.add_subparsers(title="what", dest="what", metavar="WHAT", required=True)
    tasks = what.add_parser("tasks", help="table of all tasks: label, class, config, inputs, outputs")
    tasks.set_defaults(function="show_tasks")
    config = what.add_parser("config", help="resolved settings, as YAML", description=LAYERS)
    config.add_argument("label", nargs="?", help="label of a task in the pipeline, e.g. multi_band (default: all)")
    instead = config.add_mutually_exclusive_group()
    instead.add_argument("--history", metavar="FIELD", help="who set this field, and where: e.g. fit.max_iter")
    instead.add_argument("--diff", metavar="WHAT", help="only the settings that differ from: default; a survey, by "
                         "name or as a folder; or the folder of a finished run")  # fmt: skip
    instead.add_argument("--schema", action="store_true", help="JSON schema for editors: of a -C file, or with a label "
                         "of that task's file in a survey's folder")  # fmt: skip
    add_settings(config)
    config.set_defaults(function="show_config")
    survey = what.add_parser("survey", help="how a survey's images are read, as YAML")
    survey.add_argument("name", nargs="?", default="generic", help="name or folder (default: generic)")
    survey.add_argument("--schema", action="store_true", help="JSON schema of survey.yaml, for editors")
    survey.set_defaults(function="show_survey")
    pipeline = what.add_parser("pipeline", help="tasks of a pipeline, in order, with their datasets")
    pipeline.add_argument("name", nargs="?", default="multiband", help="name or file (default: multiband)")
    pipeline.set_defaults(function="show_pipeline")
    run = what.add_parser("run", help="what became of the objects of a finished run, by rung and reason")
    run.add_argument("folder", metavar="DIR", help="folder that a run wrote")
    run.add_argument("--reason", metavar="REASON", help="print the identifiers of the parents with objects of this "
                     "reason instead, one per line, e.g. for run --only")  # fmt: skip
    run.set_defaults(function="show_run")


def add_explain(commands: Commands) -> None:
    """Add ``explain``."""
    explain = commands.add_parser(
        "explain",
        help="tell the story of an object or parent of a run",
        description="Tell in sentences what became of one object or parent: where it is, in which bands it was seen, "
        "its parent, blend and neighbours, how it was deblended and why so, its part of the flux, its flags, and how "
        "to look at it in Python.",
    )
    explain.add_argument("folder", metavar="DIR", help="folder that a run wrote")
    explain.add_argument("id", type=int, metavar="ID", help="objectId or parentObjectId; that of an isolated object "
                         "is both, and means the object")  # fmt: skip
    explain.add_argument("--json", action="store_true", help="facts, sentences and Python lines as JSON")
    explain.set_defaults(function="explain")


def add_export(commands: Commands) -> None:
    """Add ``export``."""
    export = commands.add_parser(
        "export",
        help="write a catalog of a run as a FITS file",
        description="Write a catalog of a finished run, of one patch or of many, as a FITS file with units and "
        "descriptions. A FITS table holds at most 999 columns, and a catalog of five bands has more: it is written as "
        "one HDU with what is common to all bands (OBJECTS), and one per band (OBJECTS_g, ...), with the same rows in "
        "the same order.",
        epilog=EXPORT_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    export.add_argument("folder", metavar="DIR", help="folder that a run wrote")
    export.add_argument("--fits", required=True, metavar="FILE", help="file to write")
    export.add_argument("--table", default="objects", metavar="NAME", help="objects, parents, ledger, ... (default: "
                        "objects)")  # fmt: skip
    export.add_argument("--columns", nargs="+", default=[], metavar="NAME", help="only columns of these names or "
                        "patterns, e.g. '*_psfFlux*'; the identifier is always written (default: all)")  # fmt: skip
    export.add_argument("--overwrite", action="store_true", help="write FILE although it is there")
    export.set_defaults(function="export")
