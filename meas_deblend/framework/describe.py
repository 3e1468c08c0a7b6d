"""What a pipeline is, in words: rows for tables, and the tables."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

from .difference import differences
from .dump import dump_yaml
from .graph import external_inputs
from .marks import yaml_value
from .pipeline import Pipeline

__all__ = [
    "HistoryRow",
    "TaskRow",
    "history_rows",
    "render_table",
    "show_config",
    "show_differences",
    "show_history",
    "show_pipeline",
    "show_tasks",
    "task_rows",
]


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One task of a pipeline: its label, its classes, and the names of its datasets."""

    label: str
    task: str
    config: str
    inputs: str
    outputs: str


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One layer that set a field, low to high; the last row of a field counts."""

    field: str
    value: str
    layer: str
    file: str
    line: str


def task_rows(pipeline: Pipeline) -> tuple[TaskRow, ...]:
    """Return what there is to say of each task, in the order in which they run."""
    return tuple(
        TaskRow(
            task.label,
            task.task_class.__name__,
            type(task.resolved.config).__name__,
            ", ".join(f"[{item.dataset}]" if item.optional else item.dataset for item in task.inputs),
            ", ".join(f"[{item.dataset}]" if item.optional else item.dataset for item in task.outputs),
        )
        for task in pipeline.tasks
    )


def history_rows(pipeline: Pipeline, label: str, field: str) -> tuple[HistoryRow, ...]:
    """Return who set a field, low to high.

    Raises
    ------
    PipelineError
        No such label.
    ConfigError
        No such field.
    """
    return tuple(
        HistoryRow(
            setting.field,
            yaml_value(setting.value),
            setting.origin.layer,
            setting.origin.file or "",
            "" if setting.origin.line is None else str(setting.origin.line),
        )
        for setting in pipeline.task(label).resolved.history(field)
    )


def render_table(rows: Sequence[TaskRow] | Sequence[HistoryRow], *, markdown: bool = False) -> str:
    """Return rows as a table with the names of their fields on top.

    Parameters
    ----------
    rows : sequence of TaskRow or HistoryRow
        At least one.
    markdown : bool
        Whether to draw it as Markdown, for a README.
    """
    table = [[item.name for item in fields(rows[0])], *([str(cell) for cell in astuple(row)] for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in table]
    padded.insert(1, ["-" * width for width in widths])
    if markdown:
        return "\n".join(f"| {' | '.join(line)} |" for line in padded)
    return "\n".join("  ".join(line).rstrip() for line in padded)


def show_tasks(pipeline: Pipeline, *, markdown: bool = False) -> str:
    """Return the table of a pipeline's tasks; datasets in brackets are optional."""
    return render_table(task_rows(pipeline), markdown=markdown)


def show_config(pipeline: Pipeline, label: str | None = None) -> str:
    """Return resolved configs as YAML with comments: of one task, or of all.

    Raises
    ------
    PipelineError
        No such label.
    """
    tasks = pipeline.tasks if label is None else (pipeline.task(label),)
    return dump_yaml(*(task.resolved for task in tasks))


def show_differences(pipeline: Pipeline, other: Pipeline, name: str, label: str | None = None) -> str:
    """Return the settings of a pipeline that are not those of another, as YAML with comments.

    What is returned can be read as a ``-C`` file: on top of ``other`` it gives the settings of ``pipeline``.

    Parameters
    ----------
    pipeline, other : Pipeline
        Pipelines with tasks of the same labels.
    name : str
        What the other is called, for the comments.
    label : str, optional
        Settings of this task alone.

    Raises
    ------
    PipelineError
        No such label.
    """
    tasks = pipeline.tasks if label is None else (pipeline.task(label),)
    found = differences(pipeline, other, name)
    found = {task.label: found[task.label] for task in tasks if found.get(task.label)}
    if not found:
        return f"# All settings are those of {name}.\n"
    return dump_yaml(*(task.resolved for task in tasks), only=found)


def show_history(pipeline: Pipeline, label: str, field: str) -> str:
    """Return the table of who set a field."""
    return render_table(history_rows(pipeline, label, field))


def show_pipeline(pipeline: Pipeline) -> str:
    """Return what a pipeline does: description, inputs, each task with its datasets, subsets."""
    lines = [f"{pipeline.name}: {pipeline.description}", "", "inputs"]
    for dataset, takers in external_inputs(pipeline.tasks).items():
        _, item = takers[0]
        optional = " (optional)" if all(connection.optional for _, connection in takers) else ""
        lines.append(f"  {dataset}: {item.storage}{optional}, {item.doc}")
    for task in pipeline.tasks:
        lines += ["", f"{task.label}: {task.task_class.__module__}.{task.task_class.__qualname__}"]
        for sign, connections in (("<-", task.inputs), ("->", task.outputs)):
            for item in connections:
                optional = " (optional)" if item.optional else ""
                place = f" per {', '.join(item.dimensions)}" if item.dimensions else ""
                lines.append(f"  {sign} {item.dataset}: {item.storage}{place}{optional}, {item.doc}")
    if pipeline.subsets:
        lines += ["", "subsets"]
        lines += [
            f"  {name}: {', '.join(subset.labels)}{f' ({subset.description})' if subset.description else ''}"
            for name, subset in pipeline.subsets.items()
        ]
    return "\n".join(lines)
