"""Messages for settings that do not fit: which field, what was given, what is allowed, and who set it where."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticUndefined

from .._names import listing, suggestion
from .config import RegistryChoice
from .fields import model_of, type_text
from .former_names import class_below
from .layers import CLASS_DEFAULTS, plain
from .marks import Leaf, Node, Section, yaml_value

__all__ = ["error_message", "field_paths", "unknown_field_message"]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an error lies: the path that the settings and the classes both know, and what each has there."""

    path: str
    node: Node
    section: type[BaseModel]
    info: FieldInfo | None


def error_message(label: str, model: type[BaseModel], tree: Section, error: ValidationError) -> str:
    """Return one paragraph per field that does not fit.

    Parameters
    ----------
    label : str
        The task's label.
    model : type of BaseModel
        The config class.
    tree : Section
        The merged settings that were refused.
    error : ValidationError
        What pydantic found.

    Returns
    -------
    str
        The message of a ConfigError.
    """
    paragraphs: dict[str, list[str]] = {}
    for details in error.errors(include_url=False):
        place = _locate(model, tree, details["loc"])
        # The alternatives of a union fail one by one, but the user set one value.
        paragraphs.setdefault(f"{label}:{place.path}", []).append(_paragraph(label, place, details))
    return "\n".join(texts[0] for texts in paragraphs.values())


def field_paths(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the dotted paths of all settings that a class declares."""
    for name, info in model.model_fields.items():
        yield prefix + name
        below = model_of(info.annotation)
        if below is not None:
            yield from field_paths(below, f"{prefix}{name}.")


def unknown_field_message(path: str, section: type[BaseModel], known: Sequence[str]) -> str:
    """Return what to say of a setting that does not exist: the nearest here, else where one of that name is."""
    parent, _, name = path.rpartition(".")
    here = _names_of(section)
    near = suggestion(name, here)
    elsewhere = [other for other in known if other.rpartition(".")[2] == name]
    if near == "." and elsewhere:
        near = f"; did you mean '{elsewhere[0]}'?"
    return f"unknown setting{near} Settings {f'of {parent}' if parent else 'here'}: {listing(here)}."


def _paragraph(label: str, place: _Place, details: ErrorDetails) -> str:
    if details["type"] == "extra_forbidden":
        text = unknown_field_message(place.path, place.section, [*field_paths(place.section)])
        return f"{label}:{place.path}: {text} Set by {place.node.origin}."
    if details["type"] == "missing":
        return f"{label}:{place.path}: a value is needed: {_allowed(place.info)}"
    reason = details["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ").rstrip(".")
    reason = reason[:1].lower() + reason[1:]
    if isinstance(place.node, Section):
        subject = f"{label}:{place.path}" if place.path else label
        return f"{subject}: {reason}. {_who_set(place.node)}"
    given = yaml_value(plain(place.node.value))
    return f"{label}:{place.path} = {given}: {reason}. {_allowed(place.info)} Set by {place.node.origin}."


def _allowed(info: FieldInfo | None) -> str:
    if info is None:
        return ""
    default = info.get_default(call_default_factory=True)
    known = default is not PydanticUndefined and not isinstance(default, BaseModel)
    text = f"Allowed: {type_text(info.annotation, info.metadata)}"
    return text + (f"; default {yaml_value(plain(default))}." if known else ".")


def _who_set(section: Section) -> str:
    """Coupled fields: any of the values that somebody set may be to blame."""
    leaves = [
        f"{path} = {yaml_value(plain(leaf.value))} ({leaf.origin})"
        for path, leaf in _leaves(section)
        if leaf.origin.layer != CLASS_DEFAULTS
    ]
    return f"Set here: {'; '.join(leaves)}." if leaves else f"Set by {section.origin}."


def _leaves(node: Node, path: str = "") -> Iterator[tuple[str, Leaf]]:
    if isinstance(node, Leaf):
        yield path, node
        return
    for name, child in node.children.items():
        yield from _leaves(child, f"{path}.{name}" if path else name)


def _locate(model: type[BaseModel], tree: Section, loc: Sequence[int | str]) -> _Place:
    """Follow an error's location as far as the settings go: beyond lie list entries and alternatives of unions."""
    node: Node = tree
    section: type[BaseModel] = model
    below: type[BaseModel] | None = model
    info: FieldInfo | None = None
    path: list[str] = []
    for step in loc:
        if not isinstance(node, Section) or not isinstance(step, str):
            break
        if step not in node.children and (below is None or step not in below.model_fields):
            break
        if below is not None:
            section, info = below, below.model_fields.get(step)
            below = class_below(section, step)
        path.append(step)
        node = node.children.get(step, Leaf(None, node.origin))
    return _Place(".".join(path), node, section, info)


def _names_of(section: type[BaseModel]) -> list[str]:
    names = [*section.model_fields]
    if issubclass(section, RegistryChoice):
        names += [name for name in section.choice_names() if name not in names]
    return names
