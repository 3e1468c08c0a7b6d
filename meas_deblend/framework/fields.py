"""What the classes of settings say about their fields: defaults, types in words, paths."""

import json
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ..exceptions import ConfigError
from .layers import CLASS_DEFAULTS, plain
from .marks import Leaf, Node, Origin, Section

__all__ = ["FieldValue", "defaults_tree", "field_default", "model_of", "type_text", "validate_strictly", "walk_fields"]

ModelT = TypeVar("ModelT", bound=BaseModel)

_PLAIN_NAMES: Mapping[object, str] = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "text",
    Path: "a path",
    type(None): "null",
}
_BOUNDS = (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))
_LENGTHS = (("min_length", "at least"), ("max_length", "at most"))


@dataclass(frozen=True, slots=True)
class FieldValue:
    """A field of a config, and its value.

    Parameters
    ----------
    path : str
        Dotted path.
    info : FieldInfo, optional
        The declaration; None for the options of a plug-in's choice as a whole.
    value : object
        The value; a pydantic model where the field is a section.
    """

    path: str
    info: FieldInfo | None
    value: object


def validate_strictly(model: type[ModelT], values: Mapping[str, object]) -> ModelT:
    """Build a model from plain values without conversions: ``"50"`` and ``true`` are not integers.

    JSON is the form in which pydantic is strict and still takes lists for tuples and text for enums.
    """
    return model.model_validate_json(json.dumps(values), strict=True)


def model_of(annotation: object) -> type[BaseModel] | None:
    """Return the model class of a section's annotation (``M``, ``M | None``, ``Annotated[M, ...]``), else None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Annotated, Union, types.UnionType):
        found = {model_of(item) for item in get_args(annotation)} - {None}
        return found.pop() if len(found) == 1 else None
    return None


def defaults_tree(model: type[BaseModel]) -> Section:
    """Return a class's defaults as a tree; a section without a default has its own class's defaults.

    Raises
    ------
    ConfigError
        When a default cannot be written as plain data.
    """
    origin = Origin(CLASS_DEFAULTS)
    children: dict[str, Node] = {}
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True)
        section = model_of(field.annotation)
        if default is not PydanticUndefined:
            children[name] = _default_node(default, origin, f"{model.__name__}.{name}")
        elif section is not None:
            children[name] = defaults_tree(section)
    return Section(children, origin)


def field_default(parent: object, name: str) -> tuple[object, ...]:
    """Return ``(default,)`` of a field of a model instance by its class, or ``()`` when it has none."""
    info = type(parent).model_fields.get(name) if isinstance(parent, BaseModel) else None
    if info is None:
        return ()
    default = info.get_default(call_default_factory=True)
    return () if default is PydanticUndefined else (plain(default),)


def walk_fields(model: BaseModel, prefix: str = "") -> Iterator[FieldValue]:
    """Yield every field of a config with its value, sections before what is in them."""
    for name, value in model:
        yield FieldValue(prefix + name, type(model).model_fields.get(name), value)
        if isinstance(value, BaseModel):
            yield from walk_fields(value, f"{prefix}{name}.")


def type_text(annotation: object, metadata: Sequence[object] = ()) -> str:
    """Return in words what a field takes, for example ``an integer ≥ 1``.

    Parameters
    ----------
    annotation : type
        The field's type.
    metadata : sequence
        Constraints as pydantic keeps them.
    """
    return (_kind_text(annotation) + _bounds_text(metadata)).strip()


def _kind_text(annotation: object) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        metadata = [entry for item in args[1:] for entry in (item.metadata if isinstance(item, FieldInfo) else [item])]
        return type_text(args[0], metadata)
    if origin in (Union, types.UnionType):
        return " or ".join(type_text(item) for item in args)
    if origin is tuple and args[-1:] != (...,):
        return f"a list of {len(args)}: " + ", ".join(type_text(item) for item in args)
    if origin in (tuple, list, set, frozenset, Sequence):
        return f"a list, each entry {type_text(args[0])}"
    if origin in (dict, Mapping):
        return f"a mapping from {type_text(args[0])} to {type_text(args[1])}"
    return _class_text(annotation)


def _class_text(annotation: object) -> str:
    if annotation in _PLAIN_NAMES:
        return _PLAIN_NAMES[annotation]
    if get_origin(annotation) is Literal:
        return "one of " + ", ".join(json.dumps(item) for item in get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return "one of " + ", ".join(json.dumps(plain(member)) for member in annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "a section of settings"
    return getattr(annotation, "__name__", str(annotation))


def _bounds_text(metadata: Sequence[object]) -> str:
    # Constraints are annotated_types' classes, told apart by their attributes: that package is pydantic's own.
    bounds = [(sign, getattr(item, name, None)) for name, sign in _BOUNDS for item in metadata]
    lengths = [(words, getattr(item, name, None)) for name, words in _LENGTHS for item in metadata]
    texts = [f" {sign} {bound}" for sign, bound in bounds if bound is not None]
    texts += [f" {words} {length} long" for words, length in lengths if length is not None]
    return ",".join(texts)


def _default_node(default: Any, origin: Origin, place: str) -> Node:
    if isinstance(default, BaseModel | Mapping):
        items = default.items() if isinstance(default, Mapping) else default
        children = {str(plain(name)): _default_node(item, origin, f"{place}.{name}") for name, item in items}
        return Section(children, origin)
    try:
        return Leaf(plain(default), origin)
    except TypeError as error:
        raise ConfigError(f"the default of {place}: {error}") from error
