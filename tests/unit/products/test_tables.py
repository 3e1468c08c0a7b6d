"""Tables: checked against the declaration, written, read back with their units."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

from meas_deblend.exceptions import InputError, ModelError
from meas_deblend.products import (
    TABLES,
    CatalogLayout,
    check_table,
    declaration,
    read_columns,
    read_table,
    to_table,
    write_table,
)

LAYOUT = CatalogLayout.of_bands(("g", "r"), (27.0, None), (3.0,), "count")
SAMPLES = Path(__file__).parents[2] / "data"
VALUES = {"int32": 1, "int64": 1, "float32": 1.5, "float64": 0.1, "bool": True, "string": "a"}


def columns_of(name, n=3):
    """Columns with allowed values, whose keys differ."""
    columns = {c.name: np.full(n, VALUES[c.dtype]) for c in declaration(name).unfold(LAYOUT)}
    last = declaration(name).key[-1]
    columns[last] = np.array([f"k{k}" for k in range(n)]) if columns[last].dtype.kind == "U" else np.arange(1, n + 1)
    return columns


@pytest.mark.parametrize("n", [0, 3])
@pytest.mark.parametrize("name", TABLES)
def test_what_is_written_is_read_with_units_and_descriptions(tmp_path, name, n):
    columns = columns_of(name, n)
    nullable = [c.name for c in declaration(name).unfold(LAYOUT) if c.nullable]
    for key in nullable[:3]:
        columns[key] = np.full(n, np.nan)
    write_table(tmp_path / "t.parquet", name, columns, LAYOUT, {"meas_deblend": "0.1.0"})
    table = read_table(tmp_path / "t.parquet")
    assert table.meta["table"] == name
    assert table.meta["layout"] == LAYOUT
    assert table.meta["provenance"] == {"meas_deblend": "0.1.0"}
    for column in declaration(name).unfold(LAYOUT):
        got = table[column.name]
        assert str(got.unit or "") == {"count": "ct"}.get(column.unit, column.unit)
        assert got.description == column.meaning
        np.testing.assert_array_equal(got, columns[column.name].astype(got.dtype))
        assert got.dtype.kind == {"string": "U", "bool": "b"}.get(column.dtype, column.dtype[0])
        if column.dtype[-2:] in ("32", "64"):
            assert got.dtype.name == column.dtype


def test_tables_can_be_written_again_and_are_the_same_file(tmp_path):
    write_table(tmp_path / "a", "objects", columns_of("objects"), LAYOUT)
    write_table(tmp_path / "b", "objects", read_table(tmp_path / "a"), LAYOUT)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_some_columns_are_read_alone(tmp_path):
    columns = columns_of("objects")
    write_table(tmp_path / "t.parquet", "objects", columns, LAYOUT)
    names = ("objectId", "merge_peak_sky", "coord_ra")
    found = read_columns(tmp_path / "t.parquet", names)
    assert tuple(found) == names
    for name in names:
        np.testing.assert_array_equal(found[name], read_table(tmp_path / "t.parquet")[name])
    with pytest.raises(ModelError, match=r"t\.parquet has no column nothing"):
        read_columns(tmp_path / "t.parquet", ("objectId", "nothing"))
    with pytest.raises(ModelError, match="there is no table at"):
        read_columns(tmp_path / "other.parquet", names)


def test_tables_go_to_fits_and_ecsv(tmp_path):
    table = to_table("objects", columns_of("objects"), LAYOUT)
    table.meta.clear()
    for suffix in ("fits", "ecsv"):
        path = tmp_path / f"t.{suffix}"
        table.write(path)
        again = Table.read(path)
        np.testing.assert_array_equal(again["g_psfFlux"], table["g_psfFlux"])
        assert str(again["g_psfFlux"].unit) == "nJy"


def test_lists_and_wider_numbers_are_taken():
    columns = {name: values.tolist() for name, values in columns_of("parents").items()}
    table = to_table("parents", columns, LAYOUT)
    assert table["deblend_nPeaks"].dtype == np.int32
    columns["deblend_nPeaks"] = [1, 2, 2**40]
    with pytest.raises(InputError, match="deblend_nPeaks: a value does not fit int32"):
        to_table("parents", columns, LAYOUT)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"deblend_nPeaks": None}, "missing columns deblend_nPeaks"),
        ({"deblend_npeaks": [1, 2, 3]}, r"unknown column 'deblend_npeaks' \(did you mean 'deblend_nPeaks'\?\)"),
        ({"deblend_nPeaks": [1.0, 2.0, 3.0]}, "deblend_nPeaks must be int32, got float64"),
        ({"deblend_failed": [0, 1, 0]}, "deblend_failed must be bool, got int64"),
        ({"deblend_reason": [1, 2, 3]}, "deblend_reason must be string"),
        ({"deblend_reason": np.array(["a", None, "b"], object)}, "deblend_reason must hold strings only"),
        ({"deblend_nPeaks": [1, 2]}, "columns differ in length"),
        ({"deblend_nPeaks": [[1], [2], [3]]}, "one-dimensional"),
        ({"parentObjectId": [1, 2, 1]}, r"parentObjectId must identify a row, but \(1,\) occurs more than once"),
        ({"deblend_chi2": np.ma.masked_equal([1.0, 2.0, 3.0], 2.0)}, "deblend_chi2 has masked rows"),
    ],
)
def test_tables_that_are_not_as_declared_are_refused(change, message):
    columns = {**columns_of("parents"), **change}
    columns = {name: values for name, values in columns.items() if values is not None}
    with pytest.raises(InputError, match=message):
        check_table("parents", columns, LAYOUT)


def test_a_value_is_needed_where_the_declaration_says_so():
    columns = columns_of("objects")
    columns["x"] = np.array([1.0, np.nan, np.nan])
    with pytest.raises(InputError, match="x has 2 rows without a value"):
        check_table("objects", columns, LAYOUT)


def test_all_problems_are_told_at_once():
    columns = columns_of("parents") | {"deblend_failed": [0, 1, 0], "extra": [1, 2, 3]}
    del columns["bbox_min_x"]
    with pytest.raises(InputError, match="missing columns bbox_min_x; unknown column 'extra'; deblend_failed must be"):
        check_table("parents", columns, LAYOUT)


def test_units_that_astropy_does_not_know_are_kept():
    layout = CatalogLayout(("g",), image_unit="furlong")
    assert str(to_table("ledger", columns_of("ledger"), layout)["data"].unit) == "furlong"


def test_foreign_and_damaged_tables_are_told(tmp_path):
    path = tmp_path / "t"
    with pytest.raises(ModelError, match="there is no table at"):
        read_table(path)
    path.write_bytes(b"PAR1 is not enough")
    with pytest.raises(ModelError, match="damaged or is not a Parquet file"):
        read_table(path)
    write_table(path, "ledger", columns_of("ledger"), LAYOUT)
    stored = pq.read_table(path)
    about = json.loads(stored.schema.metadata[b"meas_deblend"])
    for change, message in (
        ({"version": "2.0.0"}, r"version 2\.0\.0 .* reads up to 1\.3\.0"),
        ({"version": "0.1.0"}, r"claims version 0\.1\.0 .* only 1\.0\.0, 1\.1\.0, 1\.2\.0 and 1\.3\.0"),
        ({"table": "parents"}, "damaged: table 'parents' is not as declared"),
        ({"layout": {}}, "damaged"),
    ):
        pq.write_table(stored.replace_schema_metadata({"meas_deblend": json.dumps(about | change)}), path)
        with pytest.raises(ModelError, match=message):
            read_table(path)
    pq.write_table(stored.replace_schema_metadata({"meas_deblend": "{"}), path)
    with pytest.raises(ModelError, match="header is not JSON"):
        read_table(path)


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0", "1.2.0"])
@pytest.mark.parametrize("name", ["objects", "parents"])
def test_the_stored_tables_of_older_versions_are_still_read_with_the_columns_of_then(name, version):
    table = read_table(SAMPLES / f"{name}-{version}.parquet")
    declared = declaration(name).unfold(LAYOUT, version)
    assert table.colnames == [column.name for column in declared]
    assert table["deblend_failed"].description == next(c.meaning for c in declared if c.name == "deblend_failed")
    assert table.meta["layout"] == LAYOUT
    check_table(name, table, LAYOUT, version)
    if table.colnames != [column.name for column in declaration(name).unfold(LAYOUT)]:
        with pytest.raises(InputError, match=r"missing columns "):
            check_table(name, table, LAYOUT)


def test_a_table_that_is_refused_leaves_no_file(tmp_path):
    with pytest.raises(InputError):
        write_table(tmp_path / "t", "ledger", {}, LAYOUT)
    assert list(tmp_path.iterdir()) == []
