"""Tables that a user gives, as columns: files of several formats, astropy tables, mappings, data frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["table_columns"]

_FORMATS = {
    ".csv": "ascii.csv",
    ".ecsv": "ascii.ecsv",
    ".fits": "fits",
    ".fit": "fits",
    ".parquet": "parquet",
    ".pq": "parquet",
}


def table_columns(
    table: Any, label: str, wanted: Callable[[str], bool] | None = None
) -> tuple[dict[str, NDArray[Any]], str]:
    """Read a table.

    Parameters
    ----------
    table : str, Path, astropy Table, mapping, data frame or structured array
        The table, or a file: .csv, .ecsv, .fits (.gz), .parquet.
    label : str
        What the table is, for messages: "source list", "catalog", ...
    wanted : callable, optional
        Says of a lower-case name whether that column is needed; a Parquet file may hold hundreds of others.

    Returns
    -------
    columns : dict of str to array
        By lower-case name; missing numbers are NaN.
    label : str
        With the name of the file, if it is one.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    from astropy.table import Table  # noqa: PLC0415 - slow to load, so only where it is used

    if isinstance(table, (str, Path)):
        label = f"{label} {table}"
        table = _read_table(Path(table).expanduser(), label, wanted)
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


def _read_table(path: Path, label: str, wanted: Callable[[str], bool] | None) -> Any:
    if not path.is_file():
        raise InputError(f"{label}: no such file ({path.absolute()})")
    suffixes = [s.lower() for s in path.suffixes if s.lower() != ".gz"]
    kind = _FORMATS.get(suffixes[-1] if suffixes else "")
    if kind is None:
        raise InputError(f"{label}: the name must end in one of {', '.join(_FORMATS)}")
    try:
        if kind == "parquet":
            return _read_parquet(path, wanted)
        from astropy.table import Table  # noqa: PLC0415 - slow to load, so only where it is used

        return Table.read(path, format=kind)
    except Exception as error:
        raise InputError(f"{label} cannot be read as {kind}: {error}") from error


def _read_parquet(path: Path, wanted: Callable[[str], bool] | None) -> Any:
    """Table of the columns of a Parquet file; astropy's own reader would need pandas."""
    from astropy.table import Table  # noqa: PLC0415 - slow to load, so only where it is used
    from pyarrow import parquet  # noqa: PLC0415 - slow to load, so only where it is used

    columns = parquet.read_table(path)
    kept = [name for name in columns.column_names if wanted is None or wanted(name.lower())] or columns.column_names
    return Table({name: columns[name].to_numpy() for name in kept})
