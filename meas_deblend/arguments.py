"""What the doors for Python take, in its many forms, turned into what the library works with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any

from .edit_file import read_edits
from .exceptions import ConfigError, InputError
from .framework import Layer, layer_from_dict, layer_from_file

if TYPE_CHECKING:
    from .detect import Edits, Selection
    from .geometry import Box
    from .image import MultibandExposure

__all__ = ["Settings", "datasets_of", "layers_of", "selection_of"]

Settings = Mapping[str, Any] | str | Path | Layer
"""Settings by label, or a YAML file of them."""


def layers_of(config: Settings | Sequence[Settings] | None) -> tuple[Layer, ...]:
    """Return settings as layers, low to high.

    Raises
    ------
    ConfigError
        If one is neither a mapping by label nor a file.
    """
    if config is None:
        return ()
    if isinstance(config, (Mapping, str, Path, Layer)):
        return (_layer(config),)
    return tuple(_layer(one) for one in config)


def _layer(config: Settings) -> Layer:
    if isinstance(config, Layer):
        return config
    if isinstance(config, Mapping):
        return layer_from_dict(config)
    if isinstance(config, (str, Path)):
        return layer_from_file(Path(config))
    raise ConfigError(f"settings must be a mapping by label, or a YAML file, not {type(config).__name__}")


def selection_of(only: int | Iterable[int], bbox: str | Box | None) -> Selection:
    """Return which parents are asked for; see `api.deblend`.

    Raises
    ------
    InputError
        If an identifier is not a whole number, or the box is none.
    """
    from .detect import Selection, parse_bbox  # noqa: PLC0415 - loads the numerics
    from .geometry import Box  # noqa: PLC0415

    numbers: list[Any] = list(only) if isinstance(only, Iterable) else [only]
    wrong = [number for number in numbers if not isinstance(number, Integral)]
    if wrong:
        raise InputError(f"only takes identifiers of parents, which are whole numbers; got {wrong[0]!r}")
    if not isinstance(bbox, (str, Box, NoneType)):
        raise InputError(f'bbox must be "X0:X1,Y0:Y1" or a Box, got {bbox!r}')
    box = parse_bbox(bbox) if isinstance(bbox, str) else bbox
    return Selection(tuple(dict.fromkeys(int(number) for number in numbers)), box)


def datasets_of(
    coadds: MultibandExposure,
    sources: Any,
    frame: str | None,
    selection: Selection,
    edits: str | Path | Edits | None = None,
) -> dict[str, object]:
    """Return what is given to a pipeline: coadds, and positions, a selection and edits where there are any.

    Raises
    ------
    InputError
        If the positions or the edits cannot be used.
    """
    inputs: dict[str, object] = {"coadds": coadds}
    if sources is not None:
        from .image import read_sources  # noqa: PLC0415 - reads tables with astropy

        inputs["source_list"] = read_sources(sources, coadds.wcs, shape=coadds.box.shape, frame=frame)
    if not selection.is_all:
        inputs["selection"] = selection
    if edits is not None:
        read = read_edits(edits) if isinstance(edits, (str, Path)) else edits
        read.check_positions(coadds.box)
        inputs["edits"] = read
    return inputs
