"""Deblenders by name: those of the package, those registered in the session, those of installed plug-ins."""

from __future__ import annotations

from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from inspect import isclass
from typing import Any

from pydantic import BaseModel

from ..exceptions import ConfigError
from .multi_band import MultiBand
from .none import NoDeblending
from .protocol import Deblender
from .sep_segmentation import SepSegmentation
from .single_band import SingleBand

__all__ = ["ENTRY_POINT_GROUP", "deblender_names", "get_deblender", "register_deblender"]

ENTRY_POINT_GROUP = "meas_deblend.deblenders"
"""Group in which a plug-in's distribution names its deblenders: ``name = "package.module:Class"``."""

_BUILT_IN: dict[str, Deblender] = {d.name: d for d in (NoDeblending(), SepSegmentation(), SingleBand(), MultiBand())}
_registered: dict[str, Deblender] = {}


def register_deblender(deblender: Deblender) -> Deblender:
    """Make a deblender known under its name in this process.

    Parameters
    ----------
    deblender : Deblender

    Returns
    -------
    Deblender
        The same.

    Raises
    ------
    ConfigError
        If it lacks a part of the protocol, or the name belongs to another deblender.
    """
    checked = _check(deblender, f"register_deblender({deblender!r})")
    if checked.name in _BUILT_IN or _registered.get(checked.name, checked) is not checked:
        raise ConfigError(f"there is a deblender {checked.name!r} already; choose another name")
    _registered[checked.name] = checked
    return checked


def deblender_names() -> tuple[str, ...]:
    """Names that `get_deblender` knows, sorted; plug-ins are listed whether or not they can be imported."""
    return tuple(sorted({*_BUILT_IN, *_registered, *_plugins()}))


def get_deblender(name: str) -> Deblender:
    """Find a deblender.

    Parameters
    ----------
    name : str
        One of `deblender_names`.

    Returns
    -------
    Deblender

    Raises
    ------
    ConfigError
        If there is none of that name (the message lists those that there are), two plug-ins claim it, a plug-in
        claims a name of the package, or the plug-in cannot be imported or is no deblender.
    """
    points = _plugins().get(name, [])
    if len(points) + (name in _BUILT_IN) + (name in _registered) > 1:
        claims = ", ".join(f"{p.value} ({_origin(p)})" for p in points)
        raise ConfigError(f"the name {name!r} has more than one deblender: plug-in {claims} must be uninstalled")
    if name in _registered:
        return _registered[name]
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    if points:
        return _load(points[0])
    near = get_close_matches(name, deblender_names(), 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ConfigError(f"no deblender {name!r} (there are: {', '.join(deblender_names())}){hint}")


def _plugins() -> dict[str, list[EntryPoint]]:
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        found.setdefault(point.name, []).append(point)
    return found


def _origin(point: EntryPoint) -> str:
    return f"installed by {point.dist.name} {point.dist.version}" if point.dist else "of an unknown distribution"


def _load(point: EntryPoint) -> Deblender:
    """Import a plug-in: whatever it raises is told with its name, since the user may not know that it is installed."""
    source = f"plug-in {point.value} ({_origin(point)})"
    try:
        thing = point.load()
    except Exception as error:
        raise ConfigError(f"deblender {point.name!r}: {source} cannot be imported: {error!r}") from error
    found = _check(thing, source)
    if found.name != point.name:
        raise ConfigError(f"{source} is registered as {point.name!r} but calls itself {found.name!r}")
    return found


def _check(thing: Any, source: str) -> Deblender:
    """Return an instance that has the parts of the protocol, made from ``thing`` if that is a class."""
    deblender: Any = thing() if isclass(thing) else thing
    missing = [part for part in ("name", "Options", "__call__") if not hasattr(deblender, part)]
    if missing:
        raise ConfigError(f"{source} is no deblender: it has no {', '.join(missing)}")
    if not (isclass(deblender.Options) and issubclass(deblender.Options, BaseModel)):
        raise ConfigError(f"{source}: Options must be a pydantic model class, got {deblender.Options!r}")
    checked: Deblender = deblender
    return checked
