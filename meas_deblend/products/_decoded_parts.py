"""Peaks, components, point-source fits and covariances of many rows at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..geometry import Peak
from ..models import (
    AnyComponent,
    FactorizedComponent,
    PointComponent,
    PointSourceFit,
    ProfileComponent,
    TemplateComponent,
)
from ._flat import Bytes, Lists, UnusualError, numbers, present, strings, tuples
from ._frames import boxed, boxes_of
from ._planes import pixel_arrays, plain_arrays

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from ..geometry import Box

__all__ = ["decoded_components", "decoded_covariances", "decoded_fits", "decoded_peaks"]

_PARAMETERS = {"factorized": 0, "template": 0, "point": 2, "profile": 6}
"""Kinds of components, and how many parameters they have."""

_NO_FITS: tuple[PointSourceFit | None, ...] = ()


def decoded_peaks(struct: pa.StructArray, first: int, stop: int) -> list[Peak]:
    """Peaks of a part of a column.

    Raises
    ------
    UnusualError
        If they are not as this package writes them.
    """
    ids, y, x, values = (
        numbers(present(struct.field(name)), dtype)[first:stop].tolist()
        for name, dtype in (("id", np.int64), ("y", np.int32), ("x", np.int32), ("value", np.float64))
    )
    bands, names = tuples(struct.field("bands"), first, stop), strings(struct.field("name"), first, stop)
    return list(map(Peak, ids, y, x, values, bands, _positions(struct.field("position"), first, stop), names))


def decoded_components(struct: pa.StructArray, first: int, stop: int, n_bands: int) -> list[AnyComponent]:
    """Components of a part of a column.

    Parameters
    ----------
    struct : StructArray
    first, stop : int
        Half-open.
    n_bands : int
        Number of bands that spectra and templates must have.

    Raises
    ------
    UnusualError
        If they are not as this package writes them.
    """
    if first == stop:
        return []
    kinds = strings(struct.field("kind"), first, stop)
    if not set(kinds) <= _PARAMETERS.keys():
        raise UnusualError
    boxes = boxes_of(struct.field("box"), first, stop)
    sides = [tuple(shape) for shape in boxes[:, 2:].tolist()]
    of_pixels = [_pixel_shape(kind, shape, n_bands) for kind, shape in zip(kinds, sides, strict=True)]
    of_spectra = [None if kind == "template" else (n_bands,) for kind in kinds]
    pixels, spectra = struct.field("pixels"), struct.field("spectrum")
    _check_shapes(pixels, first, of_pixels)
    planes = Bytes.of(_like(pixels, "support")), Bytes.of(_like(pixels, "values"))
    parts = (
        boxed(boxes),
        _plain(spectra, first, of_spectra),
        pixel_arrays(_types(pixels, first, stop), planes, first, of_pixels),
    )
    parameters = _parameters(struct.field("parameters"), first, kinds)
    if set(kinds) == {"factorized"}:
        return list(map(FactorizedComponent, *parts))
    return list(map(_component, kinds, *parts, parameters))


def decoded_covariances(
    struct: pa.StructArray, first: int, shapes: Sequence[tuple[int, ...]]
) -> list[NDArray[Any] | None]:
    """Flux covariances of the blends that have one; those must be of the shapes given.

    Raises
    ------
    UnusualError
        If they are not as this package writes them.
    """
    if struct.null_count == len(struct):
        return [None] * len(shapes)
    there = _there(struct, first, first + len(shapes))
    arrays = _plain(struct, first, [shape if one else None for shape, one in zip(shapes, there, strict=True)])
    return [array if one else None for array, one in zip(arrays, there, strict=True)]


def decoded_fits(lists: Lists, first: int, stop: int, n_bands: int) -> list[tuple[PointSourceFit | None, ...]]:
    """Point-source fits of a part of the sources.

    Raises
    ------
    UnusualError
        If they are not as this package writes them.
    """
    a, b = lists.bounds(first, stop)
    if a == b:
        return [_NO_FITS] * (stop - first)
    if not set(lists.lengths(first, stop).tolist()) <= {0, n_bands}:
        raise UnusualError
    struct = lists.values
    centers = _positions(_like(struct, "center"), a, b)
    is_psf = _like(struct, "is_psf").slice(a, b - a).to_pylist()
    fluxes = numbers(_like(struct, "flux"), np.float64)[a:b].tolist()
    fits = [
        None if center is None else PointSourceFit(psf, flux, center)
        for psf, flux, center in zip(is_psf, fluxes, centers, strict=True)
    ]
    return lists.cut(first, stop, fits)


def _component(
    kind: str, box: Box, spectrum: NDArray[Any], pixels: NDArray[Any], parameters: list[float]
) -> AnyComponent:
    if kind == "factorized":
        return FactorizedComponent(box, spectrum, pixels)
    if kind == "template":
        return TemplateComponent(box, pixels)
    y, x, *shape = parameters
    if kind == "point":
        return PointComponent(box, spectrum, (y, x))
    radius, g1, g2, index = shape
    return ProfileComponent(box, spectrum, (y, x), radius, (g1, g2), index)


def _pixel_shape(kind: str, sides: tuple[int, ...], n_bands: int) -> tuple[int, ...] | None:
    if kind == "factorized":
        return sides
    return (n_bands, *sides) if kind == "template" else None


def _parameters(array: pa.Array, first: int, kinds: list[str]) -> list[list[float]]:
    lists = Lists.of(array, nullable=True)
    a, b = lists.bounds(first, first + len(kinds))
    values = numbers(present(lists.values), np.float64)[a:b]
    lengths = lists.lengths(first, first + len(kinds)).tolist()
    if lengths != [_PARAMETERS[kind] for kind in kinds] or not np.isfinite(values).all():
        raise UnusualError
    if a == b:
        return [[]] * len(kinds)
    return [list(own) for own in lists.cut(first, first + len(kinds), values.tolist())]


def _plain(struct: pa.StructArray, first: int, shapes: Sequence[tuple[int, ...] | None]) -> list[NDArray[Any]]:
    _check_shapes(struct, first, shapes)
    dtypes = _types(struct, first, first + len(shapes))
    return plain_arrays(dtypes, Bytes.of(_like(struct, "data")), first, shapes)


def _types(struct: pa.StructArray, first: int, stop: int) -> list[str | None]:
    return _like(struct, "dtype").slice(first, stop - first).to_pylist()  # type: ignore[no-any-return]


def _check_shapes(struct: pa.StructArray, first: int, shapes: Sequence[tuple[int, ...] | None]) -> None:
    """Arrays must have these shapes."""
    lists = Lists.of(_like(struct, "shape"), nullable=True)
    a, b = lists.bounds(first, first + len(shapes))
    stored = numbers(present(lists.values), np.int32)[a:b].tolist()
    lengths = lists.lengths(first, first + len(shapes)).tolist()
    wanted = [shape or () for shape in shapes]
    if lengths != list(map(len, wanted)) or stored != [side for shape in wanted for side in shape]:
        raise UnusualError


def _positions(struct: pa.StructArray, first: int, stop: int) -> list[tuple[float, float] | None]:
    """Positions of a part of a column, None where there is none."""
    y, x = (numbers(_like(struct, name), np.float64)[first:stop] for name in ("y", "x"))
    places: list[tuple[float, float] | None] = list(zip(y.tolist(), x.tolist(), strict=True))
    finite = np.isfinite(y) & np.isfinite(x)
    if struct.null_count == 0:
        if not finite.all():
            raise UnusualError
        return places
    there = _there(struct, first, stop)
    if not finite[there].all():
        raise UnusualError
    return [place if one else None for place, one in zip(places, there, strict=True)]


def _there(struct: pa.Array, first: int, stop: int) -> NDArray[np.bool_]:
    """Which values of a part of a column are not null."""
    return struct.slice(first, stop - first).is_valid().to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _like(struct: pa.StructArray, name: str) -> pa.Array:
    """Return a field that must be null where the struct is, and nowhere else."""
    array = struct.field(name)
    if array.null_count != struct.null_count:
        raise UnusualError
    return array
