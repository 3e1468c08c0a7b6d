"""JSON schemas of settings files (draft 2020-12), by which editors complete names and underline what does not fit."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from .fields import model_of
from .former_names import former_names
from .pipeline import Pipeline
from .resolve import CONNECTIONS

__all__ = ["model_schema", "settings_schema"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"

_DOTTED = {"^[^.]+(\\.[^.]+)+$": True}
"""A dotted key is a path: what lies there is checked when the file is read."""


def settings_schema(pipeline: Pipeline, label: str | None = None) -> dict[str, Any]:
    """Return the schema of a file of settings.

    Parameters
    ----------
    pipeline : Pipeline
        Its tasks' settings.
    label : str, optional
        Schema of this task's file in a survey's folder; default: of a file for ``-C``, with labels at its top level.

    Returns
    -------
    dict
        As JSON has it.

    Raises
    ------
    PipelineError
        No such label.
    """
    tasks = pipeline.tasks if label is None else (pipeline.task(label),)
    sections: dict[str, Any] = {}
    definitions: dict[str, Any] = {}
    for task in tasks:
        schema = model_schema(type(task.resolved.config), dotted=True)
        schema["properties"][CONNECTIONS] = _connections(task.task_class.connections.names)
        # Tasks may have classes of the same name: each has definitions of its own.
        schema = _within(schema, task.label)
        definitions |= {f"{task.label}.{name}": value for name, value in schema.pop("$defs", {}).items()}
        sections[task.label] = schema
    if label is not None:
        body = {**sections[label], "title": f"Settings of {label}"}
    else:
        # A label whose settings are all commented out is null.
        optional = {name: {"anyOf": [section, {"type": "null"}]} for name, section in sections.items()}
        body = {
            "title": f"Settings of the pipeline {pipeline.name}",
            "type": "object",
            "properties": optional,
            "additionalProperties": False,
            "patternProperties": _DOTTED,
        }
    return {"$schema": _DIALECT, **body, "$defs": definitions}


def model_schema(model: type[BaseModel], *, dotted: bool = False) -> dict[str, Any]:
    """Return the schema of a class of settings, its sections under ``$defs``.

    Parameters
    ----------
    model : type of BaseModel
        The class.
    dotted : bool
        Whether dotted keys, ``fit.max_iter: 5``, are allowed.
    """
    schema: dict[str, Any] = model.model_json_schema()
    definitions: dict[str, Any] = schema.get("$defs", {})
    for title, below in _sections(model).items():
        if title in definitions:
            _complete(definitions[title], below, dotted=dotted)
    _complete(schema, model, dotted=dotted)
    return schema


def _sections(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """Classes of all sections below a class, by their names."""
    found: dict[str, type[BaseModel]] = {}
    for field in model.model_fields.values():
        below = model_of(field.annotation)
        if below is not None:
            found |= {below.__name__: below, **_sections(below)}
    return found


def _complete(schema: dict[str, Any], model: type[BaseModel], *, dotted: bool) -> None:
    """Add what pydantic does not know: dotted keys and former names."""
    properties = schema.setdefault("properties", {})
    if dotted:
        schema["patternProperties"] = _DOTTED
    for old, new in former_names(model).items():
        if "." not in old:
            text = f"Called {new} now."
            properties[old] = {**properties.get(new, {}), "deprecated": True, "description": text}


def _connections(names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "description": "Names of datasets in place of the usual ones.",
        "properties": {name: {"type": "string"} for name in names},
        "additionalProperties": False,
    }


def _within(schema: Any, label: str) -> Any:
    """Return a schema whose references are to the definitions of a label."""
    if isinstance(schema, Mapping):
        return {
            key: value.replace("#/$defs/", f"#/$defs/{label}.") if key == "$ref" else _within(value, label)
            for key, value in schema.items()
        }
    if isinstance(schema, list):
        return [_within(value, label) for value in schema]
    return schema
