"""Trees of settings whose leaves remember the file and line that set them, and the YAML they are read from.

The YAML is the core schema of YAML 1.2: ``1e-4`` is a number; ``on``, ``12:30`` and dates are text. It is data
only: tags that would make Python objects are refused. A value has one line that sets it, so anchors, aliases and
keys given twice are refused, too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any, TypeAlias

import yaml

from ..exceptions import ConfigError

__all__ = ["Leaf", "Node", "Origin", "Section", "parse_yaml", "read_yaml", "yaml_value"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Who set a value.

    Parameters
    ----------
    layer : str
        Name of the layer, for example ``survey`` or ``command line``.
    file : str, optional
        The file, where there is one.
    line : int, optional
        Line in the file, 1-based.
    """

    layer: str
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        if self.file is None:
            return self.layer
        return self.file if self.line is None else f"{self.file}, line {self.line}"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value that was set, and by whom. Sequences are values, too: they are replaced whole."""

    value: object
    origin: Origin


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping from names to values and further sections."""

    children: Mapping[str, "Node"]
    origin: Origin


Node: TypeAlias = Leaf | Section

_CORE_SCHEMA: tuple[tuple[str, str, str], ...] = (
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("tag:yaml.org,2002:int", r"[-+]?(0|[1-9][0-9]*)|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "tag:yaml.org,2002:float",
        r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", "~nN"),
)


class _CoreLoader(yaml.SafeLoader):
    yaml_implicit_resolvers = {}  # noqa: RUF012 -- PyYAML's way to declare a schema; filled below, once

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse aliases, compose the rest."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # PyYAML's stubs leave it untyped
            raise yaml.composer.ComposerError(None, None, "aliases (*name) are not supported", mark)
        return super().compose_node(parent, index)


class _CoreDumper(yaml.SafeDumper):
    yaml_implicit_resolvers = {}  # noqa: RUF012 -- the same schema, so that text which looks like a number is quoted


for _tag, _pattern, _first in _CORE_SCHEMA:
    for _schema in (_CoreLoader, _CoreDumper):
        _letters = [*_first, *([""] if _tag.endswith("null") else [])]
        _schema.add_implicit_resolver(_tag, re.compile(f"^(?:{_pattern})$"), _letters)


def read_yaml(path: Traversable, layer: str) -> Node:
    """Read a YAML file; see `parse_yaml`.

    Raises
    ------
    ConfigError
        When the file cannot be read or is not valid.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error  # without the number and the path, which is named already
        raise ConfigError(f"{path}: cannot be read as a settings file: {reason}") from error
    return parse_yaml(text, Origin(layer, str(path)))


def parse_yaml(text: str, origin: Origin) -> Node:
    """Parse one YAML document into a tree.

    A dotted key is a path: ``fit.max_iter: 5`` is ``fit: {max_iter: 5}``. An empty document is an empty section.

    Parameters
    ----------
    text : str
        The document.
    origin : Origin
        Layer and file; lines are added when there is a file.

    Returns
    -------
    Node
        The tree.

    Raises
    ------
    ConfigError
        Not valid YAML, a key that is given twice or is not text, an alias, or a tag that is not plain data.
    """
    try:
        loader = _CoreLoader(text)
        node = loader.get_single_node()
        if node is None:
            return Section({}, origin)
        return _convert(loader, node, origin)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = origin if mark is None else _at(origin, mark.line)
        raise ConfigError(f"{place}: not valid settings: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{origin}: not valid settings: {error}") from error


def yaml_value(value: object) -> str:
    """Return a plain value as YAML on one line, in the schema that `parse_yaml` reads."""
    text = yaml.dump(value, Dumper=_CoreDumper, default_flow_style=True, width=float("inf"), sort_keys=False)
    return text.removesuffix("...\n").rstrip("\n")


def _at(origin: Origin, line: int) -> Origin:
    return origin if origin.file is None else Origin(origin.layer, origin.file, line + 1)


def _convert(loader: _CoreLoader, node: yaml.Node, origin: Origin) -> Node:
    origin = origin if origin.line is not None else _at(origin, node.start_mark.line)
    if not isinstance(node, yaml.MappingNode):
        value: Any = loader.construct_object(node, deep=True)
        return Leaf(value, origin)
    children: dict[str, Node] = {}
    for key_node, value_node in node.value:
        place = _at(origin, key_node.start_mark.line)
        key = key_node.value
        if key_node.tag != "tag:yaml.org,2002:str":
            raise ConfigError(f"{place}: the key {key!r} is not text; put it in quotes if it is a name")
        _insert(children, key, _convert(loader, value_node, place))
    return Section(children, origin)


def _insert(children: dict[str, Node], key: str, node: Node) -> None:
    first, dot, rest = key.partition(".")
    if not first or (dot and not rest):
        raise ConfigError(f"{node.origin}: the key {key!r} is not a name or a dotted path of names")
    if dot:
        below: dict[str, Node] = {}
        _insert(below, rest, node)
        node = Section(below, node.origin)
    before = children.get(first)
    if before is None:
        children[first] = node
    elif isinstance(before, Section) and isinstance(node, Section):
        both = dict(before.children)
        for name, child in node.children.items():
            _insert(both, name, child)
        children[first] = Section(both, before.origin)
    else:
        raise ConfigError(f"{node.origin}: '{first}' is given twice; before: {before.origin}")
