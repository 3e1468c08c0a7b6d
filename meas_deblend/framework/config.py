"""What a task can be told: frozen, documented, strict."""

from collections.abc import Mapping
from typing import Any, Literal, NoReturn, Self, cast, get_args, get_origin

import pydantic_core
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ValidationError,
    create_model,
    model_validator,
)
from pydantic_core import CoreSchema

from .._names import listing, suggestion
from ..exceptions import ConfigError
from .fields import model_of, validate_strictly
from .former_names import check_former_names
from .layers import plain

__all__ = ["Config", "RegistryChoice", "registry_fields"]


def _refuse(path: tuple[str, ...], value: object, message: str) -> NoReturn:
    text = message.replace("{", "{{").replace("}", "}}")
    error = pydantic_core.PydanticCustomError("choice", cast("Any", text))
    raise ValidationError.from_exception_data("choice", [{"type": error, "loc": path, "input": value}])


def _check_declaration(model: type[BaseModel], place: str = "") -> None:
    check_former_names(model, place or model.__name__)
    for name, field in model.model_fields.items():
        path = f"{place or model.__name__}.{name}"
        if not (field.description or "").strip():
            raise TypeError(f"the config field {path} has no description: say what it means, and its unit")
        below = model_of(field.annotation)
        if below is None or issubclass(below, Config):
            continue
        if not below.model_config.get("frozen") or below.model_config.get("extra") != "forbid":
            raise TypeError(
                f"the options {below.__name__} of the config field {path} must be frozen and refuse unknown keys: "
                'model_config = ConfigDict(frozen=True, extra="forbid")'
            )
        _check_declaration(below, path)


class Config(BaseModel):
    """Base class of the tasks' configs.

    Fields are settings with a description and a range; nested options are frozen pydantic models that refuse
    unknown keys. A field without a description cannot be built: the class is refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        _check_declaration(cls)


class RegistryChoice(Config):
    """A registry field: the name of a choice, and the options of each choice.

    Subclasses declare ``name`` with its default, and a field for the options of each choice that has any:

    .. code-block:: python

        class DeblenderChoice(RegistryChoice):
            name: Literal["none", "single_band", "multi_band"] = Field("multi_band", description="...")
            single_band: SingleBandConfig = Field(SingleBandConfig(), description="...")
            multi_band: MultiBandConfig = Field(MultiBandConfig(), description="...")

    The options of a choice keep their values while another is active. Where plug-ins may add choices, a subclass
    overrides `choice_names` and `options_class` to ask the registry: a plug-in is then imported only when its
    name is chosen or its options are set.
    """

    model_config = ConfigDict(extra="allow")

    name: str = Field(description="Name of the choice that is active.")

    @classmethod
    def choice_names(cls) -> tuple[str, ...]:
        """Return the names that may be chosen: those of ``name``'s Literal, or of the declared options."""
        annotation = cls.model_fields["name"].annotation
        if get_origin(annotation) is Literal:
            return get_args(annotation)
        return tuple(name for name in cls.model_fields if name != "name")

    @classmethod
    def options_class(cls, name: str) -> type[BaseModel] | None:
        """Return the class of a choice's options, or None for a choice without options."""
        field = cls.model_fields.get(name)
        return None if field is None or name == "name" else model_of(field.annotation)

    @property
    def chosen(self) -> BaseModel | None:
        """Options of the active choice, or None when it has none."""
        return cast("BaseModel | None", getattr(self, self.name, None))

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler, /) -> dict[str, Any]:
        """Name the choices, and the options of those that are looked up; a plug-in that is broken takes anything."""
        schema = handler(core_schema)
        body = handler.resolve_ref_schema(schema)
        names = cls.choice_names()
        body["properties"]["name"]["enum"] = [*names]
        body["additionalProperties"] = False
        for name in names:
            if name in cls.model_fields:
                continue
            try:
                options = cls.options_class(name)
            except ConfigError as error:
                body["properties"][name] = {"description": str(error)}
                continue
            if options is not None:
                body["properties"][name] = handler(options.__pydantic_core_schema__)
        return schema

    @model_validator(mode="after")
    def _check_choices(self) -> Self:
        names = self.choice_names()
        if self.name not in names:
            near = suggestion(self.name, names)
            _refuse(("name",), self.name, f"there is no choice of this name{near} Choices: {listing(names)}")
        extra = cast("dict[str, Any]", self.__pydantic_extra__)
        for key, value in extra.items():
            extra[key] = self._plugin_options(key, value)
        if self.name not in type(self).model_fields and self.name not in extra:
            options = self.options_class(self.name)
            if options is not None:
                extra[self.name] = options()
        return self

    def _plugin_options(self, name: str, value: object) -> object:
        options = self.options_class(name) if name in self.choice_names() else None
        if options is None:
            known = [*type(self).model_fields, *self.choice_names()]
            _refuse((name,), value, f"unknown setting{suggestion(name, known)}")
        if isinstance(value, options):
            return value
        # A model of one field, so that errors carry the path below the choice's name.
        holder = create_model(name, **cast("dict[str, Any]", {name: (options, ...)}))
        return getattr(validate_strictly(holder, cast("Mapping[str, object]", {name: plain(value)})), name)


def registry_fields(model: type[BaseModel], prefix: str = "") -> tuple[str, ...]:
    """Return the dotted paths of a model's registry fields, for example ``("deblender",)``."""
    found: list[str] = []
    for name, field in model.model_fields.items():
        below = model_of(field.annotation)
        if below is None:
            continue
        if issubclass(below, RegistryChoice):
            found.append(prefix + name)
        found.extend(registry_fields(below, f"{prefix}{name}."))
    return tuple(found)
