"""Positions of sources that the user already knows."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exceptions import InputError, InputWarning
from .wcs import sky_to_pixel

__all__ = ["SourceList", "read_sources"]

_FORMATS = {
    ".csv": "ascii.csv",
    ".ecsv": "ascii.ecsv",
    ".fits": "fits",
    ".fit": "fits",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_PIXEL_COLUMNS = (("x", "y"),)
_SKY_COLUMNS = (("ra", "dec"), ("coord_ra", "coord_dec"))
_NAME_COLUMNS = ("id", "name", "objectid")
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
    columns, label = _columns(table)
    y, x = _pixel_positions(columns, wcs, frame, label)
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


def _columns(table: Any) -> tuple[dict[str, NDArray[Any]], str]:
    """Columns by lower-case name, and how messages call the table."""
    from astropy.table import Table  # noqa: PLC0415 - slow to load, so only where it is used

    label = "source list"
    if isinstance(table, (str, Path)):
        label = f"source list {table}"
        table = _read_table(Path(table).expanduser(), label)
    elif not isinstance(table, Table):
        try:
            table = Table.from_pandas(table) if hasattr(table, "iloc") else Table(table)
        except (TypeError, ValueError) as error:
            raise InputError(f"{label}: {type(table).__name__} cannot be read as a table: {error}") from error
    return {name.lower(): _values(table[name]) for name in table.colnames}, label


def _values(column: Any) -> NDArray[Any]:
    """Values of a column; missing numbers become NaN, so that they are reported."""
    if hasattr(column, "filled"):
        column = column.filled(np.nan) if column.dtype.kind == "f" else column.astype(str).filled("nan")
    return np.asarray(column)


def _read_table(path: Path, label: str) -> Any:
    if not path.is_file():
        raise InputError(f"{label}: no such file ({path.absolute()})")
    suffixes = [s.lower() for s in path.suffixes if s.lower() != ".gz"]
    kind = _FORMATS.get(suffixes[-1] if suffixes else "")
    if kind is None:
        raise InputError(f"{label}: the name must end in one of {', '.join(_FORMATS)}")
    try:
        if kind == "parquet":
            return _read_parquet(path)
        from astropy.table import Table  # noqa: PLC0415 - slow to load, so only where it is used

        return Table.read(path, format=kind)
    except Exception as error:
        raise InputError(f"{label} cannot be read as {kind}: {error}") from error


def _read_parquet(path: Path) -> Any:
    """Table of the columns of a Parquet file; astropy's own reader would need pandas."""
    from astropy.table import Table  # noqa: PLC0415 - slow to load, so only where it is used
    from pyarrow import parquet  # noqa: PLC0415 - slow to load, so only where it is used

    columns = parquet.read_table(path)
    wanted = {n for names in (*_PIXEL_COLUMNS, *_SKY_COLUMNS, _NAME_COLUMNS, ("frame",)) for n in names}
    kept = [name for name in columns.column_names if name.lower() in wanted] or columns.column_names
    return Table({name: columns[name].to_numpy() for name in kept})


def _pixel_positions(
    columns: dict[str, NDArray[Any]], wcs: Any, frame: str | None, label: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
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


def _floats(columns: dict[str, NDArray[Any]], name: str, label: str) -> NDArray[np.float64]:
    try:
        return np.atleast_1d(columns[name]).astype(np.float64)
    except ValueError as error:
        raise InputError(f"{label}: column {name!r} must hold numbers: {error}") from error
