"""Checks that a task's ``run`` takes and returns what its connections declare."""

import inspect
import typing
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

from .._names import listing
from .connections import Connections

__all__ = ["check_signature"]


def check_signature(name: str, run: Callable[..., Any], connections: Connections) -> None:
    """Refuse a ``run`` whose arguments are not the inputs, or whose result's fields are not the outputs.

    Parameters
    ----------
    name : str
        For messages, for example ``DetectTask.run``.
    run : callable
        The method, with self.
    connections : Connections
        What was declared.

    Raises
    ------
    TypeError
        The message says what ``run`` has and what the connections have.
    """
    _check_inputs(name, run, connections)
    _check_outputs(name, run, connections)


def _check_inputs(name: str, run: Callable[..., Any], connections: Connections) -> None:
    _, *parameters = inspect.signature(run).parameters.values()
    inputs = {connection.name: connection for connection in connections.inputs}
    taken = [parameter.name for parameter in parameters]
    if set(taken) != set(inputs):
        raise TypeError(f"{name} takes ({listing(taken)}), but the inputs in its connections are ({listing(inputs)})")
    for parameter in parameters:
        optional = inputs[parameter.name].optional
        if (parameter.default is not inspect.Parameter.empty) != optional:
            word, rule = ("optional", "needs a") if optional else ("required", "must have no")
            raise TypeError(f"{name}: the input '{parameter.name}' is {word}, so its argument {rule} default")


def _check_outputs(name: str, run: Callable[..., Any], connections: Connections) -> None:
    returned = _return_class(name, run)
    parameters = getattr(returned, "__dataclass_params__", None)
    if not (isinstance(returned, type) and is_dataclass(returned)) or not getattr(parameters, "frozen", False):
        raise TypeError(f"{name} must be annotated to return a frozen dataclass, not {returned!r}")
    made = [item.name for item in fields(returned)]
    declared = [connection.name for connection in connections.outputs]
    if set(made) != set(declared):
        raise TypeError(
            f"{name} returns {returned.__name__}({listing(made)}), but the outputs in its connections are "
            f"({listing(declared)})"
        )


def _return_class(name: str, run: Callable[..., Any]) -> object:
    def probe() -> None:
        """Carry the return annotation alone: names in the others may be known to type checkers only."""

    annotations = getattr(run, "__annotations__", {})
    if "return" not in annotations:
        raise TypeError(f"{name} must be annotated to return a frozen dataclass")
    probe.__annotations__ = {"return": annotations["return"]}
    try:
        return typing.get_type_hints(probe, globalns=run.__globals__)["return"]
    except NameError as error:
        raise TypeError(f"{name}: the class that it returns must be defined before it: {error}") from error
