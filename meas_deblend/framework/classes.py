"""From the class that a definition names to the class, and what a definition may say about it."""

import importlib
from collections.abc import Iterator
from typing import Any

from .._names import suggestion
from ..exceptions import PipelineError
from .config import registry_fields
from .definition import PipelineDefinition, TaskDefinition
from .marks import Leaf, Node
from .resolve import CONNECTIONS
from .task import PipelineTask

__all__ = ["load_task_class", "tuning_fields"]


def load_task_class(task: TaskDefinition) -> type[PipelineTask[Any]]:
    """Import the class that a definition names.

    Raises
    ------
    PipelineError
        No such module, no such class in it, or it is not a PipelineTask. An error inside the module that is
        imported is named, too.
    """
    where = f"{task.origin}: task '{task.label}': class {task.class_path}"
    module_name, _, class_name = task.class_path.rpartition(".")
    if not module_name:
        raise PipelineError(f"{where}: a dotted path, package.module.Class, is needed")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise PipelineError(f"{where}: the module '{module_name}' cannot be imported: {error}") from error
    found = getattr(module, class_name, None)
    if found is None:
        near = suggestion(class_name, vars(module))
        raise PipelineError(f"{where}: the module '{module_name}' has no '{class_name}'{near}")
    if not (isinstance(found, type) and issubclass(found, PipelineTask)):
        raise PipelineError(f"{where}: this is not a PipelineTask")
    return found


def tuning_fields(definition: PipelineDefinition) -> tuple[str, ...]:
    """Return what a definition must not set, as ``label:field``: all but connections and registry choices.

    A definition beats the survey's settings, so tuning in it could not be changed for a survey.
    """
    found: list[str] = []
    for label, task in definition.tasks.items():
        choices = {f"{field}.name" for field in registry_fields(load_task_class(task).ConfigClass)}
        for path in _leaf_paths(task.config):
            if not path.startswith(f"{CONNECTIONS}.") and path not in choices:
                found.append(f"{label}:{path}")
    return tuple(found)


def _leaf_paths(node: Node, prefix: str = "") -> Iterator[str]:
    if isinstance(node, Leaf):
        yield prefix
        return
    for name, child in node.children.items():
        yield from _leaf_paths(child, f"{prefix}.{name}" if prefix else name)
