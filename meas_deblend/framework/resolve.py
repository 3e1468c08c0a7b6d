"""From layers of settings to a config: merged once, validated once, with the history of each field."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Generic, TypeVar, cast

from pydantic import BaseModel, ValidationError

from .._names import listing, suggestion
from ..exceptions import ConfigError
from ..shipped import shipped_folder
from .config import Config
from .config_errors import error_message, field_paths, unknown_field_message
from .fields import defaults_tree, field_default, validate_strictly, walk_fields
from .former_names import present_path, with_present_names
from .layers import CLASS_DEFAULTS, SURVEY, Layer, Setting, descend, history, merge, plain, tree_values
from .marks import Leaf, Node, Origin, Section, read_yaml

__all__ = ["CONNECTIONS", "ResolvedConfig", "resolve_config", "survey_layer"]

ConfigT = TypeVar("ConfigT", bound=Config)

CONNECTIONS = "connections"


@dataclass(frozen=True, slots=True)
class ResolvedConfig(Generic[ConfigT]):
    """A task's config, and who set what.

    Parameters
    ----------
    label : str
        The task's label.
    config : Config
        The validated config.
    connections : mapping of str to str
        Dataset names of the connections that were renamed.
    trees : tuple of Section
        What each layer says about this label, low to high, class defaults first.
    """

    label: str
    config: ConfigT
    connections: Mapping[str, str]
    trees: tuple[Section, ...]

    def history(self, field: str) -> tuple[Setting, ...]:
        """Return what each layer set a field to, low to high: the last one counts.

        For a section, such as ``fit``, the histories of all its fields follow one another. A field may be asked for
        by a former name; the settings have its present one.

        Raises
        ------
        ConfigError
            When there is no such field; the message names the nearest.
        """
        field = present_path(type(self.config), field)
        values = self._values()
        leaves = [path for path, value in values.items() if not isinstance(value, BaseModel)]
        wanted = [path for path in leaves if path == field or path.startswith(f"{field}.")]
        if not wanted:
            self._check_known(field)  # an entry of a mapping
        return tuple(setting for path in wanted or [field] for setting in self._of_field(path, values))

    def histories(self) -> dict[str, tuple[Setting, ...]]:
        """Return the history of every field by its path, at the cost of looking through the config once."""
        values = self._values()
        return {path: self._of_field(path, values) for path, v in values.items() if not isinstance(v, BaseModel)}

    def _values(self) -> dict[str, object]:
        values = {entry.path: entry.value for entry in walk_fields(self.config)}
        return values | {f"{CONNECTIONS}.{name}": dataset for name, dataset in self.connections.items()}

    def _of_field(self, path: str, values: Mapping[str, object]) -> tuple[Setting, ...]:
        found = history(self.trees, path)
        if found and found[0].origin.layer == CLASS_DEFAULTS:
            return found
        # Options of a plug-in's choice are not among the class defaults: their class is not known before.
        parent, _, name = path.rpartition(".")
        default = field_default(values.get(parent, self.config), name)
        return (*(Setting(path, value, Origin(CLASS_DEFAULTS)) for value in default), *found)

    def _check_known(self, field: str) -> None:
        if descend(merged_tree(self.trees), field) is not None:
            return
        section: BaseModel = self.config
        parts = field.split(".")
        for depth, name in enumerate(parts, start=1):
            below = getattr(section, name, None)
            if not isinstance(below, BaseModel):
                known = [*field_paths(type(self.config))]
                message = unknown_field_message(".".join(parts[:depth]), type(section), known)
                raise ConfigError(f"{self.label}:{field}: {message}")
            section = below


def resolve_config(
    label: str, config_class: type[ConfigT], layers: Sequence[Layer], connections: Sequence[str] = ()
) -> ResolvedConfig[ConfigT]:
    """Merge what the layers say about a label over the class's defaults, and validate it.

    Every default is handed to the class as a value, so ``model_fields_set`` says nothing about who set what:
    `ResolvedConfig.history` does.

    Parameters
    ----------
    label : str
        The task's label.
    config_class : type of Config
        The task's config class.
    layers : sequence of Layer
        Low to high, without the class defaults. Settings of other labels are passed over.
    connections : sequence of str
        Names of the task's connections, which ``connections.<name>`` renames.

    Returns
    -------
    ResolvedConfig
        The config and its history.

    Warns
    -----
    FutureWarning
        A setting has a former name.

    Raises
    ------
    ConfigError
        A setting is unknown, of the wrong type, out of range, or does not go with others. Every such setting is
        named, with its value, what is allowed, and the file and line that set it.
    """
    found = (layer.labels.get(label) for layer in layers)
    given = (with_present_names(label, config_class, tree) for tree in found if tree is not None)
    trees = (defaults_tree(config_class), *given)
    merged = merged_tree(trees)
    wiring = merged.children.get(CONNECTIONS)
    settings = Section({name: node for name, node in merged.children.items() if name != CONNECTIONS}, merged.origin)
    renamed = {} if wiring is None else _renamed(label, wiring, connections)
    try:
        config = validate_strictly(config_class, cast("Mapping[str, object]", plain(tree_values(settings))))
    except ValidationError as error:
        raise ConfigError(error_message(label, config_class, settings, error)) from error
    return ResolvedConfig(label, config, renamed, trees)


def merged_tree(trees: Sequence[Section]) -> Section:
    """Return the trees as one, the last on top."""
    merged: Node = trees[0]
    for tree in trees[1:]:
        merged = merge(merged, tree)
    return cast("Section", merged)


def survey_layer(survey: str | Path, labels: Sequence[str], known: Sequence[str]) -> Layer:
    """Read what a survey changes: ``<label>.yaml`` in its folder. ``survey.yaml`` is not about a task.

    Parameters
    ----------
    survey : str or path
        The name of a shipped survey, or a folder: a path, or text with a ``/`` in it. A file ``survey.yaml`` stands
        for its folder; a file of another name brings no settings of tasks.
    labels : sequence of str
        Labels whose settings are wanted.
    known : sequence of str
        Labels of all pipelines: a file for none of them is an error.

    Returns
    -------
    Layer
        The survey's settings.

    Raises
    ------
    ConfigError
        No such survey, or a file that is for no task.
    """
    found: dict[str, Section] = {}
    folder = _survey_folder(survey)
    for file in sorted(() if folder is None else folder.iterdir(), key=lambda entry: entry.name):
        label, dot, suffix = file.name.partition(".")
        if dot + suffix not in (".yaml", ".yml") or label == "survey":
            continue
        if label not in known:
            raise ConfigError(
                f"{file}: no pipeline has a task labelled '{label}'{suggestion(label, known)} Labels: {listing(known)}"
            )
        if label in labels:
            node = read_yaml(file, SURVEY)
            if isinstance(node, Leaf):
                raise ConfigError(f"{node.origin}: settings are expected, not the value {node.value!r}")
            found[label] = node
    return Layer(SURVEY, found)


def _survey_folder(survey: str | Path) -> Traversable | None:
    """Return where a survey's settings of tasks lie; None for a file of conventions that stands alone."""
    if isinstance(survey, Path) or "/" in survey or survey.endswith((".yaml", ".yml")):
        path = Path(survey).expanduser()
        if path.is_file():
            # Beside a file of another name, YAML files may be anybody's.
            return path.parent if path.name == "survey.yaml" else None
        if not path.is_dir():
            raise ConfigError(f"{path}: there is no such folder with a survey's settings")
        return path
    shipped = shipped_folder("config")
    names = sorted(entry.name for entry in shipped.iterdir() if entry.is_dir())
    if survey not in names:
        raise ConfigError(
            f"there is no survey '{survey}'{suggestion(survey, names)} Surveys: {listing(names)}; "
            "a folder of your own is given as a path with a / in it"
        )
    return shipped / survey


def _renamed(label: str, wiring: Node, connections: Sequence[str]) -> dict[str, str]:
    if isinstance(wiring, Leaf):
        raise ConfigError(f"{label}:{CONNECTIONS}: names of datasets are expected below it. Set by {wiring.origin}.")
    renamed: dict[str, str] = {}
    for name, node in wiring.children.items():
        if name not in connections:
            raise ConfigError(
                f"{label}:{CONNECTIONS}.{name}: there is no connection of this name{suggestion(name, connections)} "
                f"Connections: {listing(connections)}. Set by {node.origin}."
            )
        if not isinstance(node, Leaf) or not isinstance(node.value, str) or not node.value.isidentifier():
            raise ConfigError(f"{label}:{CONNECTIONS}.{name}: the name of a dataset is expected. Set by {node.origin}.")
        renamed[name] = node.value
    return renamed
