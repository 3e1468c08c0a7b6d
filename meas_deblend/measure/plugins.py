"""Measurements by name: those registered in the session, and those of installed plug-ins."""

from __future__ import annotations

from dataclasses import dataclass
from inspect import isclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from .._registry import Registry
from ..exceptions import ConfigError, InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .fluxes import PsfCube
    from .pixels import Window

__all__ = [
    "MEASUREMENT_GROUP",
    "CheckedMeasurement",
    "MeasuredColumn",
    "ObjectMeasure",
    "get_measurement",
    "measurement_names",
    "register_measurement",
]

MEASUREMENT_GROUP = "meas_deblend.measurements"
"""Group in which a plug-in's distribution names its measurements: ``name = "package.module:Class"``."""


@dataclass(frozen=True, slots=True)
class MeasuredColumn:
    """A column, one per band, that a plug-in fills.

    Parameters
    ----------
    name : str
        What follows the band in the catalog: ``peakSignal`` becomes ``r_peakSignal``.
    unit : str
        An astropy unit; "" for none, "image" for that of the pixels.
    meaning : str
        What it holds, in a sentence. For a flag: what ``True`` says.
    reference : str
        Paper and equation, or a page.
    flag : bool
        Whether it is a flag; else it is a number, NaN where there is none.
    """

    name: str
    unit: str
    meaning: str
    reference: str = ""
    flag: bool = False


@runtime_checkable
class ObjectMeasure(Protocol):
    """Something that is measured of an object on its re-apportioned pixels.

    Called with a `Window` (``flux``, ``noise``, ``usable`` (B, h, w) on ``box``, neighbours replaced by noise), the
    `PsfCube` of the B bands at the object, and its position ``(y, x)`` [px]; returns an array (B,) per column.
    """

    name: str
    columns: tuple[MeasuredColumn, ...]

    def __call__(self, pixels: Window, psfs: PsfCube, position: tuple[float, float]) -> Mapping[str, NDArray[Any]]:
        """Measure one object."""
        ...


@dataclass(frozen=True, slots=True)
class CheckedMeasurement:
    """A plug-in whose results are looked at before they go into a catalog.

    Parameters
    ----------
    measure : ObjectMeasure
    """

    measure: ObjectMeasure

    @property
    def columns(self) -> tuple[MeasuredColumn, ...]:
        """Columns that it declares."""
        return tuple(self.measure.columns)

    def checked(self, pixels: Window, psfs: PsfCube, position: tuple[float, float]) -> dict[str, NDArray[np.float64]]:
        """Measure.

        Raises
        ------
        InputError
            If the columns are not those that were declared, or have not one value per band.
        """
        found = {
            key: np.asarray(value, dtype=np.float64) for key, value in self.measure(pixels, psfs, position).items()
        }
        declared = {column.name for column in self.columns}
        bands = (len(pixels.flux),)
        wrong = sorted(key for key, value in found.items() if value.shape != bands)
        if set(found) != declared or wrong:
            shapes = ", ".join(f"{key} {value.shape}" for key, value in sorted(found.items())) or "none"
            raise InputError(
                f"the measurement '{self.measure.name}' declares {', '.join(sorted(declared))} with {bands[0]} values "
                f"each, one per band, but gave {shapes}"
            )
        return found


def register_measurement(measure: ObjectMeasure) -> ObjectMeasure:
    """Make a measurement known under its name in this process.

    Raises
    ------
    ConfigError
        If it lacks a part of the protocol, or the name belongs to another.
    """
    checked = _check(measure, f"register_measurement({measure!r})")
    _REGISTRY.register(checked.name, checked)
    return measure


def measurement_names() -> tuple[str, ...]:
    """Names that `get_measurement` knows, sorted; plug-ins are listed whether or not they can be imported."""
    return _REGISTRY.names()


def get_measurement(name: str) -> CheckedMeasurement:
    """Find a measurement.

    Raises
    ------
    ConfigError
        If there is none of that name (the message lists those that there are), two plug-ins claim it, or the plug-in
        cannot be imported or is no measurement.
    """
    found = _REGISTRY.get(name)
    if found.name != name:
        raise ConfigError(f"the plug-in {found!r} is registered as {name!r} but calls itself {found.name!r}")
    return CheckedMeasurement(found)


def _check(thing: Any, source: str) -> ObjectMeasure:
    """Return an instance that has the parts of the protocol, made from ``thing`` if that is a class."""
    measure: Any = thing() if isclass(thing) else thing
    missing = [part for part in ("name", "columns", "__call__") if not hasattr(measure, part)]
    if missing:
        raise ConfigError(f"{source} is no measurement: it has no {', '.join(missing)}")
    if not all(isinstance(column, MeasuredColumn) for column in measure.columns):
        raise ConfigError(f"{source}: columns must be MeasuredColumn values, got {measure.columns!r}")
    checked: ObjectMeasure = measure
    return checked


_REGISTRY: Registry[ObjectMeasure] = Registry("measurement", MEASUREMENT_GROUP, _check)
