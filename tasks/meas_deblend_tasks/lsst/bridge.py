"""From our settings to `lsst.pex.config` classes, and values both ways: one bridge for every model.

A pydantic model becomes a class of the same fields: ranges stay ranges, choices stay choices, sections stay sections,
descriptions become docs. What one library can say and the other cannot (settings that must fit each other, ranges of
the entries of a mapping) is checked by the model itself, in ``validate`` and in the fields' checks.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

import lsst.pex.config as pex
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticUndefined

from meas_deblend.exceptions import MeasDeblendError
from meas_deblend.framework import RegistryChoice
from meas_deblend.framework.fields import model_of, validate_strictly
from meas_deblend.framework.layers import plain

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

__all__ = ["config_body", "config_class", "config_from", "model_from", "set_values"]

ModelT = TypeVar("ModelT", bound="BaseModel")

_SCALARS = (bool, int, float, str)
_BOUNDS = {"ge": ("min", True), "gt": ("min", False), "le": ("max", True), "lt": ("max", False)}


class _Shape(NamedTuple):
    """What an annotation says: a type, whether None will do, and limits."""

    kind: Any
    optional: bool
    metadata: tuple[Any, ...]


@cache
def config_class(model: type[BaseModel]) -> type[pex.Config]:
    """Return the `lsst.pex.config.Config` of a model; the same class each time.

    Parameters
    ----------
    model : type of BaseModel
        Frozen options, every field with a description.

    Raises
    ------
    TypeError
        If a field is of a kind that `lsst.pex.config` has nothing for, or has the name of one of its methods.
    """
    return _named(model.__name__, pex.Config, {"__doc__": model.__doc__, **config_body(model)})


def config_body(model: type[BaseModel]) -> dict[str, Any]:
    """Return the body of a model's class: its fields by name, and ``validate``.

    Raises
    ------
    TypeError
        As `config_class`.
    """
    made: dict[str, Any] = {"validate": _validator(model)}
    for name, info in model.model_fields.items():
        place = f"{model.__name__}.{name}"
        if hasattr(pex.Config, name):
            raise TypeError(f"the field {place} has the name of a method of lsst.pex.config.Config")
        made[name] = _field(info, place)
    return made


def model_from(config: pex.Config, model: type[ModelT]) -> ModelT:
    """Return the model that a config describes.

    Raises
    ------
    pydantic.ValidationError
        If its values do not fit each other.
    """
    return validate_strictly(model, _values(config, model))


def config_from(model: BaseModel) -> pex.Config:
    """Return a config with the values of a model."""
    config = config_class(type(model))()
    set_values(config, model)
    return config


def set_values(config: pex.Config, model: BaseModel) -> None:
    """Give a config the values of a model, section by section; what it has already is not set again."""
    for name, value in model:
        if isinstance(value, RegistryChoice):
            _set_choice(getattr(config, name), value)
        elif model_of(type(value)) is not None:
            set_values(getattr(config, name), value)
        elif _plain(getattr(config, name)) != plain(value):
            setattr(config, name, plain(value))


def __getattr__(name: str) -> type[pex.Config]:
    """Return a class that was made: saved configs name the module and the class."""
    if name in _MADE:
        return _MADE[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


_MADE: dict[str, type[pex.Config]] = {}


def _named(name: str, base: type[pex.Config], body: dict[str, Any]) -> type[pex.Config]:
    """Make a class that can be found in this module; of two with the same name the second gets a number."""
    number = 2
    unique = name
    while unique in _MADE:
        unique, number = f"{name}{number}", number + 1
    _MADE[unique] = pex.ConfigMeta(unique, (base,), {**body, "__module__": __name__, "__qualname__": unique})
    return _MADE[unique]


def _set_choice(field: Any, choice: RegistryChoice) -> None:
    if field.name != choice.name:
        field.name = choice.name
    for name, options in choice:
        if name != "name":
            set_values(field[name], options)


def _values(config: pex.Config, model: type[BaseModel]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        below, value = model_of(info.annotation), getattr(config, name)
        if below is None:
            values[name] = _plain(value)
        elif issubclass(below, RegistryChoice):
            values[name] = _choice_values(value, below)
        else:
            values[name] = _values(value, below)
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, pex.listField.List):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value


def _choice_values(field: Any, choice: type[RegistryChoice]) -> dict[str, Any]:
    """Values of the active choice, of those that are declared, and of others where they are not the defaults."""
    values: dict[str, Any] = {"name": field.name}
    for name in choice.choice_names():
        wanted = name == field.name or name in choice.model_fields
        try:
            options = choice.options_class(name)
        except MeasDeblendError:
            # A choice whose library is not installed is no matter until it is made.
            if wanted:
                raise
            continue
        if options is None:
            continue
        found = _values(field[name], options)
        if wanted or found != plain(options()):
            values[name] = found
    return values


def _validator(model: type[BaseModel]) -> Any:
    """Make the method ``validate``: the fields', then the model's own checks."""

    def validate(self: pex.Config) -> None:
        pex.Config.validate(self)
        try:
            model_from(self, model)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0]) if first["loc"] else next(iter(model.model_fields))
            path = ".".join(map(str, first["loc"]))
            raise pex.FieldValidationError(
                type(self)._fields[name],
                self,
                f"{path}: {first['msg']}" if path else first["msg"],
            ) from error

    return validate


def _field(info: FieldInfo, place: str) -> pex.Field:
    below = model_of(info.annotation)
    common: dict[str, Any] = {
        "doc": info.description,
        "deprecated": info.deprecated if isinstance(info.deprecated, str) else None,
    }
    default = info.get_default(call_default_factory=True)
    if below is not None:
        if issubclass(below, RegistryChoice):
            choice: Any = below.model_validate({}) if default is PydanticUndefined else default
            return pex.ConfigChoiceField(typemap=_Choices(below), default=choice.name, **common)
        section = below() if default is PydanticUndefined else default
        return pex.ConfigField(dtype=_with_defaults(config_class(below), below, section), **common)
    shape = _shape(info.annotation, tuple(info.metadata))
    common |= {"default": None if default is PydanticUndefined else plain(default), "optional": shape.optional}
    return _leaf(shape, common, place)


def _leaf(shape: _Shape, common: dict[str, Any], place: str) -> pex.Field:
    kind, origin = shape.kind, get_origin(shape.kind)
    if origin is Literal or (isinstance(kind, type) and issubclass(kind, Enum)):
        allowed = [plain(item) for item in (get_args(kind) if origin is Literal else kind)]
        return pex.ChoiceField(dtype=type(allowed[0]), allowed={item: str(item) for item in allowed}, **common)
    if kind in (int, float) and any(hasattr(item, bound) for item in shape.metadata for bound in _BOUNDS):
        return pex.RangeField(dtype=kind, **_range(shape.metadata), **common)
    if kind in _SCALARS:
        return pex.Field(dtype=kind, check=_check(shape), **common)
    arguments = [_shape(argument) for argument in get_args(kind) if argument is not ...]
    if origin is tuple and len({argument.kind for argument in arguments}) == 1 and arguments[0].kind in _SCALARS:
        return pex.ListField(dtype=arguments[0].kind, itemCheck=_check(arguments[0]), **_lengths(shape), **common)
    if origin in (dict, Mapping) and arguments[0].kind in (int, str) and arguments[1].kind in _SCALARS:
        key, item = arguments
        return pex.DictField(keytype=key.kind, itemtype=item.kind, itemCheck=_check(item), **common)
    raise TypeError(f"lsst.pex.config has no field for {place}, which is {kind}")


def _shape(annotation: Any, metadata: tuple[Any, ...] = ()) -> _Shape:
    """Take an annotation apart: ``Annotated[X | None, ...]``."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *extra = get_args(annotation)
        found = [entry for item in extra for entry in getattr(item, "metadata", [item])]
        return _shape(inner, (*metadata, *found))
    if origin in (Union, types.UnionType):
        others = [item for item in get_args(annotation) if item is not type(None)]
        if len(others) == 1:
            inner = _shape(others[0], metadata)
            return inner._replace(optional=inner.optional or len(others) < len(get_args(annotation)))
    return _Shape(annotation, False, metadata)


def _range(metadata: tuple[Any, ...]) -> dict[str, Any]:
    made: dict[str, Any] = {"inclusiveMin": True, "inclusiveMax": True}
    for bound, (side, inclusive) in _BOUNDS.items():
        for item in metadata:
            if getattr(item, bound, None) is not None:
                made[side] = getattr(item, bound)
                made[f"inclusive{side.capitalize()}"] = inclusive
    return made


def _lengths(shape: _Shape) -> dict[str, int]:
    arguments = get_args(shape.kind)
    if ... not in arguments:
        return {"length": len(arguments)}
    pairs = ((name, getattr(item, key, None)) for item in shape.metadata for key, name in
             (("min_length", "minLength"), ("max_length", "maxLength")))  # fmt: skip
    return {name: value for name, value in pairs if value is not None}


def _check(shape: _Shape) -> Any:
    """Make a check of what the metadata of a value allow, or None where they allow everything."""
    if not shape.metadata:
        return None
    annotation: Any = Annotated[shape.kind, *shape.metadata]
    adapter: TypeAdapter[Any] = TypeAdapter(annotation)

    def allowed(value: Any) -> bool:
        try:
            adapter.validate_python(value)
        except ValidationError:
            return False
        return True

    return allowed


def _with_defaults(made: type[pex.Config], model: type[BaseModel], section: BaseModel) -> type[pex.Config]:
    """Return the class of a section whose defaults are not those of its own class, else the class itself."""
    if section == model():
        return made

    def defaults(self: pex.Config) -> None:
        made.setDefaults(self)
        set_values(self, section)

    return _named(made.__name__, made, {"setDefaults": defaults})


class _Choices(Mapping[str, type[pex.Config]]):
    """Classes of the options of each choice; that of a plug-in is made, and the plug-in imported, when it is read."""

    def __init__(self, choice: type[RegistryChoice]) -> None:
        self._choice = choice

    def __getitem__(self, name: str) -> type[pex.Config]:
        if name not in self._choice.choice_names():
            raise KeyError(name)
        try:
            options = self._choice.options_class(name)
        except MeasDeblendError:
            # Its library is not installed. All choices are looked at, and only the one that is made has to be there.
            options = None
        return _NoOptions if options is None else config_class(options)

    def __iter__(self) -> Iterator[str]:
        return iter(self._choice.choice_names())

    def __len__(self) -> int:
        return len(self._choice.choice_names())


class _NoOptions(pex.Config):
    """A choice without options."""
