"""Layers of settings, merged once.

In one sentence, low to high: class defaults, then ``config/<survey>/<label>.yaml``, then the ``config:`` block of
the pipeline definition, then the user's ``-C`` files in order, then ``-c``. Set is set, even when equal to the
default. Settings are merged key by key; a list is one value.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePath

from pydantic import BaseModel

from .._names import listing, suggestion
from ..exceptions import ConfigError
from .marks import Leaf, Node, Origin, Section, parse_yaml, read_yaml

__all__ = [
    "CLASS_DEFAULTS",
    "COMMAND_LINE",
    "DEFINITION",
    "SURVEY",
    "USER_FILE",
    "Layer",
    "Setting",
    "check_labels",
    "descend",
    "history",
    "layer_from_assignment",
    "layer_from_dict",
    "layer_from_file",
    "merge",
    "plain",
    "tree_values",
]

CLASS_DEFAULTS = "class defaults"
SURVEY = "survey"
DEFINITION = "pipeline definition"
USER_FILE = "user file"
COMMAND_LINE = "command line"
ARGUMENT = "argument config"

_ASSIGNMENT = re.compile(r"(?P<label>\w+):(?P<field>\w+(\.\w+)*)=(?P<value>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Layer:
    """Settings from one source, for any number of labels.

    Parameters
    ----------
    name : str
        What kind of source it is; the origin of each value says which file and line.
    labels : mapping of str to Section
        The settings of each task, by its label.
    """

    name: str
    labels: Mapping[str, Section]


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of a field's history: what a layer set it to.

    Parameters
    ----------
    field : str
        Dotted path of the field.
    value : object
        What was set.
    origin : Origin
        Layer, file and line.
    """

    field: str
    value: object
    origin: Origin


def layer_from_file(path: Path | str, name: str = USER_FILE) -> Layer:
    """Read a YAML file with labels at its top level, such as ``multi_band: {fit: {max_iter: 50}}``.

    Raises
    ------
    ConfigError
        When the file cannot be read, is not valid YAML, or has no labels at its top level.
    """
    return _layer(name, read_yaml(Path(path), name))


def layer_from_assignment(text: str) -> Layer:
    """Parse one ``label:field.sub=value`` of the command line; the value is YAML.

    Raises
    ------
    ConfigError
        When the text has another form or the value is not valid YAML.
    """
    match = _ASSIGNMENT.fullmatch(text)
    if match is None or not match["value"].strip():
        raise ConfigError(
            f"{COMMAND_LINE}: {text!r} is not a setting; the form is label:field.sub=value, "
            "for example multi_band:fit.max_iter=50"
        )
    origin = Origin(COMMAND_LINE)
    node: Node = parse_yaml(match["value"], origin)
    for name in reversed(match["field"].split(".")):
        node = Section({name: node}, origin)
    return _layer(COMMAND_LINE, Section({match["label"]: node}, origin))


def layer_from_dict(settings: Mapping[str, object], name: str = ARGUMENT) -> Layer:
    """Make a layer of plain Python values with labels at its top level.

    Values may also be enums, paths, numpy scalars and pydantic models; of a model, only what was set counts.

    Raises
    ------
    ConfigError
        When a value cannot be written as plain data, or a label's settings are not a mapping.
    """
    return _layer(name, _node_from(settings, Origin(name)))


def merge(low: Node, high: Node) -> Node:
    """Return the two trees as one: sections are merged key by key, anything else is replaced by ``high``."""
    if not (isinstance(low, Section) and isinstance(high, Section)):
        return high
    children = dict(low.children)
    for name, node in high.children.items():
        children[name] = merge(children[name], node) if name in children else node
    return Section(children, high.origin)


def history(roots: Iterable[Section], field: str) -> tuple[Setting, ...]:
    """Return what each tree says about a field, in the order of the trees.

    A value in the place of a section above the field, such as ``fit: null`` for ``fit.max_iter``, replaces the
    section and is therefore part of the history. Of a field that is a mapping, such as a threshold per band, each
    tree's own entries are returned together.
    """
    found = (_find(root, field.split(".")) for root in roots)
    return tuple(setting for setting in found if setting is not None)


def descend(node: Node, field: str) -> Node | None:
    """Return what a tree has at a dotted path, or None."""
    for name in field.split("."):
        if isinstance(node, Leaf) or name not in node.children:
            return None
        node = node.children[name]
    return node


def tree_values(node: Node) -> object:
    """Return a tree as nested dicts of its values, without origins."""
    if isinstance(node, Leaf):
        return node.value
    return {name: tree_values(child) for name, child in node.children.items()}


def check_labels(layer: Layer, known: Sequence[str]) -> None:
    """Refuse a layer that sets something for a label that does not exist.

    Raises
    ------
    ConfigError
        The message lists the labels and names the nearest.
    """
    for label, section in layer.labels.items():
        if label not in known:
            raise ConfigError(
                f"there is no task labelled '{label}'{suggestion(label, known)} Labels: {listing(known)}. "
                f"Set by {section.origin}."
            )


def plain(value: object) -> object:
    """Return a value as YAML knows it: None, bool, int, float, str, and lists and dicts of these.

    Raises
    ------
    TypeError
        When the value is of another kind.
    """
    if isinstance(value, BaseModel):
        return {name: plain(item) for name, item in value}
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=str)
    return _plain_scalar(value)


def _plain_scalar(value: object) -> object:
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, PurePath):
        return str(value)
    if value is None or type(value) in (bool, int, float, str):
        return value
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    item = getattr(value, "item", None)  # numpy's scalars; the framework does not import numpy
    if callable(item) and type(item()) in (bool, int, float, str):
        return item()
    raise TypeError(f"{value!r} of type {type(value).__name__} is not plain data")


def _layer(name: str, root: Node) -> Layer:
    if not isinstance(root, Section):
        raise ConfigError(f"{root.origin}: labels of tasks are expected at the top level, not {root.value!r}")
    labels: dict[str, Section] = {}
    for label, node in root.children.items():
        if isinstance(node, Leaf) and node.value is not None:
            raise ConfigError(f"{node.origin}: '{label}' needs settings below it, not the value {node.value!r}")
        # A label whose settings are all commented out has the value null: it sets nothing.
        labels[label] = node if isinstance(node, Section) else Section({}, node.origin)
    return Layer(name, labels)


def _node_from(value: object, origin: Origin) -> Node:
    if isinstance(value, BaseModel):
        value = {name: item for name, item in value if name in value.model_fields_set}
    if isinstance(value, Mapping):
        root: Node = Section({}, origin)
        for key, item in value.items():
            node = _node_from(item, origin)
            for name in reversed(str(plain(key)).split(".")):
                node = Section({name: node}, origin)
            root = merge(root, node)
        return root
    try:
        return Leaf(plain(value), origin)
    except TypeError as error:
        raise ConfigError(f"{origin}: {error}") from error


def _find(node: Node, path: Sequence[str]) -> Setting | None:
    for depth, name in enumerate(path):
        if isinstance(node, Leaf):
            return Setting(".".join(path[:depth]), node.value, node.origin)
        if name not in node.children:
            return None
        node = node.children[name]
    return Setting(".".join(path), tree_values(node), node.origin)
