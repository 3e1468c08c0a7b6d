"""Plain columns in a Parquet file, for tables that are no catalog."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._atomic import atomic_write
from ..exceptions import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["read_columns", "write_columns"]

_KEY = b"meas_deblend"


def write_columns(path: Path | str, columns: Mapping[str, NDArray[Any]], about: Mapping[str, Any]) -> Path:
    """Write columns of equal length; the file appears whole or not at all.

    Parameters
    ----------
    path : path-like
    columns : mapping of str to array (row,)
        Numbers, booleans or text.
    about : mapping
        What the table is, kept as JSON in the file's metadata.

    Returns
    -------
    Path
        The file.
    """
    import pyarrow as pa  # noqa: PLC0415 - slow to load
    from pyarrow import parquet  # noqa: PLC0415 - slow to load

    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    table = table.replace_schema_metadata({_KEY: json.dumps(about)})
    with atomic_write(path) as stream:
        parquet.write_table(table, stream, compression="zstd")
    return Path(path)


def read_columns(path: Path | str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read what `write_columns` wrote.

    Returns
    -------
    columns : dict of str to array
    about : dict

    Raises
    ------
    InputError
        If the file is not there, is damaged, or is none of these.
    """
    from pyarrow import ArrowException, parquet  # noqa: PLC0415 - slow to load

    if not Path(path).is_file():
        raise InputError(f"{path}: no such file")
    try:
        table = parquet.read_table(path)
    except (ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read as Parquet: {error}") from error
    about = (table.schema.metadata or {}).get(_KEY)
    if about is None:
        raise InputError(f"{path} was not written by meas_deblend: it says nothing of itself")
    columns = {name: np.asarray(table[name].to_numpy(zero_copy_only=False)) for name in table.column_names}
    return columns, json.loads(about)
