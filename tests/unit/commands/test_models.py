"""``meas-deblend models``: files of models looked into, checked, converted, cut and joined."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pyarrow.parquet as pq
import pytest
from command_line import call
from synthetic_models import BANDS, assert_same_parent, make_parametric_parent, make_parent, make_template_parent

from meas_deblend.access import Models, load_models
from meas_deblend.geometry import Box
from meas_deblend.products import ModelStore, StoreMetadata, models_from_json, models_to_json, write_models
from meas_deblend.products.rubin import read_rubin_models, write_rubin_models

METADATA = StoreMetadata(BANDS, (60, 80), "", (27.0, None, 27.0), "nJy", {"meas_deblend": "0.1.0"})
PARENTS = [make_parent(1, [(25, 35), (20, 45)]), make_parent(2, [(22, 30)])]
TEMPLATES = make_template_parent(3, (50, 8), Box((45, 2), (11, 13)))


@pytest.fixture
def store(tmp_path):
    """A model store of two parents, in a folder as a run leaves it."""
    write_models(tmp_path / "run" / "models.parquet", PARENTS, METADATA)
    return tmp_path / "run" / "models.parquet"


@pytest.fixture
def models(capsys):
    """Function that runs a command; returns exit code, what was written and what was said."""

    def _models(*arguments):
        code = call("models", *arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return _models


def test_info_in_words(models, store):
    code, out, _ = models("info", store)
    assert code == 0
    assert "model store, version 1." in out
    assert "3 objects (1 isolated) of 2 parents, fitted in 2 blends" in out
    assert "bands g, r, i; 60 × 80 pixels; without world coordinates" in out
    assert "units nJy; zero points 27, ?, 27" in out
    assert "outcomes: 2 ok" in out
    assert models("info", store.parent)[1] == out


@pytest.mark.parametrize("layout", ["parquet", "json", "scarlet"])
def test_info_for_programs(models, store, tmp_path, layout):
    path = tmp_path / f"again.{layout}"
    assert models("convert", store, path)[0] == 0
    about = json.loads(models("info", path, "--json")[1])
    assert (about["n_parents"], about["n_blends"], about["n_sources"]) == (2, 2, 3)
    assert about["bands"] == ["g", "r", "i"]
    expected = {"parquet": stored_version(store), "json": stored_version(store), "scarlet": "1.0.1"}
    assert about["version"] == expected[layout]
    assert about["bytes"] == path.stat().st_size


def stored_version(path):
    return json.loads(pq.read_schema(path).metadata[b"meas_deblend"])["version"]


def test_models_of_release_29(models, data_dir, tmp_path):
    path = data_dir / "models" / "rubin_v29_models.json"
    about = json.loads(models("info", path, "--json")[1])
    assert (about["n_parents"], about["n_sources"], about["version"]) == (2, 2, "unversioned")
    assert models("verify", path)[0] == 0
    out = tmp_path / "models.parquet"
    assert models("convert", path, out, "--units", "nJy")[0] == 0
    store = ModelStore(out)
    assert store.metadata.units == "nJy"
    for parent in read_rubin_models(path)[0]:
        assert_same_parent(store.parent(parent.id), parent)


def test_a_round_through_all_layouts_changes_nothing(models, store, tmp_path):
    files = [store, *(tmp_path / name for name in ("a.json", "b.zip", "c.json", "d.parquet"))]
    for one, other in pairwise(files):
        assert models("convert", one, other)[0] == 0
    assert models_from_json((tmp_path / "c.json").read_text()).parent_ids() == (1, 2)
    last = ModelStore(files[-1])
    assert last.metadata == METADATA
    for parent in PARENTS:
        assert_same_parent(last.parent(parent.id), parent)


def test_verify_finds_nothing_in_sound_files(models, store):
    code, out, _ = models("verify", store)
    assert code == 0
    assert "nothing wrong in 3 objects of 2 parents" in out


def test_verify_lists_what_is_wrong(models, tmp_path):
    parent = make_parent(1, [(25, 35), (20, 45)])
    parent.sources[0].components[0].morph[3, 3] = np.nan
    psfs = parent.psfs.copy()
    psfs[1] *= -1
    far = replace(parent.sources[1].components[0], box=Box((500, 500), (15, 15)))
    blend = replace(parent.blends[0], sources=(parent.sources[0], replace(parent.sources[1], components=(far,))))
    even = np.zeros((4, 4), np.float32)
    broken = replace(parent, psfs=psfs, model_psf=even, blends=(blend,))
    outside = make_parent(5, [(25, 35)], origin=(40, 20))
    write_models(tmp_path / "m", [broken, outside], METADATA)
    code, out, _ = models("verify", tmp_path / "m")
    assert code == 1
    for line in (
        "parent 1: its PSF in r has the sum -1; it must be above 0",
        "parent 1: its model PSF has shape (4, 4); sides must be odd",
        "parent 1: object 100: the morphology of component 0 has 1 values that are not finite",
        "parent 1: object 101: component 0 on Box(origin=(500, 500), shape=(15, 15)) lies outside the footprint's",
        "parent 5: its footprint on Box(origin=(40, 20), shape=(30, 40)) leaves the coadds of shape (60, 80) (y, x)",
        "parent 5: object 5: its peak (25, 35) is outside",
        "6 problems in 3 objects of 2 parents",
    ):
        assert line in out


def test_verify_shows_the_first_problems_unless_asked(models, tmp_path):
    write_models(tmp_path / "m", [make_parent(k, [(25, 35)], origin=(50, 60)) for k in range(1, 16)], METADATA)
    code, out, _ = models("verify", tmp_path / "m")
    assert code == 1
    assert "… and 10 more; --all lists them" in out
    assert len(models("verify", tmp_path / "m", "--all")[1].splitlines()) == 31


def test_verify_reads_on_after_a_damaged_parent(models, store):
    content = bytearray(store.read_bytes())
    middle = len(content) // 3
    content[middle : middle + 40] = bytes(40)
    store.write_bytes(content)
    code, out, err = models("verify", store)
    # Where the damage falls, the file as a whole or its parents cannot be read: both are told in a line.
    assert (code == 1 and "problem" in out) or (code == 2 and err.startswith("meas-deblend: "))
    assert "Traceback" not in out + err


def test_templates_are_left_out_of_the_archive_when_asked(models, tmp_path):
    write_models(tmp_path / "m.parquet", [*PARENTS, TEMPLATES], METADATA)
    code, _, err = models("convert", tmp_path / "m.parquet", tmp_path / "out.zip")
    assert code == 2
    assert "1 of 3 parents cannot be held by Rubin's layout, first of all 3: its templates are as seen" in err
    assert "--leave-out leaves these out" in err
    assert not (tmp_path / "out.zip").exists()
    code, _, err = models("convert", tmp_path / "m.parquet", tmp_path / "out.zip", "--leave-out")
    assert code == 0
    assert "warning: 1 parents with 1 objects are left out: its templates are as seen" in err
    assert [parent.id for parent in read_rubin_models(tmp_path / "out.zip")[0]] == [1, 2]


def test_extract_takes_the_parents_of_objects(models, store, tmp_path):
    out = tmp_path / "one.parquet"
    assert models("extract", store, "--id", "101", out)[0] == 0
    assert ModelStore(out).object_ids() == (100, 101)
    assert_same_parent(ModelStore(out).parent(1), PARENTS[0])
    code, said, _ = models("extract", store, "--id", "1,2", "--id", "100", tmp_path / "all.json")
    assert code == 0
    assert said.startswith("3 objects of 2 parents written to")


def test_merge_joins_what_extract_parted(models, store, tmp_path):
    parts = [tmp_path / "one.json", tmp_path / "two.scarlet"]
    for number, part in zip(("1", "2"), parts, strict=True):
        assert models("extract", store, "--id", number, part)[0] == 0
    assert models("merge", *parts, tmp_path / "both.parquet")[0] == 0
    assert ModelStore(tmp_path / "both.parquet").metadata == METADATA
    for parent in PARENTS:
        assert_same_parent(ModelStore(tmp_path / "both.parquet").parent(parent.id), parent)


def test_models_of_other_coadds_are_not_merged(models, store, tmp_path):
    other = tmp_path / "other.json"
    other.write_text(models_to_json([make_parent(7, [(25, 35)])], replace(METADATA, units="count")))
    code, _, err = models("merge", store, other, tmp_path / "out.parquet")
    assert code == 2
    assert "cannot be one file: their units differ: nJy and count" in err
    code, _, err = models("merge", store, store, tmp_path / "out.parquet")
    assert code == 2
    assert "identifier 1 is in" in err
    assert not (tmp_path / "out.parquet").exists()


def test_points_and_profiles_are_drawn_for_the_archive(models, tmp_path):
    profile = make_parametric_parent(6, (50.25, 8.5), Box((45, 2), (11, 13)))
    write_models(tmp_path / "m.parquet", [*PARENTS, profile], METADATA)
    code, _, err = models("convert", tmp_path / "m.parquet", tmp_path / "out.zip")
    assert code == 0
    assert "warning: points and profiles of 1 objects are written as pixels" in err
    again = Models.from_parents(*read_rubin_models(tmp_path / "out.zip"))
    seen = [m.source(6).model().array for m in (again, load_models(tmp_path / "m.parquet"))]
    np.testing.assert_array_equal(*seen)


def test_a_folder_of_patches_is_looked_at_as_one(models, tmp_path):
    other = replace(METADATA, shape=(70, 80))
    for number, metadata in ((1, METADATA), (2, other)):
        write_models(tmp_path / f"p{number}" / "models.parquet", [PARENTS[number - 1]], metadata)
    about = json.loads(models("info", tmp_path, "--json")[1])
    assert (about["n_parents"], about["n_sources"], about["layout"]) == (2, 3, "2 model stores")
    assert about["bytes"] == sum(path.stat().st_size for path in tmp_path.rglob("*.parquet"))
    assert models("verify", tmp_path)[0] == 0
    code, _, err = models("convert", tmp_path, tmp_path / "all.parquet")
    assert code == 2
    assert "holds parents of several patches, with coordinates of their own: take one patch at a time" in err
    assert models("extract", tmp_path, "--id", "2", tmp_path / "one.parquet")[0] == 0
    assert ModelStore(tmp_path / "one.parquet").metadata == other


def test_stores_are_merged_row_by_row(models, tmp_path):
    for parent in PARENTS:
        write_models(tmp_path / f"{parent.id}.parquet", [parent], METADATA)
    code, out, _ = models("merge", tmp_path / "2.parquet", tmp_path / "1.parquet", tmp_path / "both.parquet")
    assert code == 0
    assert out.startswith("3 objects of 2 parents written to")
    assert ModelStore(tmp_path / "both.parquet").parent_ids() == (1, 2)


def test_mistakes_are_told_in_one_line(models, store, tmp_path):
    text = tmp_path / "text.parquet"
    text.write_text("no models")
    empty = tmp_path / "empty.json"
    empty.write_text("")
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"type": "meas_deblend.models", "version": "99.0.0"}')
    odd = tmp_path / "odd.json"
    odd.write_text('{"blends": 3}')
    for arguments, message in (
        (("info", tmp_path / "nowhere"), "there is no file of models at"),
        (("info", text), "holds no models: it is neither Parquet, nor JSON, nor a zip archive"),
        (("info", empty), "holds no models"),
        (("info", wrong), "is of version 99.0.0"),
        (("verify", odd), "odd.json: blends is a number; it must be an object"),
        (("convert", store, tmp_path / "out.txt"), "the suffix"),
        (("convert", store, store), "is read and written; give another file to write"),
        (("convert", store, tmp_path / ".parquet"), "the suffix"),
        (("convert", store, tmp_path, "--to", "json"), "is a folder; give a file to write"),
        (("extract", store, "--id", "99", tmp_path / "o.json"), "no object 99; there are 3 objects"),
        (("extract", store, "--id", "x", tmp_path / "o.json"), "--id takes identifiers of objects or parents, got 'x'"),
        (("convert", store, text / "o.json"), "cannot be written"),
    ):
        code, out, err = models(*arguments)
        assert (code, out) == (2, "")
        assert message in err
        assert len(err.splitlines()) == 1
        assert err.startswith("meas-deblend: ")


def test_a_failed_conversion_leaves_the_old_file(models, tmp_path):
    write_models(tmp_path / "m.parquet", [*PARENTS, TEMPLATES], METADATA)
    write_rubin_models(tmp_path / "old.zip", PARENTS, METADATA)
    before = (tmp_path / "old.zip").read_bytes()
    assert models("convert", tmp_path / "m.parquet", tmp_path / "old.zip")[0] == 2
    assert (tmp_path / "old.zip").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.parquet", "old.zip"]


def test_help_tells_what_there_is(capsys):
    with pytest.raises(SystemExit):
        call("models", "--help")
    out = capsys.readouterr().out
    for what in ("info", "verify", "convert", "extract", "merge", "examples:"):
        assert what in out
