"""``meas-deblend plan``: the table, the totals, and the same as JSON."""

import json

import pytest
from command_line import call, coadd_arguments


@pytest.fixture
def planned(files, capsys):
    """Function that plans; returns exit code, output and error."""

    def _planned(*arguments):
        capsys.readouterr()
        code = call("plan", *coadd_arguments(files), *arguments)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return _planned


def test_the_most_costly_parent_comes_first(planned, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, text, _ = planned("-j", 2)
    assert code == 0
    lines = text.splitlines()
    assert lines[0].split() == ["parent", "peaks", "pixels", "blends", "seconds", "Mbyte", "rung", "reason"]
    assert [line.split()[:2] for line in lines[1:4]] == [["3", "4"], ["2", "2"], ["1", "1"]]
    assert lines[5] == "3 parents with 7 peaks"
    assert "parents by their lowest rung: 3 full_multi_band" in lines
    assert "parents by reason" not in text
    assert " of one core, " in text
    assert text.rstrip().endswith("1000 Mbyte (multi_band:memory_budget)")
    assert not list(tmp_path.iterdir())  # nothing is written


def test_what_is_over_a_budget_says_so(planned):
    _, text, _ = planned("-c", "multi_band:memory_budget=3", "--top", 1)
    assert text.splitlines()[1].split()[-1] == "over_memory_budget"
    assert "listed: the 1 most costly (--top)" in text
    assert "parents by reason: 3 over_memory_budget" in text


def test_as_json(planned):
    code, text, _ = planned("--json", "--only", 2, 3)
    assert code == 0
    values = json.loads(text)
    assert [one["id"] for one in values["parents"]] == [3, 2]
    assert values["not_selected"] == 1
    assert values["total"]["parents_by_rung"] == {"full_multi_band": 2}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-j", 0), "--jobs must be 1 or more, got 0"),
        (("--top", -1), "--top must be 0 or more, got -1"),
        (("--pipeline", "none"), "the pipeline 'none' has no step with a ladder"),
        (("--bbox", "1:2"), "bbox must be X0:X1,Y0:Y1"),
        (("-c", "multi_band:memory_budgets=3"), "memory_budget"),
    ],
)
def test_what_cannot_be_planned(planned, arguments, message):
    code, _, error = planned(*arguments)
    assert code == 2
    assert message in error
