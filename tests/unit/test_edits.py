"""The file of edits, and a run with them."""

import numpy as np
import pytest
import small_sky
from command_line import call, coadd_arguments

import meas_deblend as md
from meas_deblend.access import open_run
from meas_deblend.detect import AddedPeak, DroppedPeak, Edits, MergedPeaks, ProtectedPeak
from meas_deblend.edit_file import read_edits
from meas_deblend.exceptions import InputError


@pytest.fixture
def written(tmp_path):
    def _written(text):
        path = tmp_path / "edits.yaml"
        path.write_text(text)
        return path

    return _written


def test_a_file_is_read(written):
    path = written(
        "merge:\n  - [10, 11]\ndrop_peak: [12]\nadd_peak:\n  - {x: 3, y: 4.5}\nprotect:\n  - {id: 9, radius: 8}\n"
    )
    assert read_edits(path) == Edits(
        (MergedPeaks((10, 11), f"{path}, line 2"),),
        (DroppedPeak(12, f"{path}, line 3"),),
        (AddedPeak((4.5, 3.0), f"{path}, line 5"),),
        (ProtectedPeak(9, 8.0, f"{path}, line 7"),),
    )
    assert read_edits(written("")) == Edits()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "merges: []",
            r"edits\.yaml, line 1: there is no edit 'merges'; did you mean 'merge'\? Edits: merge, drop_peak",
        ),
        ("\nmerge: 3", r"line 2: merge must be a list"),
        ("merge:\n- [3]", r"line 2: merge takes lists of two or more objectIds, got \[3\]"),
        ("drop_peak: [a]", r"line 1: drop_peak takes an objectId, which is a whole number; got 'a'"),
        ("add_peak:\n- {x: 3}", r"line 2: a mapping of x and y is expected, got \{'x': 3\}"),
        ("add_peak:\n- {x: 3, y: .nan}", r"line 2: a position in pixels is expected, got nan"),
        ("protect:\n- {id: 3, radius: 0}", r"line 2: radius must be above 0 pixels, got 0"),
        ("- 3", r"edits\.yaml: a mapping of merge, drop_peak, add_peak, protect to lists is expected"),
        ("merge: [", r"edits\.yaml, line 1: not valid YAML"),
    ],
)
def test_what_is_refused(written, text, message):
    with pytest.raises(InputError, match=message):
        read_edits(written(text))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"none\.yaml: cannot be read: No such file"):
        read_edits(tmp_path / "none.yaml")


def test_identifiers_are_those_of_the_run_without_edits(written):
    coadds = small_sky.exposure()
    plain = md.deblend(coadds, pipeline="none")
    pair = [int(n) for n in plain.objects["objectId"][plain.objects["parentObjectId"] == 2]]
    four = [int(n) for n in plain.objects["objectId"][plain.objects["parentObjectId"] == 3]]
    path = written(f"merge:\n  - {pair}\ndrop_peak: [{four[3]}]\n")
    edited = md.deblend(coadds, pipeline="none", edits=path)
    assert list(edited.parents["parentObjectId"]) == [1, 2, 3]
    assert list(edited.parents["deblend_nPeaks"]) == [1, 1, 3]
    gone = plain.objects[np.isin(plain.objects["objectId"], four[3])]
    places = {(int(row["deblend_peak_center_y"]), int(row["deblend_peak_center_x"])) for row in edited.objects}
    assert (int(gone["deblend_peak_center_y"][0]), int(gone["deblend_peak_center_x"][0])) not in places
    # What is planned has the edits, too.
    assert sum(one.peaks for one in md.plan(coadds, edits=path).parents) == 5


def test_the_command_takes_a_file(files, written, tmp_path, capsys):
    arguments = ["run", *coadd_arguments(files), "--pipeline", "none", "--no-figures", "--out", tmp_path / "out"]
    assert call(*arguments, "--edits", written("drop_peak:\n- 1\n")) == 0
    assert list(open_run(tmp_path / "out").parents["parentObjectId"]) == [2, 3]
    # What cannot be used is told before the earlier run is removed.
    assert call(*arguments, "--overwrite", "--edits", written("add_peak:\n- {x: 500, y: 3}\n")) == 2
    assert "line 2: add_peak at x = 500, y = 3 is off the image, which is x 0:90, y 0:76" in capsys.readouterr().err
    assert (tmp_path / "out" / "run.json").is_file()
    assert call(*arguments, "--overwrite", "--edits", written("drop_peak: [99]")) == 2
    assert "line 1: there is no object 99; there are 7 from 1 to " in capsys.readouterr().err
