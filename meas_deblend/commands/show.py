"""``meas-deblend show``: tasks, settings and pipelines as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import framework
from ._settings import layers_of, say

if TYPE_CHECKING:
    import argparse

__all__ = ["show_config", "show_pipeline", "show_tasks"]


def show_tasks(options: argparse.Namespace) -> int:
    """Print the table of the tasks of all shipped pipelines."""
    del options
    for name in framework.shipped_pipelines():
        pipeline = framework.load_pipeline(name)
        say(f"{name}: {pipeline.description}\n")
        say(framework.show_tasks(pipeline) + "\n")
    return 0


def show_config(options: argparse.Namespace) -> int:
    """Print the resolved settings of one task, or who set one field."""
    pipeline = framework.load_pipeline(options.pipeline, survey=options.survey, layers=layers_of(options))
    if options.history:
        say(framework.show_history(pipeline, options.label, options.history))
    else:
        say(framework.show_config(pipeline, options.label).rstrip())
    return 0


def show_pipeline(options: argparse.Namespace) -> int:
    """Print what a pipeline does, task by task."""
    say(framework.show_pipeline(framework.load_pipeline(options.name)))
    return 0
