"""Arguments of the commands that tell what there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._shared import LAYERS, add_settings

if TYPE_CHECKING:
    from ._types import Commands

__all__ = ["add_explain", "add_show"]


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
