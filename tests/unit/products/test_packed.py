"""Rows of tables as bytes: every value comes back, in the type that the column has."""

import numpy as np
import pytest

from meas_deblend.products import CatalogLayout, declaration, pack_rows, to_table, unpack_rows

LAYOUT = CatalogLayout(("g", "r"), aperture_radii=(3.0,))


def rows(table, n, seed=1):
    """Values of every column of a table, as lists or arrays."""
    rng = np.random.default_rng(seed)
    make = {
        "int32": lambda: rng.integers(-(2**31), 2**31 - 1, n),
        "int64": lambda: rng.integers(1, 2**63 - 1, n),
        "float32": lambda: rng.normal(size=n).astype(np.float32),
        "float64": lambda: rng.normal(size=n),
        "bool": lambda: rng.random(n) < 0.5,
        "string": lambda: [f"ä{k}" for k in rng.integers(0, 99, n)],
    }
    return {column.name: make[column.dtype]() for column in declaration(table).unfold(LAYOUT)}


@pytest.mark.parametrize("table", ["objects", "parents", "ledger", "flux_covariance"])
def test_every_value_comes_back(table):
    parts = [rows(table, n, seed=n) for n in (3, 0, 1)]
    back = unpack_rows(table, [pack_rows(table, part, LAYOUT) for part in parts], LAYOUT)
    assert list(back) == [column.name for column in declaration(table).unfold(LAYOUT)]
    for name, values in back.items():
        expected = [value for part in parts for value in part[name]]
        assert list(values) == expected
    assert len(to_table(table, back, LAYOUT)) == 4


def test_columns_that_are_kept_elsewhere_are_left_out():
    some, given = frozenset({"x", "sourceName"}), rows("objects", 3)
    part = {name: values for name, values in given.items() if name not in some}
    back = unpack_rows("objects", [pack_rows("objects", part, LAYOUT, some)], LAYOUT, some)
    assert list(back) == [column.name for column in declaration("objects").unfold(LAYOUT) if column.name not in some]
    assert back["y"].tolist() == given["y"].tolist()


def test_without_rows_there_are_empty_columns():
    back = unpack_rows("objects", [], LAYOUT)
    assert {len(values) for values in back.values()} == {0}
    assert len(to_table("objects", back, LAYOUT)) == 0


def test_what_is_not_as_declared_is_refused():
    good = rows("ledger", 2)
    with pytest.raises(KeyError, match="masked"):
        pack_rows("ledger", {name: values for name, values in good.items() if name != "masked"}, LAYOUT)
    with pytest.raises(TypeError, match="Cannot cast"):
        pack_rows("ledger", good | {"not_finite": [0.5, 1.0]}, LAYOUT)
    with pytest.raises(TypeError, match=r"columns of ledger differ in length: \[1, 2\]"):
        pack_rows("ledger", good | {"not_finite": [1]}, LAYOUT)
