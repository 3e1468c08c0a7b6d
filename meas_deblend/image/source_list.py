"""Positions of sources that the user already knows."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..exceptions import InputError, InputWarning
from .tables import table_columns
from .wcs import sky_to_pixel

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SourceList", "pixel_positions", "read_sources"]

_PIXEL_COLUMNS = (("x", "y"),)
_SKY_COLUMNS = (("ra", "dec"), ("coord_ra", "coord_dec"))
_NAME_COLUMNS = ("id", "name", "objectid")
_WANTED = frozenset(n for names in (*_PIXEL_COLUMNS, *_SKY_COLUMNS, _NAME_COLUMNS, ("frame",)) for n in names)
_EXPECTED = (
    "expected x and y (pixels, 0-based), or ra and dec (degrees; coord_ra and coord_dec work too), and optionally id "
    "or name, and frame"
)


@dataclass(frozen=True, slots=True, eq=False)
class SourceList:
    """Given positions, in the order of the table.

    Parameters
    ----------
    y, x : float64 array (n,)
        Pixel positions, 0-based.
    names : tuple of str
        What the user calls them; "1", "2", … where the table does not tell.
    """

    y: NDArray[np.float64]
    x: NDArray[np.float64]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def positions(self) -> tuple[tuple[float, float], ...]:
        """``(y, x)`` of each source."""
        return tuple(zip(self.y.tolist(), self.x.tolist(), strict=True))


def read_sources(
    table: Any, wcs: Any = None, *, shape: tuple[int, int] | None = None, frame: str | None = None
) -> SourceList:
    """Read a list of source positions.

    Parameters
    ----------
    table : str, Path, astropy Table, mapping or structured array
        The table, or a file: .csv, .ecsv, .fits (.gz), .parquet.  Columns (any case): ``x`` and ``y`` in pixels,
        0-based; or ``ra`` and ``dec`` (or ``coord_ra`` and ``coord_dec``) in degrees; optionally ``id`` or ``name``,
        and ``frame``.  Pixels go first if a table has both.
    wcs : astropy.wcs.WCS, optional
        World coordinates of the image, needed for sky positions.
    shape : tuple of int, optional
        Shape (y, x) of the image: positions more than half a pixel outside are left out.
    frame : str, optional
        Frame of sky positions, the same for all ("icrs", "fk5", "galactic", …); else the column ``frame``, else ICRS.

    Raises
    ------
    InputError
        If the file cannot be read, columns are missing (those found are listed), the table is empty, a position is not
        finite, sky positions come without a WCS, or no position is on the image.

    Warns
    -----
    InputWarning
        If positions outside the image were left out; says how many.
    """
    columns, label = table_columns(table, "source list", _WANTED.__contains__)
    y, x = pixel_positions(columns, wcs, frame, label)
    if y.size == 0:
        raise InputError(f"{label} holds no sources")
    wrong = ~(np.isfinite(y) & np.isfinite(x))
    if wrong.any():
        rows = ", ".join(str(k) for k in np.flatnonzero(wrong)[:5])
        raise InputError(f"{label}: {int(wrong.sum())} of {y.size} positions are not finite (rows {rows}, from 0)")
    key = next((columns[c] for c in _NAME_COLUMNS if c in columns), None)
    names = tuple(str(k + 1) for k in range(y.size)) if key is None else tuple(str(v) for v in key)
    if shape is None:
        return SourceList(y, x, names)
    inside = (y >= -0.5) & (y < shape[0] - 0.5) & (x >= -0.5) & (x < shape[1] - 0.5)
    if not inside.any():
        raise InputError(
            f"{label}: none of the {y.size} positions is on the image of {shape[0]} × {shape[1]} px (y, x); they span "
            f"y {y.min():.6g} … {y.max():.6g} and x {x.min():.6g} … {x.max():.6g}: are x and y swapped, or is the "
            "frame another one?"
        )
    if not inside.all():
        left = [n for n, ok in zip(names, inside, strict=True) if not ok]
        warnings.warn(
            f"{label}: {len(left)} of {y.size} positions are outside the image and were left out: "
            f"{', '.join(left[:10])}{' …' if len(left) > 10 else ''}",
            InputWarning,
            stacklevel=2,
        )
    return SourceList(y[inside], x[inside], tuple(n for n, ok in zip(names, inside, strict=True) if ok))


def pixel_positions(
    columns: Mapping[str, NDArray[Any]], wcs: Any, frame: str | None, label: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions ``(y, x)`` in pixels, 0-based, of the rows of a table.

    Parameters
    ----------
    columns : mapping of str to array (n,)
        ``x`` and ``y``, or ``ra`` and ``dec`` (``coord_ra`` and ``coord_dec``), and optionally ``frame``.
    wcs : astropy.wcs.WCS or None
        Needed for sky positions.
    frame : str, optional
        Frame of sky positions; else the column ``frame``, else ICRS.
    label : str
        How messages name the table.

    Raises
    ------
    InputError
        If there are no such columns (those found are listed), they hold no numbers, or a WCS is missing.
    """
    for x, y in _PIXEL_COLUMNS:
        if x in columns and y in columns:
            return _floats(columns, y, label), _floats(columns, x, label)
    for lon, lat in _SKY_COLUMNS:
        if lon in columns and lat in columns:
            if wcs is None:
                raise InputError(f"{label} has {lon} and {lat}, but the images have no WCS; give x and y in pixels")
            sky = _floats(columns, lon, label), _floats(columns, lat, label)
            return _sky_positions(*sky, columns.get("frame"), frame, wcs)
    hint = "; x_image and y_image count from 1: subtract 1" if {"x_image", "y_image"} <= columns.keys() else ""
    raise InputError(f"{label}: {_EXPECTED}; found {', '.join(columns) or 'no column'}{hint}")


def _sky_positions(
    ra: NDArray[np.float64], dec: NDArray[np.float64], column: NDArray[Any] | None, frame: str | None, wcs: Any
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    y, x = np.full(ra.shape, np.nan), np.full(ra.shape, np.nan)
    frames = np.full(ra.shape, frame or "icrs") if frame is not None or column is None else column.astype(str)
    valid = np.isfinite(ra) & np.isfinite(dec)
    for name in dict.fromkeys(frames.tolist()):
        rows = valid & (frames == name)
        y[rows], x[rows] = sky_to_pixel(wcs, ra[rows], dec[rows], name)
    return y, x


def _floats(columns: Mapping[str, NDArray[Any]], name: str, label: str) -> NDArray[np.float64]:
    try:
        return np.atleast_1d(columns[name]).astype(np.float64)
    except ValueError as error:
        raise InputError(f"{label}: column {name!r} must hold numbers: {error}") from error
