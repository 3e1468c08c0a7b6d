"""A run of many patches is opened as one data set."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import small_sky

import meas_deblend as md
from meas_deblend.access import PatchRun
from meas_deblend.exceptions import ModelError
from meas_deblend.patches import RunSettings, read_patches, run_patches
from meas_deblend.products import unpack_id


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three patches: twice the same sky in one tract, once in another."""
    place = tmp_path_factory.mktemp("many")
    for name in ("1/0,0", "1/1,0", "2/7"):
        (place / "in" / name).mkdir(parents=True)
        small_sky.write_coadds(place / "in" / name)
    patches = read_patches(f"{place}/in/{{tract}}/{{patch}}/{{band}}.fits")
    settings = RunSettings(pipeline="single_band", read_options={"survey": "generic"})
    assert not run_patches(patches, place / "out", settings).failed
    return place / "out"


@pytest.fixture(scope="module")
def run(folder):
    return md.open_run(folder)


def test_tables_are_one_below_the_other(run):
    assert isinstance(run, PatchRun)
    for name in ("objects", "parents", "ledger", "patch_ledger", "timings", "flux_covariance", "noise_correlation"):
        table, parts = getattr(run, name), [getattr(one, name) for one in run.patches.values()]
        assert len(table) == sum(len(part) for part in parts)
        assert table.colnames[:2] == ["tract", "patch"]
        assert table.colnames[2 : 2 + len(parts[0].colnames)] == parts[0].colnames
        assert [table[c].unit for c in parts[0].colnames] == [parts[0][c].unit for c in parts[0].colnames]
        assert len(run.qtable(name)) == len(table)
    objects = run.objects
    assert [unpack_id(i)[:2] for i in objects["objectId"]] == [
        (row["tract"], {"0,0": 0, "1,0": 1, "7": 7}[row["patch"]]) for row in objects
    ]
    assert len(set(objects["objectId"])) == len(objects) == 21


def test_flags_say_who_owns_an_object(run):
    objects = run.objects
    assert len(run.primary) == 7
    assert set(run.primary["patch"]) == {"0,0"}
    # Tract 2 has the sky to itself among its own patches, but the first tract owns it.
    second = objects["tract"] == 2
    assert objects["detect_isPatchInner"][second].all()
    assert not objects["detect_isTractInner"][second].any()
    twin = objects["patch"] == "1,0"
    assert not objects["detect_isPatchInner"][twin].any()
    assert objects["detect_isTractInner"][twin].all()
    assert list(run.ownership["ownerPatch"]) == ["0,0"] * 21
    np.testing.assert_array_equal(
        objects["detect_isPrimary"], objects["detect_isPatchInner"] & objects["detect_isTractInner"]
    )


def test_quanta(run):
    assert set(run.quanta["outcome"]) == {"ok"}
    assert len(run.quanta) == 3 * len(run.index.labels)


def test_models_by_identifier(run):
    assert len(run.models.ids) == 21
    assert run.models.bands == ("r", "i")
    assert len(list(run.models.blends())) == len(run.models.parent_ids) == 9
    for identifier in run.models.ids[::5]:
        source = run.source(identifier)
        assert source.row["objectId"] == identifier
        assert source.model(band="r").array.sum() != 0
        np.testing.assert_array_equal(run.models.source(identifier).model(band="r").array, source.model(band="r").array)
        assert source.reapportioned("r").pixels.size > 0
    assert run.blend(run.models.parent_ids[0]).id == run.models.parent_ids[0]
    assert str(run.models.ids[0]) in str(run.explain(run.models.ids[0]))


def test_the_nearest_on_the_sky_is_primary(run):
    row = run.objects[-1]
    assert unpack_id(run.at(row["coord_ra"], row["coord_dec"]).id)[:2] == (1, 0)


def test_what_is_not_there_is_told(run, folder, tmp_path):
    with pytest.raises(ModelError, match=r"identifier of tract 5, patch 0, which is not of this run; .*: 1/0,0"):
        run.source(5 << 46 | 1)
    with pytest.raises(ModelError, match="0 is not an identifier"):
        run.source(0)
    with pytest.raises(ModelError, match="no catalog 'stars'; there are objects"):
        run.qtable("stars")
    with pytest.raises(ModelError, match="is a run of many patches: give the coadds of one"):
        md.open_run(folder, {"r": "r.fits"})
    lacking = shutil.copytree(folder, tmp_path / "out")
    (lacking / "ownership.parquet").unlink()
    with pytest.raises(ModelError, match=r"ownership\.parquet is not there: it is written when all patches are done"):
        _ = md.open_run(lacking).objects
    for patch in ("1/0,0", "1/1,0", "2/7"):
        (lacking / patch / "run.json").unlink()
    with pytest.raises(ModelError, match=r"no patch of .* has products: see meas-deblend status"):
        _ = md.open_run(lacking).parents


def test_tables_in_different_units_are_not_mixed(folder, tmp_path):
    place = tmp_path / "in/0"
    for name in ("0", "1"):
        (place / name).mkdir(parents=True)
    bare = replace(small_sky.exposure(), zeropoints=(None, None))
    small_sky.write_coadds(place / "0")
    small_sky.write_coadds(place / "1", bare)
    patches = read_patches(f"{tmp_path}/in/{{tract}}/{{patch}}/{{band}}.fits")
    run_patches(patches, tmp_path / "out", RunSettings(pipeline="none"))
    with pytest.raises(ModelError, match=r"is in nJy in patch 0/0, and in .* in 0/1: their zero points are not known"):
        _ = md.open_run(tmp_path / "out").objects
