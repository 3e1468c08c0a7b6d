"""The graph of tasks and datasets: who makes what, and in which order tasks run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .._names import listing, suggestion
from ..exceptions import PipelineError
from .connections import Connection
from .resolve import ResolvedConfig
from .task import PipelineTask

__all__ = ["WiredTask", "check_inputs", "external_inputs", "producers", "sort_tasks", "wire"]


@dataclass(frozen=True, slots=True)
class WiredTask:
    """A task of a pipeline with its config and the names of its datasets.

    Parameters
    ----------
    label : str
        Name in the pipeline.
    task_class : type of PipelineTask
        What runs.
    resolved : ResolvedConfig
        Its config and who set what.
    inputs, outputs : tuple of Connection
        Its connections; ``dataset`` is the name after renaming.
    """

    label: str
    task_class: type[PipelineTask[Any]]
    resolved: ResolvedConfig[Any]
    inputs: tuple[Connection, ...]
    outputs: tuple[Connection, ...]

    def make_task(self) -> PipelineTask[Any]:
        """Return a new instance of the task with its config and label."""
        return self.task_class(self.resolved.config, label=self.label)


def wire(task_class: type[PipelineTask[Any]], resolved: ResolvedConfig[Any]) -> WiredTask:
    """Return a task with the datasets that its config's ``connections`` rename."""

    def renamed(connections: Sequence[Connection]) -> tuple[Connection, ...]:
        """Return the connections with the datasets that the definition gives them."""
        names = resolved.connections
        return tuple(replace(item, dataset=names.get(item.name, item.dataset)) for item in connections)

    declared = task_class.connections
    return WiredTask(resolved.label, task_class, resolved, renamed(declared.inputs), renamed(declared.outputs))


def producers(tasks: Sequence[WiredTask]) -> Mapping[str, tuple[WiredTask, Connection]]:
    """Return who makes each dataset.

    Raises
    ------
    PipelineError
        Two outputs have the same dataset name.
    """
    found: dict[str, tuple[WiredTask, Connection]] = {}
    for task in tasks:
        for output in task.outputs:
            if output.dataset in found:
                other, connection = found[output.dataset]
                raise PipelineError(
                    f"the dataset '{output.dataset}' has two producers: '{other.label}' (output '{connection.name}') "
                    f"and '{task.label}' (output '{output.name}'); rename one with connections.<name>"
                )
            found[output.dataset] = (task, output)
    return found


def sort_tasks(tasks: Sequence[WiredTask]) -> tuple[WiredTask, ...]:
    """Return the tasks in an order in which each runs after those that make its inputs.

    Among tasks that may run, the order given is kept.

    Raises
    ------
    PipelineError
        Two producers of one dataset, a cycle, or a producer and a consumer that disagree on the type of a dataset.
    """
    made_by = producers(tasks)
    _check_storage(tasks, made_by)
    before = {
        task.label: {made_by[item.dataset][0].label for item in task.inputs if item.dataset in made_by}
        for task in tasks
    }
    done: list[WiredTask] = []
    waiting = list(tasks)
    while waiting:
        finished = {task.label for task in done}
        ready = next((task for task in waiting if before[task.label] <= finished), None)
        if ready is None:
            raise PipelineError(_cycle_message(waiting, made_by))
        done.append(ready)
        waiting.remove(ready)
    return tuple(done)


def external_inputs(tasks: Sequence[WiredTask]) -> Mapping[str, tuple[tuple[WiredTask, Connection], ...]]:
    """Return the datasets that no task makes, and who takes them."""
    made = producers(tasks)
    found: dict[str, tuple[tuple[WiredTask, Connection], ...]] = {}
    for task in tasks:
        for item in task.inputs:
            if item.dataset not in made:
                found[item.dataset] = (*found.get(item.dataset, ()), (task, item))
    return found


def check_inputs(tasks: Sequence[WiredTask], given: Sequence[str]) -> None:
    """Refuse to start without a dataset that some task needs, or with one that a task makes or nobody takes.

    Raises
    ------
    PipelineError
        The message names dataset, task and connection, and what was given.
    """
    made, external = producers(tasks), external_inputs(tasks)
    for dataset, takers in external.items():
        needed = [(task, item) for task, item in takers if not item.optional]
        if dataset not in given and needed:
            task, item = needed[0]
            raise PipelineError(
                f"the dataset '{dataset}' is missing: '{task.label}' needs it as its input '{item.name}' ({item.doc}), "
                f"and no task makes it. Given: {listing(given)}"
            )
    for dataset in given:
        if dataset in made:
            raise PipelineError(f"the dataset '{dataset}' was given, but '{made[dataset][0].label}' makes it")
        if dataset not in external:
            raise PipelineError(
                f"no task takes the dataset '{dataset}'{suggestion(dataset, external)} Inputs: {listing(external)}"
            )


def _check_storage(tasks: Sequence[WiredTask], made_by: Mapping[str, tuple[WiredTask, Connection]]) -> None:
    for task in tasks:
        for item in task.inputs:
            maker, output = made_by.get(item.dataset, (task, item))
            if output.storage != item.storage:
                raise PipelineError(
                    f"'{maker.label}' makes the dataset '{item.dataset}' as {output.storage}, but '{task.label}' takes "
                    f"it as {item.storage} (input '{item.name}')"
                )


def _cycle_message(waiting: Sequence[WiredTask], made_by: Mapping[str, tuple[WiredTask, Connection]]) -> str:
    """Follow makers back until a task comes up again: all tasks left have a maker among those left."""
    labels = {task.label for task in waiting}
    task, steps, seen = waiting[0], list[str](), list[str]()
    while task.label not in seen:
        seen.append(task.label)
        maker, item = next(
            (made_by[item.dataset][0], item)
            for item in task.inputs
            if item.dataset in made_by and made_by[item.dataset][0].label in labels
        )
        steps.append(f"'{task.label}' needs '{item.dataset}' from '{maker.label}'")
        task = maker
    return "the tasks wait for each other: " + ", ".join(steps[seen.index(task.label) :])
