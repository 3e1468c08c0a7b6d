"""Pipeline definitions: YAML files in the dialect of Rubin's pipelines, which say what runs and how it is wired."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources.abc import Traversable
from pathlib import Path

from .._names import SNAKE_CASE, listing, suggestion
from ..exceptions import ConfigError, PipelineError
from ..shipped import shipped_folder
from .layers import DEFINITION, Layer
from .marks import Leaf, Node, Origin, Section, read_yaml

__all__ = [
    "PipelineDefinition",
    "Subset",
    "TaskDefinition",
    "find_pipeline",
    "known_labels",
    "read_definition",
    "shipped_pipelines",
]


@dataclass(frozen=True, slots=True)
class TaskDefinition:
    """One entry of ``tasks:``.

    Parameters
    ----------
    label : str
        Name in the pipeline, snake_case.
    class_path : str
        Dotted path of the PipelineTask.
    config : Section
        The ``config:`` block: wiring and registry choices.
    origin : Origin
        Where it stands.
    """

    label: str
    class_path: str
    config: Section
    origin: Origin


@dataclass(frozen=True, slots=True)
class Subset:
    """A named part of a pipeline.

    Parameters
    ----------
    labels : tuple of str
        Its tasks.
    description : str
        What it is for.
    """

    labels: tuple[str, ...]
    description: str


@dataclass(frozen=True, slots=True)
class PipelineDefinition:
    """What a definition file says; no task is loaded yet.

    Parameters
    ----------
    name : str
        Name of the file without its suffix.
    description : str
        What the pipeline does.
    tasks : mapping of str to TaskDefinition
        By label, in the order of the file.
    subsets : mapping of str to Subset
        By name.
    file : str
        The file.
    """

    name: str
    description: str
    tasks: Mapping[str, TaskDefinition]
    subsets: Mapping[str, Subset]
    file: str

    def layer(self) -> Layer:
        """Return the ``config:`` blocks as a layer of settings."""
        return Layer(DEFINITION, {label: task.config for label, task in self.tasks.items()})


def shipped_pipelines() -> tuple[str, ...]:
    """Return the names of the pipelines that come with the package, sorted."""
    entries = shipped_folder("pipelines").iterdir()
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in entries if entry.name.endswith(".yaml")))


def find_pipeline(name_or_path: str | Path) -> Traversable:
    """Return the file of a pipeline: a shipped one by its name, another by its path.

    Parameters
    ----------
    name_or_path : str or path
        A path, or text that ends in ``.yaml`` or has a ``/`` in it, is a file; other text is a name.

    Raises
    ------
    PipelineError
        There is no such file, or no pipeline of this name; the message lists the names.
    """
    if isinstance(name_or_path, Path) or "/" in name_or_path or name_or_path.endswith((".yaml", ".yml")):
        path = Path(name_or_path)
        if not path.is_file():
            raise PipelineError(f"{path}: there is no such pipeline definition")
        return path
    names = shipped_pipelines()
    if name_or_path not in names:
        raise PipelineError(
            f"there is no pipeline '{name_or_path}'{suggestion(name_or_path, names)} Pipelines: {listing(names)}; "
            "a file is given by its path"
        )
    return shipped_folder("pipelines") / f"{name_or_path}.yaml"


def known_labels() -> tuple[str, ...]:
    """Return the labels of all shipped pipelines, sorted."""
    return _labels_of(shipped_pipelines())


@cache
def _labels_of(names: tuple[str, ...]) -> tuple[str, ...]:
    # A run of many patches asks for each of them, and what is shipped stays as it is.
    return tuple(sorted({label for name in names for label in read_definition(name).tasks}))


def read_definition(name_or_path: str | Path) -> PipelineDefinition:
    """Read a definition; its task classes are not loaded.

    Raises
    ------
    PipelineError
        The file is not there, or is not a definition; the message gives file and line.
    """
    file = find_pipeline(name_or_path)
    try:
        root = read_yaml(file, DEFINITION)
    except ConfigError as error:
        raise PipelineError(str(error)) from error
    entries = _mapping(root, "a pipeline definition", ("description", "tasks", "subsets"))
    if "tasks" not in entries or "description" not in entries:
        raise PipelineError(f"{file}: a pipeline definition needs a description and tasks")
    tasks = {label: _task(label, node) for label, node in _mapping(entries["tasks"], "tasks").items()}
    subsets = {
        name: _subset(name, node, tuple(tasks))
        for name, node in (_mapping(entries["subsets"], "subsets") if "subsets" in entries else {}).items()
    }
    description = _text(entries["description"], "description")
    name = file.name.rpartition(".")[0]
    return PipelineDefinition(name, description, tasks, subsets, str(file))


def _task(label: str, node: Node) -> TaskDefinition:
    if not SNAKE_CASE.fullmatch(label):
        raise PipelineError(f"{node.origin}: the label '{label}' is not snake_case")
    if isinstance(node, Leaf):
        return TaskDefinition(label, _text(node, f"the class of '{label}'"), Section({}, node.origin), node.origin)
    entries = _mapping(node, f"task '{label}'", ("class", "config"))
    if "class" not in entries:
        raise PipelineError(f"{node.origin}: task '{label}' has no class")
    config = entries.get("config", Section({}, node.origin))
    if not isinstance(config, Section):
        raise PipelineError(f"{config.origin}: the config of '{label}' must be a mapping from fields to values")
    return TaskDefinition(label, _text(entries["class"], f"the class of '{label}'"), config, node.origin)


def _subset(name: str, node: Node, labels: tuple[str, ...]) -> Subset:
    entries = _mapping(node, f"subset '{name}'", ("subset", "description"))
    members = entries.get("subset")
    if not isinstance(members, Leaf) or not isinstance(members.value, list):
        raise PipelineError(f"{node.origin}: subset '{name}' needs a list of labels: subset: [label, ...]")
    for member in members.value:
        if member not in labels:
            near = suggestion(str(member), labels)
            raise PipelineError(
                f"{members.origin}: subset '{name}' has '{member}', which is no label{near} Labels: {listing(labels)}"
            )
    description = _text(entries["description"], "description") if "description" in entries else ""
    return Subset(tuple(members.value), description)


def _mapping(node: Node, what: str, allowed: tuple[str, ...] | None = None) -> Mapping[str, Node]:
    if isinstance(node, Leaf):
        raise PipelineError(f"{node.origin}: {what} must be a mapping, not {node.value!r}")
    for name, child in node.children.items():
        if allowed is not None and name not in allowed:
            raise PipelineError(
                f"{child.origin}: {what} has the unknown key '{name}'{suggestion(name, allowed)} "
                f"Keys: {listing(allowed)}"
            )
    return node.children


def _text(node: Node, what: str) -> str:
    if not isinstance(node, Leaf) or not isinstance(node.value, str) or not node.value.strip():
        raise PipelineError(f"{node.origin}: {what} must be text")
    return " ".join(node.value.split())
