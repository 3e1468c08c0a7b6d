"""``meas-deblend inject`` from the command line."""

import json
from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table

from meas_deblend.cli import main
from meas_deblend.image import read_coadds, write_coadd
from meas_deblend.products.column_file import read_columns
from meas_deblend.simulate import BandConfig, SkyConfig, simulate_sky

CONFIG = SkyConfig(
    bands=(BandConfig(name="g", seeing=0.8, depth=26.5), BandConfig(name="r", seeing=0.7, depth=26.5)),
    shape=(70, 80),
    n_galaxies=2,
    n_stars=1,
    galaxy_magnitudes=(21.0, 22.0),
    min_separation=3.0,
    seed=3,
)


@pytest.fixture(scope="module")
def coadds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sky")
    exposure = simulate_sky(CONFIG).exposure
    return [f"{band}={write_coadd(folder / f'{band}.fits', exposure, band)}" for band in exposure.bands]


def run(coadds, out, *arguments):
    return main(["inject", "--coadd", *coadds, "--out", str(out), *arguments])


def test_random_sources(coadds, tmp_path, capsys):
    options = ["--random", "3", "--deblender", "none", "--deblender", "single_band", "--write-images", "--gain", "2500"]
    assert run(coadds, tmp_path, *options) == 0
    printed = capsys.readouterr().out
    assert "3 sources in 3 realizations; 3 objects were there before" in printed
    assert "deblender" in printed
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert list(summary["deblenders"]) == ["none", "single_band"]
    assert summary["settings"]["injection"]["gain"] == 2500
    assert summary["settings"]["random"]["pairs"] == 0.5
    assert all((tmp_path / file).is_file() for file in summary["files"])
    assert {"injection.parquet", "injection.png", "catalog.ecsv"} <= set(summary["files"])
    columns, about = read_columns(tmp_path / "injection.parquet")
    assert len(columns["x"]) == 6
    assert set(columns) == set(about["columns"])
    # The images that are written hold the sources that the table lists.
    row = int(np.argmax(columns["r_trueFlux"]))
    before = read_coadds(dict(item.split("=") for item in coadds))
    place = tmp_path / "images" / f"{columns['realization'][row]:04d}"
    after = read_coadds({band: place / f"{band}.fits" for band in "gr"})
    added = (after.images - before.images)[1].sum() * 10 ** (0.4 * (31.4 - 27.0))
    # Photon noise of the added light, and the wings of the PSF beyond its stamp.
    assert added == pytest.approx(columns["r_trueFlux"][row], rel=0.03)


def test_what_was_injected_can_be_injected_again(coadds, tmp_path):
    assert run(coadds, tmp_path / "a", "--random", "3", "--deblender", "none", "--no-figures") == 0
    catalog = ["--catalog", str(tmp_path / "a" / "catalog.ecsv"), "--deblender", "none", "--no-figures"]
    assert run(coadds, tmp_path / "b", *catalog) == 0
    first, second = (read_columns(tmp_path / name / "injection.parquet")[0] for name in "ab")
    for name, values in first.items():
        if values.dtype.kind == "f":
            # The table keeps 15 digits.
            assert np.allclose(values, second[name], rtol=1e-9, equal_nan=True), name
    assert json.loads((tmp_path / "b" / "summary.json").read_text())["settings"]["random"] is None


def test_a_pipeline_of_ones_own_and_detection(coadds, tmp_path):
    assert run(coadds, tmp_path, "--random", "2", "--pipeline", "none", "--detect", "--no-figures") == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["centres"] == "detected"
    assert list(summary["deblenders"]) == ["none"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--random", "0"], "--random must be 1 or more, got 0"),
        (["--random", "3", "--deblender", "nobody"], "nobody"),
        (["--random", "3", "--deblender", "none", "--deblender", "none"], "each deblender is named once, but none"),
        (["--random", "3", "--star-fraction", "2"], "--star-fraction: Input should be less than or equal to 1, got 2"),
        (["--random", "3", "--separations", "3", "1"], "separations must be"),
        (["--random", "3", "--gain", "many"], "--gain: 'many' is neither a gain nor BAND=GAIN"),
        (["--random", "3", "--pixel-scale", "0"], "--pixel-scale must be above 0 arcsec, got 0"),
        (["--random", "9", "--realizations", "2"], "9 sources do not fit into 2 realizations"),
        (["--random", "3", "--band", "k"], "no band 'k'; there are g, r"),
        (["--catalog", "nothing.csv"], "catalog nothing.csv: no such file"),
    ],
)
def test_what_is_wrong_is_said(coadds, tmp_path, capsys, options, message):
    assert run(coadds, tmp_path / "out", *options) == 2
    assert message in capsys.readouterr().err


def test_a_catalog_without_magnitudes(coadds, tmp_path, capsys):
    path = tmp_path / "catalog.csv"
    Table({"x": [30.0], "y": [30.0], "mag_g": [22.0]}).write(path, format="ascii.csv")
    assert run(coadds, tmp_path / "out", "--catalog", str(path)) == 2
    assert "no column mag_r; found x, y, mag_g; expected" in capsys.readouterr().err


def test_zero_points_are_needed(tmp_path, capsys):
    exposure = replace(simulate_sky(CONFIG).exposure, zeropoints=(27.0, None))
    files = [f"{band}={write_coadd(tmp_path / f'{band}.fits', exposure, band)}" for band in "gr"]
    assert run(files, tmp_path / "out", "--random", "3", "--deblender", "none") == 2
    assert "no zero point for band r" in capsys.readouterr().err
