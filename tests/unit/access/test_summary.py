"""Objects counted by rung and reason."""

import pytest
from astropy.table import Table

from meas_deblend.access.summary import RunSummary

COLUMNS = ("objectId", "parentObjectId", "deblend_rung", "deblend_reason")
FULL, ONE = "full_multi_band", "one_component"


def objects(*rows):
    return Table(rows=rows, names=COLUMNS, dtype=(int, int, "U20", "U20"))


@pytest.fixture
def mixed():
    return objects(
        (1, 0, FULL, ""),
        (10, 2, ONE, "over_cost_budget"),
        (11, 2, ONE, "over_cost_budget"),
        (12, 3, ONE, "over_cost_budget"),
        (13, 3, FULL, "split"),
        (14, 3, FULL, ""),
    )


def test_counts_add_up(mixed):
    rows = RunSummary.of_objects(mixed).rows
    assert [(row.rung, row.reason, row.objects, row.parents) for row in rows] == [
        (FULL, "", 2, (1, 3)),
        (FULL, "split", 1, (3,)),
        (ONE, "over_cost_budget", 3, (2, 3)),  # the parent with most of them first
    ]
    assert sum(row.objects for row in rows) == len(mixed)


def test_lines_for_people(mixed):
    lines = RunSummary.of_objects(mixed).lines()
    assert lines[:4] == [
        "objects  parents  rung             reason            of parents",
        "      2        2  full_multi_band  -",
        "      1        1  full_multi_band  split             3",
        "      3        2  one_component    over_cost_budget  2 3",
    ]
    assert [line.partition(":")[0] for line in lines[4:]] == ["split", "over_cost_budget"]


def test_long_lists_are_cut():
    lines = RunSummary.of_objects(objects(*((k, 0, ONE, "split") for k in range(1, 10)))).lines()
    assert lines[1].endswith("1 2 3 4 5 6 and 3 others")


def test_when_all_went_well_one_line_says_so():
    assert RunSummary.of_objects(objects((1, 0, FULL, ""))).lines() == ["all objects on the rung full_multi_band"]
    assert RunSummary.of_objects(objects((1, 0, "", ""))).lines() == []
    assert RunSummary.of_objects(objects()).lines() == []


def test_runs_without_rungs_are_counted_by_reason(mixed):
    mixed.remove_column("deblend_rung")
    assert RunSummary.of_objects(mixed).lines()[0].split() == ["objects", "parents", "reason", "of", "parents"]
