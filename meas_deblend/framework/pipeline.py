"""Pipelines: a definition with its classes loaded, its configs resolved, and its tasks in order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .._names import listing, suggestion
from ..exceptions import PipelineError
from .classes import load_task_class, tuning_fields
from .definition import (
    PipelineDefinition,
    Subset,
    known_labels,
    read_definition,
)
from .graph import WiredTask, external_inputs, sort_tasks, wire
from .layers import Layer, check_labels
from .resolve import resolve_config, survey_layer

__all__ = ["Pipeline", "build_pipeline", "load_pipeline"]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Tasks that are ready to run.

    Parameters
    ----------
    name : str
        Name of the definition.
    description : str
        What it does.
    tasks : tuple of WiredTask
        In an order in which they may run.
    subsets : mapping of str to Subset
        Named parts.
    """

    name: str
    description: str
    tasks: tuple[WiredTask, ...]
    subsets: Mapping[str, Subset]

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the tasks, in order."""
        return tuple(task.label for task in self.tasks)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Datasets that no task makes, optional ones included."""
        return tuple(external_inputs(self.tasks))

    def task(self, label: str) -> WiredTask:
        """Return a task by its label.

        Raises
        ------
        PipelineError
            No such label; the message lists them.
        """
        for task in self.tasks:
            if task.label == label:
                return task
        raise PipelineError(
            f"the pipeline '{self.name}' has no task labelled '{label}'{suggestion(label, self.labels)} "
            f"Labels: {listing(self.labels)}"
        )

    def only(self, names: Iterable[str]) -> "Pipeline":
        """Return the pipeline with some of its tasks; names are labels or subsets.

        Raises
        ------
        PipelineError
            A name is neither.
        """
        wanted: set[str] = set()
        for name in names:
            wanted.update(self.subsets[name].labels if name in self.subsets else (self._known(name),))
        return replace(self, tasks=tuple(task for task in self.tasks if task.label in wanted))

    def _known(self, name: str) -> str:
        if name not in self.labels:
            known = [*self.labels, *self.subsets]
            raise PipelineError(
                f"'{name}' is neither a label nor a subset of the pipeline '{self.name}'{suggestion(name, known)} "
                f"Labels: {listing(self.labels)}. Subsets: {listing(self.subsets)}"
            )
        return name


def load_pipeline(
    name_or_path: str | Path, *, survey: str | Path | None = None, layers: Sequence[Layer] = ()
) -> Pipeline:
    """Read a definition and make it ready to run; see `build_pipeline`."""
    return build_pipeline(read_definition(name_or_path), survey=survey, layers=layers)


def build_pipeline(
    definition: PipelineDefinition, *, survey: str | Path | None = None, layers: Sequence[Layer] = ()
) -> Pipeline:
    """Load the classes of a definition, resolve their configs, and put the tasks in order.

    Parameters
    ----------
    definition : PipelineDefinition
        What runs, and how it is wired.
    survey : str or path, optional
        A shipped survey by name, or a folder: its ``<label>.yaml`` lie below the definition.
    layers : sequence of Layer
        The user's settings, low to high; they lie above the definition.

    Returns
    -------
    Pipeline
        Ready to run.

    Raises
    ------
    PipelineError
        A class cannot be loaded, the definition tunes, or the tasks cannot be wired.
    ConfigError
        A setting does not fit.
    """
    labels = tuple(definition.tasks)
    classes = {label: load_task_class(task) for label, task in definition.tasks.items()}
    tuned = tuning_fields(definition)
    if tuned:
        raise PipelineError(
            f"{definition.file}: a definition holds wiring (connections.<name>) and registry choices (<field>.name) "
            f"only, but this one sets {listing(tuned)}; tuning belongs into config/<survey>/<label>.yaml or a -C file"
        )
    for layer in layers:
        check_labels(layer, labels)
    known = tuple(dict.fromkeys((*labels, *known_labels())))
    low = [] if survey is None else [survey_layer(survey, labels, known)]
    order = [*low, definition.layer(), *layers]
    tasks = [
        wire(cls, resolve_config(label, cls.ConfigClass, order, cls.connections.names))
        for label, cls in classes.items()
    ]
    return Pipeline(definition.name, definition.description, sort_tasks(tasks), definition.subsets)
