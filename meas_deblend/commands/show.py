"""``meas-deblend show``: tasks, settings and pipelines as text."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import framework
from .._phrases import counted
from ..access import PatchRun, open_run
from ..access.summary import RunSummary
from ..exceptions import ConfigError
from ..framework.fields import walk_fields
from ..framework.layers import plain
from ..framework.marks import yaml_value
from ..image import Survey, load_survey
from ._settings import layers_of, say, shown_warnings
from ._summary import outcome_lines

if TYPE_CHECKING:
    import argparse

__all__ = ["show_config", "show_pipeline", "show_run", "show_survey", "show_tasks"]


def show_tasks(options: argparse.Namespace) -> int:
    """Print the table of the tasks of all shipped pipelines."""
    del options
    for name in framework.shipped_pipelines():
        pipeline = framework.load_pipeline(name)
        say(f"{name}: {pipeline.description}\n")
        say(framework.show_tasks(pipeline) + "\n")
    return 0


def show_config(options: argparse.Namespace) -> int:
    """Print resolved settings, who set one field, what differs from other settings, or the schema of a file."""
    with shown_warnings():
        pipeline = framework.load_pipeline(options.pipeline, survey=options.survey, layers=layers_of(options))
        if options.history:
            if options.label is None:
                raise ConfigError("--history needs the task's label: show config LABEL --history FIELD")
            text = framework.show_history(pipeline, options.label, options.history)
        elif options.schema:
            text = _json(framework.settings_schema(pipeline, options.label))
        elif options.diff:
            text = framework.show_differences(pipeline, _other(options), options.diff, options.label)
        else:
            text = framework.show_config(pipeline, options.label)
    say(text.rstrip())
    return 0


def show_survey(options: argparse.Namespace) -> int:
    """Print how a survey's images are read, or the schema of survey.yaml."""
    say(_json(framework.model_schema(Survey)) if options.schema else _survey_yaml(load_survey(options.name)))
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


def _other(options: argparse.Namespace) -> framework.Pipeline:
    """Return the pipeline that is compared with: as it is, with a survey, or with the settings of a finished run."""
    if options.diff == "default":
        return framework.load_pipeline(options.pipeline)
    stored = Path(options.diff) / "config"
    if not (Path(options.diff) / "run.json").is_file():
        return framework.load_pipeline(options.pipeline, survey=options.diff)
    labels = framework.read_definition(options.pipeline).tasks
    files = [stored / f"{label}.yaml" for label in labels if (stored / f"{label}.yaml").is_file()]
    return framework.load_pipeline(options.pipeline, layers=[framework.layer_from_file(file) for file in files])


def _json(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=1, ensure_ascii=False)


def _survey_yaml(survey: Survey) -> str:
    lines = []
    for field in walk_fields(survey):
        if "." in field.path or field.info is None:
            continue
        lines += [f"# {line}" for line in textwrap.wrap(field.info.description or "", 108)]
        lines.append(f"{field.path}: {yaml_value(plain(field.value))}")
    return "\n".join(lines)
