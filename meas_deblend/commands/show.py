"""``meas-deblend show``: tasks, settings and pipelines as text."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from .. import framework
from .._phrases import counted
from ..access import PatchRun, open_run
from ..access.summary import RunSummary
from ._settings import layers_of, say
from ._summary import outcome_lines

if TYPE_CHECKING:
    import argparse

__all__ = ["show_config", "show_pipeline", "show_run", "show_tasks"]


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


def show_run(options: argparse.Namespace) -> int:
    """Print what became of the objects of a finished run, or the parents with one reason."""
    run = open_run(options.folder)
    if options.reason is not None:
        rows = RunSummary.of_objects(run.objects).with_reason(options.reason)
        for parent in sorted({parent for row in rows for parent in row.parents}):
            say(str(parent))
        return 0
    runs = list(run.patches.values()) if isinstance(run, PatchRun) else [run]
    counts = Counter[str]()
    for one in runs:
        counts.update(one.record.counts)
    last = max(one.record.created for one in runs)
    what = f"{len(runs)} patches were done" if isinstance(run, PatchRun) else f"the run was {runs[0].record.outcome}"
    say(
        f"{counted(counts['objects'], 'object')} ({counts['isolated']} isolated) in "
        f"{counted(counts['parents'], 'parent')}; {what}, finished {last:%Y-%m-%d %H:%M} UTC"
    )
    for line in outcome_lines(run.objects, counts):
        say(line)
    return 0
