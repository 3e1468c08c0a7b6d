"""What Rubin's tables have: each column is here, under the name that is told, or left out for a reason."""

import pytest

from meas_deblend.products import TABLES
from meas_deblend.products.rubin_columns import RUBIN_COLUMNS, rubin_columns_markdown


@pytest.mark.parametrize("column", RUBIN_COLUMNS, ids=lambda column: column.name)
def test_column_is_where_it_is_said_to_be(column):
    holders = {name for name in ("objects", "parents") if column.declared in {c.name for c in TABLES[name].columns}}
    assert set(column.tables) <= holders
    if not column.tables:
        assert column.why.startswith("Left out: ")
        assert not holders
        assert not any(column.name in c.name for table in TABLES.values() for c in table.columns)
    assert column.name.startswith(("deblend_", "merge_"))


def test_names_occur_once_and_are_all_on_the_page():
    names = [column.name for column in RUBIN_COLUMNS]
    assert len(set(names)) == len(names)
    page = rubin_columns_markdown()
    assert all(f"| `{name}` |" in page for name in names)
    assert {line.count("|") for line in page.splitlines()} == {5}
