"""The file in which a person merges, adds, drops and protects objects, as YAML."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ._names import listing, suggestion
from .exceptions import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .detect import Edits

__all__ = ["read_edits"]

_KINDS = ("merge", "drop_peak", "add_peak", "protect")


def read_edits(path: str | Path) -> Edits:
    """Read a file of edits.

    Parameters
    ----------
    path : path
        YAML with the keys ``merge`` (lists of objectIds), ``drop_peak`` (objectIds), ``add_peak`` (mappings of x and y
        in pixels, 0-based) and ``protect`` (mappings of id and radius in pixels); each a list, and each may be missing.

    Returns
    -------
    Edits

    Raises
    ------
    InputError
        If the file cannot be read, or something in it is not as it should be; the message names the line.
    """
    from .detect import AddedPeak, DroppedPeak, Edits, MergedPeaks, ProtectedPeak  # noqa: PLC0415 - loads the numerics

    found: dict[str, list[tuple[str, Any]]] = {kind: [] for kind in _KINDS}
    for kind, where, value in _entries(Path(path)):
        found[kind].append((where, value))
    return Edits(
        merge=tuple(MergedPeaks(_several(value, where), where) for where, value in found["merge"]),
        drop=tuple(DroppedPeak(_whole(value, where, "drop_peak"), where) for where, value in found["drop_peak"]),
        add=tuple(
            AddedPeak((_number(place["y"], where), _number(place["x"], where)), where)
            for where, place in ((where, _fields(value, where, ("x", "y"))) for where, value in found["add_peak"])
        ),
        protect=tuple(
            ProtectedPeak(_whole(one["id"], where, "id"), _radius(one["radius"], where), where)
            for where, one in ((where, _fields(value, where, ("id", "radius"))) for where, value in found["protect"])
        ),
    )


def _entries(path: Path) -> Iterator[tuple[str, str, Any]]:
    """Yield kind, file with line, and value of each edit."""
    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        root = loader.get_single_node()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise InputError(f"{path}{line}: not valid YAML: {error.problem or error.context}") from error
    if root is None:
        return
    if not isinstance(root, yaml.MappingNode):
        raise InputError(f"{path}: a mapping of {listing(_KINDS)} to lists is expected")
    for key, values in root.value:
        where = f"{path}, line {key.start_mark.line + 1}"
        if key.value not in _KINDS:
            raise InputError(
                f"{where}: there is no edit '{key.value}'{suggestion(key.value, _KINDS)} Edits: {listing(_KINDS)}"
            )
        if not isinstance(values, yaml.SequenceNode):
            raise InputError(f"{where}: {key.value} must be a list")
        for item in values.value:
            yield key.value, f"{path}, line {item.start_mark.line + 1}", loader.construct_object(item, deep=True)


def _fields(value: Any, where: str, names: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != set(names):
        raise InputError(f"{where}: a mapping of {' and '.join(names)} is expected, got {value!r}")
    return value


def _several(value: Any, where: str) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) < 2:
        raise InputError(f"{where}: merge takes lists of two or more objectIds, got {value!r}")
    return tuple(_whole(one, where, "merge") for one in value)


def _whole(value: Any, where: str, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InputError(f"{where}: {what} takes an objectId, which is a whole number; got {value!r}")
    return value


def _number(value: Any, where: str) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        raise InputError(f"{where}: a position in pixels is expected, got {value!r}")
    return float(value)


def _radius(value: Any, where: str) -> float:
    radius = _number(value, where)
    if radius <= 0:
        raise InputError(f"{where}: radius must be above 0 pixels, got {value!r}")
    return radius
