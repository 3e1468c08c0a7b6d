"""Settings that were renamed: their former names go on working, with a warning.

A class of settings declares them as data, with dotted paths below itself:

.. code-block:: python

    class HierarchyConfig(BaseModel):
        former_names: ClassVar[Mapping[str, str]] = {"grow": "grow_size"}

Names are changed in each layer before the layers are merged, so that an old name in one layer and the new one in
another mean the same field, and its history shows both.
"""

import warnings
from collections.abc import Mapping

from pydantic import BaseModel

from ..exceptions import ConfigError
from .fields import model_of
from .layers import descend, merge
from .marks import Node, Section

__all__ = ["check_former_names", "class_below", "former_names", "present_path", "with_present_names"]


def former_names(model: type[BaseModel]) -> Mapping[str, str]:
    """Return the former paths of a class's fields, and what they are called now; both count below the class."""
    declared: Mapping[str, str] = getattr(model, "former_names", {})
    return declared


def check_former_names(model: type[BaseModel], place: str) -> None:
    """Refuse a class that calls a field it has a former name, or renames to one that it does not have.

    Raises
    ------
    TypeError
        The message names class and field.
    """
    for old, new in former_names(model).items():
        if _declares(model, old):
            raise TypeError(f"{place}: '{old}' cannot be a former name: there is a field of this name")
        if not _declares(model, new):
            raise TypeError(f"{place}: the former name '{old}' stands for '{new}', which is no field")


def with_present_names(label: str, model: type[BaseModel], tree: Section, prefix: str = "") -> Section:
    """Return what a layer says about a task with every setting under its present name.

    Parameters
    ----------
    label : str
        The task's label, for messages.
    model : type of BaseModel
        The class of the settings in ``tree``.
    tree : Section
        One layer's settings.
    prefix : str
        Dotted path of ``tree`` with a dot at its end, for messages.

    Returns
    -------
    Section
        ``tree`` itself where nothing has a former name.

    Warns
    -----
    FutureWarning
        For each former name that is used: what it is called now, and who set it.

    Raises
    ------
    ConfigError
        The layer sets a field under both names.
    """
    for old, new in former_names(model).items():
        found = descend(tree, old)
        if found is None:
            continue
        there = descend(tree, new)
        if there is not None:
            raise ConfigError(
                f"{label}:{prefix}{new} is set twice: by {there.origin}, and under its former name {prefix}{old} by "
                f"{found.origin}; leave out the latter"
            )
        warnings.warn(
            f"{label}:{prefix}{old} is called {prefix}{new} now: the former name still works, but will not always. "
            f"Set by {found.origin}.",
            FutureWarning,
            stacklevel=2,
        )
        tree = _moved(tree, old, new, found)
    children = dict(tree.children)
    for name, child in tree.children.items():
        below = class_below(model, name)
        if below is not None and isinstance(child, Section):
            children[name] = with_present_names(label, below, child, f"{prefix}{name}.")
    return tree if all(children[name] is child for name, child in tree.children.items()) else _of(children, tree)


def present_path(model: type[BaseModel], path: str) -> str:
    """Return what a setting is called now, given its present or a former path."""
    for old, new in former_names(model).items():
        if path == old or path.startswith(f"{old}."):
            path = new + path.removeprefix(old)
    name, dot, rest = path.partition(".")
    below = class_below(model, name)
    return path if below is None or not dot else f"{name}.{present_path(below, rest)}"


def class_below(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    """Return the class of a section, be it declared or the options of a choice that is looked up by its name."""
    info = model.model_fields.get(name)
    if info is not None:
        return model_of(info.annotation)
    # A registry field; its class lies above this module, which the check of all configs uses.
    names = getattr(model, "choice_names", None)
    if names is None or name not in names():
        return None
    options: type[BaseModel] | None = model.options_class(name)  # type: ignore[attr-defined]
    return options


def _declares(model: type[BaseModel], path: str) -> bool:
    name, dot, rest = path.partition(".")
    info = model.model_fields.get(name)
    if info is None or not dot:
        return info is not None
    below = model_of(info.annotation)
    return below is not None and _declares(below, rest)


def _moved(tree: Section, old: str, new: str, node: Node) -> Section:
    for name in reversed(new.split(".")):
        node = Section({name: node}, node.origin)
    moved = merge(_without(tree, old.split(".")), node)
    return _of(moved.children, tree) if isinstance(moved, Section) else tree


def _without(tree: Section, path: list[str]) -> Section:
    """Return a tree without the node at a path, nor the sections that become empty."""
    children = dict(tree.children)
    child = children.pop(path[0])
    if len(path) > 1 and isinstance(child, Section):
        rest = _without(child, path[1:])
        if rest.children:
            children[path[0]] = rest
    return _of(children, tree)


def _of(children: Mapping[str, Node], tree: Section) -> Section:
    return Section(children, tree.origin)
