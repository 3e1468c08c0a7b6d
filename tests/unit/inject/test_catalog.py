"""Catalogs of what is injected: every error says what was found and what is expected."""

import numpy as np
import pyarrow as pa
import pytest
from astropy.table import Table
from pyarrow import parquet

from meas_deblend.exceptions import InputError, InputWarning
from meas_deblend.inject import read_injection_catalog
from meas_deblend.simulate import PointSource, Sersic
from meas_deblend.simulate.wcs import tan_wcs

GALAXY = {
    "x": [30.5], "y": [40.25], "mag_g": [23.0], "mag_r": [22.0],
    "half_light_radius": [0.8], "axis_ratio": [0.5], "position_angle": [30.0], "sersic_index": [4.0],
}  # fmt: skip


def test_a_galaxy_in_the_exposures_units(blank):
    exposure = blank()
    catalog = read_injection_catalog(GALAXY, exposure)
    (source,) = catalog.sources(exposure)
    assert (source.y, source.x, source.is_star) == (40.25, 30.5, False)
    # Zero points are 27 and 26.5; a pixel has 0.2 arcsec.
    assert source.flux == pytest.approx([10 ** (0.4 * 4.0), 10 ** (0.4 * 4.5)])
    assert source.components[0].profile == Sersic(0.8 / 0.2, 4.0, 0.5, 30.0)


def test_what_has_no_extent_is_a_star(blank):
    exposure = blank(pixel_scale=None)
    table = {"X": [30, 40], "Y": [40, 41], "MAG_G": [23, 23], "mag_r": [22, 22]}
    catalog = read_injection_catalog(table, exposure)
    assert catalog.is_star.all()
    assert [s.components[0].profile for s in catalog.sources(exposure)] == [PointSource(), PointSource()]


@pytest.mark.parametrize("words", [["True", "False"], ["t", "no"], [1, 0], [True, False]])
def test_is_star_in_words_and_numbers(blank, words):
    table = {k: v * 2 for k, v in GALAXY.items()} | {"is_star": words}
    assert read_injection_catalog(table, blank()).is_star.tolist() == [True, False]


def test_sky_positions(blank):
    wcs = tan_wcs((90, 100), 0.2, (150.0, 2.0))
    exposure = blank(wcs=wcs)
    sky = {k: v for k, v in GALAXY.items() if k not in "xy"} | {"ra": [150.0], "dec": [2.0]}
    catalog = read_injection_catalog(sky, exposure)
    assert (catalog.y[0], catalog.x[0]) == (pytest.approx(44.5), pytest.approx(49.5))
    columns = catalog.columns(wcs)
    assert columns["ra"] == pytest.approx([150.0])
    assert columns["dec"] == pytest.approx([2.0])


@pytest.mark.parametrize("ending", ["csv", "ecsv", "fits", "parquet"])
def test_what_is_written_can_be_injected_again(blank, stars, tmp_path, ending):
    exposure = blank()
    catalog = stars([(20.5, 30.25), (40, 50)], is_star=np.array([True, False]), half_light_radius=np.array([0, 0.5]))
    path = tmp_path / f"catalog.{ending}"
    if ending == "parquet":
        parquet.write_table(pa.table({k: pa.array(v) for k, v in catalog.columns().items()}), path)
    else:
        Table(catalog.columns()).write(path, format={"csv": "ascii.csv", "ecsv": "ascii.ecsv", "fits": "fits"}[ending])
    read = read_injection_catalog(path, exposure)
    for name, values in catalog.columns().items():
        assert np.array_equal(read.columns()[name], values), name


def test_sources_off_the_image_are_left_out(blank):
    table = {k: v * 3 for k, v in GALAXY.items()} | {"x": [30.5, 99.6, -0.6]}
    with pytest.warns(InputWarning, match="2 of 3 sources are off the image and were left out"):
        assert len(read_injection_catalog(table, blank())) == 1
    with pytest.raises(InputError, match="none of the 1 positions is on the image of 90 × 100 px"):
        read_injection_catalog(GALAXY | {"x": [1000.0]}, blank())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"mag_r": None},
            r"catalog: no column mag_r; found x, y, mag_g, half_light_radius, .*; expected x and y in pixels",
        ),
        ({"x": None}, r"catalog: expected x and y .*, or ra and dec .*; found y, mag_g, mag_r"),
        ({"mag_g": ["bright"]}, "column 'mag_g' must hold numbers"),
        ({"mag_g": [np.nan]}, r"mag_g must be finite magnitudes, but row 0 \(from 0\) has nan"),
        ({"half_light_radius": [0.0], "is_star": [False]}, r"half_light_radius must be above 0 arcsec, but for stars"),
        ({"axis_ratio": [1.5]}, r"axis_ratio must be in \(0, 1\], but row 0 \(from 0\) has 1.5"),
        ({"sersic_index": [9.0]}, "sersic_index must be within 0.3 … 6.2, but row 0"),
        ({"position_angle": [np.inf]}, "position_angle must be finite"),
        ({"x": [np.nan]}, "x and y must be finite"),
        ({"is_star": ["perhaps"]}, "column 'is_star' must hold true or false, got 'perhaps'"),
    ],
)
def test_what_is_wrong_is_said(blank, changes, message):
    table = {k: v for k, v in (GALAXY | changes).items() if v is not None}
    with pytest.raises(InputError, match=message):
        read_injection_catalog(table, blank())


def test_an_empty_catalog(blank):
    with pytest.raises(InputError, match="catalog holds no sources"):
        read_injection_catalog(Table({k: np.array([], dtype=float) for k in GALAXY}), blank())


def test_a_missing_file(blank, tmp_path):
    with pytest.raises(InputError, match=r"catalog .*none.csv: no such file"):
        read_injection_catalog(tmp_path / "none.csv", blank())


def test_zero_points_and_pixel_scale_are_needed(blank, stars):
    with pytest.raises(InputError, match=r"no zero point for band r: .* give it .*--zeropoint r=27"):
        stars([(20, 20)]).sources(blank(zeropoints=(27.0, None)))
    with pytest.raises(InputError, match=r"the pixel scale is not known.*--pixel-scale ARCSEC"):
        read_injection_catalog(GALAXY, blank()).sources(blank(pixel_scale=None))
