"""``meas-deblend explain``: stories of a made run."""

import json
import re

import pytest
from command_line import call

from meas_deblend.access import open_run


@pytest.fixture
def told(finished, capsys):
    """Function that explains an identifier; returns exit code, output and error."""

    def _told(*arguments):
        capsys.readouterr()
        code = call("explain", finished, *arguments)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return _told


def test_an_isolated_object(told, finished):
    code, text, _ = told(1)
    assert code == 0
    lines = text.splitlines()
    assert re.fullmatch(r"Object 1 lies at x = 72\.\d\d, y = 15\.\d\d \(RA 149\.\d{6}°, Dec \+2\.\d{6}°\)\.", lines[0])
    assert lines[1] == "Its peak was seen in all bands (r, i), and so was its parent."
    assert re.match(r"Kron magnitudes \(AB\) of its own pixels: r = 22\.\d\d ± 0\.\d\d, i = 22\.", lines[2])
    assert lines[3].startswith("It is isolated: the only peak of its parent, which has ")
    assert "neighbour" not in text
    assert f'run = md.open_run("{finished}")' in text


def test_a_child_and_its_neighbours(told, finished):
    child = int(open_run(finished).objects["objectId"][4])
    _, text, _ = told(child)
    assert "It is one of 4 children of parent 3, which has " in text
    assert re.search(r"; it is in blend \d+ together with 3 others\.", text)
    assert re.search(r"Under its own model, [\d.]+ % of the light is its neighbours': .* px away\)", text)
    facts = json.loads(told(child, "--json")[1])
    assert facts["kind"] == "object"
    assert facts["parent"] == {"id": 3, "isolated": False, "peaks": 4, "area": facts["parent"]["area"]}
    parts = [one["contamination"] for one in facts["neighbours"]]
    assert parts == sorted(parts, reverse=True)
    assert 0 < sum(parts) < 0.5
    assert facts["sentences"][0].startswith(f"Object {child} lies at")


def test_parts_of_a_parents_flux_add_up(finished):
    run = open_run(finished)
    children = run.objects["objectId"][run.objects["parentObjectId"] == 3]
    stories = [run.explain(int(child)).facts["flux"]["bands"] for child in children]
    for band in ("r", "i"):
        # What no child claims is less than a percent of this parent.
        assert sum(story[band]["fraction"] for story in stories) == pytest.approx(1, abs=0.01)


def test_a_parent(told):
    code, text, _ = told(2)
    assert code == 0
    assert re.search(r"^Parent 2 has \d+ pixels in columns \d+ to \d+ of rows \d+ to \d+", text)
    assert re.search(r"It holds 2 peaks in 1 blend; its 2 children are \d+, \d+\.", text)
    assert re.search(r"Its children received 100 % of [\d.]+ count in r and 100 % of", text)
    assert "blend = run.blend(2)" in text
    facts = json.loads(told(2, "--json")[1])
    assert (facts["kind"], facts["peaks"], len(facts["children"])) == ("parent", 2, 2)


def test_the_python_lines_run(finished):
    run = open_run(finished)
    for identifier in (2, int(run.objects["objectId"][1])):
        names = {}
        exec("\n".join(run.explain(identifier).python), names)  # noqa: S102 -- our own lines
        assert names["model"] is not None


def test_an_unknown_identifier(told, finished):
    code, _, error = told(99)
    assert code == 2
    assert f"there is neither an object nor a parent 99 in {finished}: 7 objects from 1 to " in error
    assert "3 parents from 1 to 3, of which 1, 2, 3 are nearest" in error
    blend = int(open_run(finished).objects["deblend_blendId"][-1])
    assert "It is the identifier of a blend, with the objects " in told(blend)[2]


def test_a_folder_without_a_run(tmp_path, capsys):
    assert call("explain", tmp_path, 1) == 2
    assert "there is no run.json" in capsys.readouterr().err
