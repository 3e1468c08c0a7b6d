"""Deblenders by name: those of the package, those registered in the session, those of installed plug-ins."""

from __future__ import annotations

from importlib.util import find_spec
from inspect import isclass
from typing import Any

from pydantic import BaseModel

from .._registry import Registry
from ..exceptions import ConfigError
from .multi_band import MultiBand
from .none import NoDeblending
from .profile import Hybrid, JointProfiles
from .protocol import Deblender
from .scarlet2_fit import Scarlet2
from .sep_segmentation import SepSegmentation
from .single_band import SingleBand

__all__ = ["ENTRY_POINT_GROUP", "deblender_names", "get_deblender", "register_deblender"]

ENTRY_POINT_GROUP = "meas_deblend.deblenders"
"""Group in which a plug-in's distribution names its deblenders: ``name = "package.module:Class"``."""


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
    return _REGISTRY.register(checked.name, checked)


def deblender_names() -> tuple[str, ...]:
    """Names that `get_deblender` knows, sorted; plug-ins are listed whether or not they can be imported."""
    return _REGISTRY.names()


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
        claims a name of the package, the plug-in cannot be imported or is no deblender, or the deblender needs a
        package that is not installed.
    """
    found = _REGISTRY.get(name)
    if found.name != name:
        raise ConfigError(f"the plug-in {found!r} is registered as {name!r} but calls itself {found.name!r}")
    needed = getattr(found, "requires", None)
    if needed is not None and find_spec(needed) is None:
        raise ConfigError(
            f"the deblender {name!r} needs the package {needed}, which is not installed: "
            f"pip install 'meas_deblend[{needed}]'"
        )
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


_REGISTRY: Registry[Deblender] = Registry("deblender", ENTRY_POINT_GROUP, _check)
_SHIPPED = (NoDeblending(), SepSegmentation(), SingleBand(), MultiBand(), JointProfiles(), Hybrid(), Scarlet2())
for _deblender in _SHIPPED:
    register_deblender(_deblender)
