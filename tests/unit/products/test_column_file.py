"""Plain columns in Parquet."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from meas_deblend.exceptions import InputError
from meas_deblend.products.column_file import read_columns, write_columns


def test_columns_and_back(tmp_path):
    columns = {
        "name": np.array(["a", "b"], dtype=object),
        "flux": np.array([1.5, np.nan]),
        "ok": np.array([True, False]),
    }
    path = write_columns(tmp_path / "table.parquet", columns, {"bands": ["g"]})
    found, about = read_columns(path)
    assert about == {"bands": ["g"]}
    assert list(found) == list(columns)
    np.testing.assert_array_equal(found["flux"], columns["flux"])
    assert found["name"].tolist() == ["a", "b"]


def test_other_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_columns(tmp_path / "nothing.parquet")
    (tmp_path / "text.parquet").write_text("text")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        read_columns(tmp_path / "text.parquet")
    parquet.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(InputError, match="was not written by meas_deblend"):
        read_columns(tmp_path / "other.parquet")
