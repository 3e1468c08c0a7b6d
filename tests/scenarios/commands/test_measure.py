"""``meas-deblend measure``: the same numbers again, other positions, other coadds, and what is refused."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small_sky
from astropy.table import Table
from command_line import call

import meas_deblend as md
from meas_deblend.exceptions import InputError, ModelError
from meas_deblend.products import read_table
from meas_deblend.remeasure import belonging, remeasure

PLUGIN = Path(__file__).parents[2] / "plugin"


@pytest.fixture
def run(finished, tmp_path):
    """Copy of the finished run, which may be written to."""
    shutil.copytree(finished, tmp_path / "out")
    return tmp_path / "out"


def columns(table):
    return {name: np.asarray(table[name]) for name in table.colnames}


def test_measured_again_from_the_store_it_is_the_same(run):
    before = {name: read_table(run / f"{name}.parquet") for name in ("objects", "flux_covariance", "noise_correlation")}
    assert call("measure", run) == 0
    for name, table in before.items():
        again = read_table(run / f"{name}.parquet")
        assert again.meta["layout"] == table.meta["layout"]
        for key, values in columns(table).items():
            np.testing.assert_array_equal(np.asarray(again[key]), values, err_msg=key)
    assert {"objects.parquet", "config/measure.yaml"} <= set(md.open_run(run).record.files)


def test_forced_at_the_catalogs_own_positions_fluxes_are_those_of_the_catalog(run, tmp_path, capsys):
    objects = read_table(run / "objects.parquet")
    far = {"ra": [float(objects["coord_ra"][0]) + 0.0012], "dec": [float(objects["coord_dec"][0])], "id": ["nobody"]}
    places = Table({"x": objects["x"], "y": objects["y"], "id": objects["objectId"].astype(str)})
    places.write(tmp_path / "mine.csv")
    Table(far).write(tmp_path / "sky.ecsv")
    assert call("measure", run, "--sources", tmp_path / "mine.csv") == 0
    assert "measured 7 positions" in capsys.readouterr().out
    forced = read_table(run / "forced.parquet")
    assert list(forced["objectId"]) == list(objects["objectId"])
    assert list(forced["sourceName"]) == [str(i) for i in objects["objectId"]]
    for name in ("i_psfFlux", "i_ap06Flux", "r_gaapFlux", "r_convolved_psfFlux"):
        np.testing.assert_allclose(forced[name], objects[name], rtol=1e-9)
    # Elliptical apertures depend on shapes, which are found from the given position.
    np.testing.assert_allclose(forced["i_kronFlux"], objects["i_kronFlux"], rtol=0.02)
    assert call("measure", run, "--sources", tmp_path / "sky.ecsv", "--out", tmp_path / "sky") == 0
    (alone,) = read_table(tmp_path / "sky" / "forced.parquet")
    assert alone["objectId"] == 0
    assert alone["objectDistance"] > 2
    assert abs(alone["i_psfFlux"]) < 5 * alone["i_psfFluxErr"]
    assert np.isnan(alone["i_convolved_psfFlux"])
    assert np.isnan(alone["i_maskedFraction"])


def test_some_objects_and_other_settings(run, tmp_path):
    objects = read_table(run / "objects.parquet")
    one = int(objects["objectId"][3])
    out = tmp_path / "one"
    setting = "measure:measurement.aperture_radii=[4]"
    assert call("measure", run, "--id", str(one), "--out", out, "-c", setting) == 0
    (row,) = read_table(out / "objects.parquet")
    assert row["objectId"] == one
    assert row["i_psfFlux"] == objects["i_psfFlux"][3]
    assert row["i_ap04Flux"] > 0
    assert "aperture_radii" in (out / "measure.yaml").read_text()


def test_what_does_not_exist_is_told(run, capsys):
    assert call("measure", run, "--id", "12345") == 2
    assert "no object 12345; there are 7 objects" in capsys.readouterr().err
    assert call("measure", run, "--coadd", "u=u.fits") == 2
    assert "the run has no band u; it has r, i" in capsys.readouterr().err
    assert call("measure", run, "--coadd", "u") == 2
    assert "--coadd: 'u' is no BAND=FILE" in capsys.readouterr().err
    objects = read_table(run / "objects.parquet")
    assert call("measure", run, "--id", str(int(objects["objectId"][0]))) == 2
    assert "cannot take its place" in capsys.readouterr().err


def test_coadds_of_others_are_refused_unless_allowed(run, files, tmp_path, capsys):
    other = tmp_path / "i.fits"
    full = small_sky.exposure()
    small_sky.write_coadds(tmp_path / "other", replace(full, images=full.images + np.float32(1)))
    shutil.copy(tmp_path / "other" / "i.fits", other)
    assert call("measure", run, "--coadd", f"i={other}", "--out", tmp_path / "new") == 2
    assert "has changed since the run" in capsys.readouterr().err
    assert call("measure", run, "--coadd", f"i={other}", "--out", tmp_path / "new", "--allow-different") == 0
    before, after = read_table(run / "objects.parquet"), read_table(tmp_path / "new" / "objects.parquet")
    assert (after["i_ap06Flux"] > before["i_ap06Flux"]).all()
    # Only the common position of the apertures has moved a little.
    np.testing.assert_allclose(after["r_ap06Flux"], before["r_ap06Flux"], rtol=0.02)


def test_differences_are_named(run):
    full, opened = small_sky.exposure(), md.open_run(run)
    metadata = opened.models.metadata
    assert belonging(full, metadata).differences == ()
    shifted = full.wcs.deepcopy()
    shifted.wcs.crpix += 0.5
    wrong = {
        "the coadds lack r": full.select(["i"]),
        r"from \(76, 90\) pixels \(y, x\), the coadds have \(70, 90\)": replace(
            full, images=full.images[:, :70], variance=full.variance[:, :70], mask=full.mask[:, :70]
        ),
        r"world coordinates differ by up to 0\.707 pixels": replace(full, wcs=shifted),
        "models were made with world coordinates, the other not": replace(full, wcs=None),
    }
    for message, coadds in wrong.items():
        with pytest.raises(ModelError, match=f"do not belong to these coadds: .*{message}"):
            remeasure(opened, coadds)
    part = remeasure(opened, full.select(["i"]), allow_different=True)
    assert not part.whole
    # Its position is that of one band instead of two.
    np.testing.assert_allclose(part.tables["objects"]["i_psfFlux"], opened.objects["i_psfFlux"], rtol=1e-3)
    assert "r_psfFlux" not in part.tables["objects"].colnames
    with pytest.raises(ModelError, match="the coadds have none of the models' bands r, i"):
        remeasure(opened, replace(full.select(["i"]), bands=("z",)), allow_different=True)
    with pytest.raises(InputError, match="holds no sources"):
        remeasure(opened, full, sources={"x": [], "y": []})


def test_a_plug_in_package_measures(run, tmp_path, monkeypatch, capsys):
    """Installed by pip from its source, found by its entry point, in the catalog with its columns."""
    place = tmp_path / "site"
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--quiet", "--target", str(place)]
    copy = shutil.copytree(PLUGIN, tmp_path / "plugin")
    done = subprocess.run(  # noqa: S603 - our own package
        [sys.executable, "-m", "pip", "install", *options, str(copy)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    monkeypatch.syspath_prepend(str(place))
    out = tmp_path / "with"
    assert call("measure", run, "--out", out, "-c", "measure:measurement.plugins=[peak_signal]") == 0
    table = read_table(out / "objects.parquet")
    assert (table["i_peakSignal"] > 5).all()
    assert not table["r_peakSignal_flag"].any()
    assert table["i_peakSignal"].description.startswith("Largest signal to noise")
    assert call("measure", run, "--out", out, "-c", "measure:measurement.plugins=[peaksignal]") == 2
    assert "there is no measurement 'peaksignal'" in capsys.readouterr().err
