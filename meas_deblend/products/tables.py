"""Catalogs as Parquet files and astropy tables, with the units and meanings of their columns."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .._atomic import atomic_write
from ..exceptions import InputError, ModelError
from .checks import declaration, typed_columns
from .columns import TABLE_VERSION, CatalogLayout, Column
from .versions import check_header, header

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from astropy.table import Table
    from numpy.typing import NDArray

__all__ = ["READABLE_TABLES", "TABLE_TYPE", "arrow_schema", "read_columns", "read_table", "to_table", "write_table"]

TABLE_TYPE = "meas_deblend.table"
READABLE_TABLES = ("1.0.0", "1.1.0", "1.2.0", TABLE_VERSION)
"""Versions that can be read, oldest first: the newer ones only added columns."""

_ARROW = {
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "string": pa.string(),
}


def arrow_schema(name: str, layout: CatalogLayout, provenance: Mapping[str, str] | None = None) -> pa.Schema:
    """Arrow schema of a table.

    Each field's metadata hold ``unit`` and ``description``; the schema's hold type, version, table, layout and
    provenance as JSON under the key ``meas_deblend``. No field is nullable: a float without a value is NaN.
    """
    fields = [_field(column) for column in declaration(name).unfold(layout)]
    about = header(TABLE_TYPE, TABLE_VERSION, table=name, layout=asdict(layout), provenance=dict(provenance or {}))
    return pa.schema(fields, metadata=about)


def to_table(name: str, columns: Mapping[str, Any], layout: CatalogLayout, version: str = TABLE_VERSION) -> Table:
    """Astropy table with units and descriptions, checked against the declaration.

    Parameters
    ----------
    name : str
        Table, e.g. "objects".
    columns : mapping of str to array (n,)
        All declared columns.
    layout : CatalogLayout
        Bands, apertures and units.
    version : str
        Version of the tables whose columns they are; default: the one that is written.

    Raises
    ------
    InputError
        If the columns are not those that are declared (`check_table`).
    """
    from astropy.table import Table  # noqa: PLC0415 - slow to load: a run does it while other processes work

    typed = typed_columns(name, columns, layout, version)
    # The columns are copies already; another one of a patch's hundreds of columns costs as much as its images.
    table = Table({key: _plain_strings(values) for key, values in typed.items()}, copy=False)
    for column in declaration(name).unfold(layout, version):
        table[column.name].description = column.meaning
        if column.unit:
            table[column.name].unit = _unit(column.unit)
    table.meta.update(table=name, layout=layout)
    return table


@cache
def _unit(text: str) -> Any:
    """Return the unit of a column: a few, for more than a thousand columns."""
    from astropy.units import Unit  # noqa: PLC0415 - slow to load

    return Unit(text, parse_strict="silent")


def write_table(
    path: Path,
    name: str,
    columns: Mapping[str, Any],
    layout: CatalogLayout,
    provenance: Mapping[str, str] | None = None,
) -> None:
    """Write a table as Parquet, whole or not at all.

    Parameters
    ----------
    path : Path
        File to write.
    name, columns, layout
        As for `to_table`; ``columns`` may be an astropy Table.
    provenance : mapping of str to str, optional
        Versions and whatever else identifies the run.

    Raises
    ------
    InputError
        If the columns are not those that are declared.
    """
    schema = arrow_schema(name, layout, provenance)
    typed = typed_columns(name, columns, layout)
    arrays = [pa.array(typed[field.name], type=field.type) for field in schema]
    with atomic_write(Path(path), "wb") as stream:
        pq.write_table(
            pa.Table.from_arrays(arrays, schema=schema), stream, compression="zstd", write_page_checksum=True
        )


def read_table(path: Path) -> Table:
    """Read a table that `write_table` wrote, with units and descriptions.

    ``meta`` holds the name of the ``table``, its `CatalogLayout` as ``layout``, and ``provenance``. A table of an
    older version has that version's columns.

    Raises
    ------
    ModelError
        If the file is missing, damaged, not one of our tables, of a newer version, or not as declared.
    """
    content, about = _content(Path(path))
    columns = {field.name: content[field.name].to_numpy() for field in content.schema}
    try:
        table = to_table(about["table"], columns, _layout(about["layout"]), about["version"])
    except (InputError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is damaged: {error}") from error
    table.meta["provenance"] = about.get("provenance", {})
    return table


def read_columns(path: Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Read some columns of a table that `write_table` wrote: of many tables, this is much faster than all of them.

    Parameters
    ----------
    path : Path
    names : sequence of str

    Returns
    -------
    dict of str to array (n,)

    Raises
    ------
    ModelError
        If the file is missing, damaged, not one of our tables, of a newer version, or lacks a column.
    """
    content, _ = _content(path, names)
    missing = [name for name in names if name not in content.column_names]
    if missing:
        raise ModelError(f"{path} has no column {', '.join(missing)}")
    return {name: content[name].to_numpy() for name in names}


def _content(path: Path, names: Sequence[str] | None = None) -> tuple[pa.Table, dict[str, Any]]:
    """Columns of a file, all without ``names``, and its header."""
    if not path.is_file():
        raise ModelError(f"there is no table at {path}")
    try:
        if names is None:
            content = pq.read_table(path, page_checksum_verification=True)
        else:
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                content = file.read(columns=list(names))
    except (pa.ArrowInvalid, OSError) as error:
        raise ModelError(f"{path} is damaged or is not a Parquet file: {error}") from error
    return content, check_header(content.schema.metadata, TABLE_TYPE, READABLE_TABLES, str(path))


def _layout(stored: Mapping[str, Any]) -> CatalogLayout:
    bands, units, radii = (tuple(stored[key]) for key in ("bands", "flux_units", "aperture_radii"))
    extra = tuple(Column(**column) for column in stored.get("extra", ()))
    return CatalogLayout(bands, units, radii, stored["image_unit"], extra)


def _field(column: Column) -> pa.Field:
    about = {"unit": column.unit, "description": column.meaning}
    if column.reference:
        about["reference"] = column.reference
    return pa.field(column.name, _ARROW[column.dtype], nullable=False, metadata=about)


def _plain_strings(values: Any) -> Any:
    # Object columns cannot be written to FITS or ECSV by astropy; fixed-width strings can.
    return values.astype(str) if values.dtype == np.dtype(object) else values
