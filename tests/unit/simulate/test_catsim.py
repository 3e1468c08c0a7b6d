"""Catalogs in CatSim's columns: read, checked, and turned into galaxies."""

import numpy as np
import pyarrow as pa
import pytest
from astropy.table import Table
from pyarrow import parquet

from meas_deblend.exceptions import InputError
from meas_deblend.simulate import (
    CATSIM_COLUMNS,
    LSST_10Y,
    GalaxyCatalog,
    disc_and_bulge,
    draw_catalog,
    preset,
    read_catalog,
    simulate_field,
)

BANDS = LSST_10Y.names


def columns(n=4, **changes):
    table = {
        "a_d": np.full(n, 0.5), "b_d": np.full(n, 0.3), "a_b": np.full(n, 0.2), "b_b": np.full(n, 0.2),
        "pa_disk": np.full(n, 100.0), "pa_bulge": np.full(n, 10.0), "fluxnorm_disk": np.full(n, 0.75),
        "fluxnorm_bulge": np.full(n, 0.25), "redshift": np.full(n, 0.5), **{f"{b}_ab": np.full(n, 24.0) for b in BANDS},
    }  # fmt: skip
    return table | {k: np.asarray(v, dtype=float) for k, v in changes.items()}


def test_a_row_becomes_a_disc_and_a_bulge():
    galaxy = disc_and_bulge(GalaxyCatalog(columns(), BANDS), 1, LSST_10Y, (3.0, 4.5))
    disc, bulge = galaxy.components
    assert (galaxy.id, galaxy.y, galaxy.x) == (2, 3.0, 4.5)
    assert (disc.profile.sersic_index, bulge.profile.sersic_index) == (1.0, 4.0)
    assert disc.profile.half_light_radius == pytest.approx(2.5)
    assert disc.profile.axis_ratio == pytest.approx(0.6)
    assert (disc.profile.position_angle, bulge.profile.position_angle) == (100.0, 10.0)
    np.testing.assert_allclose(galaxy.flux, LSST_10Y.electrons(np.full(6, 24.0)))
    np.testing.assert_allclose(np.array(bulge.flux) / galaxy.flux, 0.25)


def test_parts_without_light_are_left_out():
    table = columns(2, fluxnorm_disk=[1, 0], fluxnorm_bulge=[0, 2], a_b=[0, 0.2], b_b=[0, 0.1], a_d=[0.5, 0.9])
    catalog = GalaxyCatalog(table, BANDS)
    kinds = [[c.profile.sersic_index for c in disc_and_bulge(catalog, k, LSST_10Y, (0, 0)).components] for k in (0, 1)]
    assert kinds == [[1.0], [4.0]]
    a, b, theta = catalog.ellipse()
    np.testing.assert_allclose(a, [0.5, 0.2])
    np.testing.assert_allclose(b, [0.3, 0.1])
    np.testing.assert_allclose(np.rad2deg(theta), [-80.0, 10.0])


@pytest.mark.parametrize("suffix", ["csv", "ecsv", "fits", "parquet"])
def test_files_are_read(tmp_path, suffix):
    path = tmp_path / f"mine.{suffix}"
    table = columns() | {"name": np.array(list("abcd"))}
    if suffix == "parquet":
        parquet.write_table(pa.table(table), path)
    else:
        Table(table).write(path)
    catalog = read_catalog(path, BANDS)
    assert len(catalog) == 4
    assert set(catalog.columns) == {*CATSIM_COLUMNS, *(f"{b}_ab" for b in BANDS)}


def test_missing_columns_are_listed_with_those_found(tmp_path):
    table = columns()
    del table["a_b"], table["z_ab"]
    Table(table).write(tmp_path / "short.csv")
    with pytest.raises(InputError) as caught:
        read_catalog(tmp_path / "short.csv", BANDS)
    message = str(caught.value)
    assert "short.csv: columns a_b, z_ab missing; expected a_d, b_d, a_b, b_b, pa_disk, pa_bulge" in message
    assert "half-light semi-axes of disc and bulge [arcsec]" in message
    assert "found a_d, b_d, b_b" in message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"a_d": [0.5, np.nan, 0.5, 0.5]}, "column a_d must be finite and at least 0, but row 1 is nan"),
        ({"redshift": [0.5, 0.5, 0.5, -1]}, "column redshift must be finite and at least 0, but row 3 is -1"),
        ({"r_ab": [24, np.inf, 24, 24]}, "column r_ab must be finite, but row 1 is inf"),
        ({"b_d": [0.3, 0.3, 0.6, 0.3]}, "row 2 has light in its disk but semi-axes a_d = 0.5, b_d = 0.6: expected a_d"),
        ({"a_b": [0.2, 0, 0, 0]}, "row 1 has light in its bulge but semi-axes a_b = 0, b_b = 0.2"),
        ({"fluxnorm_disk": [1, 1, 1, 0], "fluxnorm_bulge": [0] * 4}, "row 3 has light neither in disc nor bulge"),
        ({"y_ab": [24.0]}, r"columns need one equal length, got \[1, 4\]"),
    ],
)
def test_values_that_cannot_be(changes, message):
    with pytest.raises(InputError, match=message):
        GalaxyCatalog(columns(**changes), BANDS, "mine")


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"catalog .*nothing.csv: no such file"):
        read_catalog(tmp_path / "nothing.csv", BANDS)
    (tmp_path / "wrong.fits").write_text("no FITS")
    with pytest.raises(InputError, match=r"catalog .*wrong.fits cannot be read as fits"):
        read_catalog(tmp_path / "wrong.fits", BANDS)
    Table({k: v[:0] for k, v in columns().items()}).write(tmp_path / "empty.fits")
    with pytest.raises(InputError, match=r"catalog .*empty.fits has no rows"):
        read_catalog(tmp_path / "empty.fits", BANDS)


def test_a_field_of_a_catalogs_galaxies():
    catalog = draw_catalog(np.random.default_rng(5), 3000, (18.0, 27.5), BANDS)
    field = simulate_field(preset("faint", seed=7), catalog)
    known = set(catalog.columns["r_ab"])
    assert set(field.truth["r_ab"]) <= known
    assert len(set(field.truth["r_ab"])) == len(field.sources)
    assert field.truth["r_band_snr"].min() >= 10
    assert len(field.undetected) > 10


def test_a_catalog_without_bright_galaxies():
    catalog = GalaxyCatalog(columns(**{f"{b}_ab": np.full(4, 29.0) for b in BANDS}), BANDS, "catalog mine")
    with pytest.raises(InputError, match="catalog mine: none of its 4 galaxies has a signal to noise of 10 in r"):
        simulate_field(preset("field"), catalog)
