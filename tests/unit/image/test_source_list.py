"""Source lists from tables and files, in pixels and on the sky."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, Table

from meas_deblend.exceptions import InputError, InputWarning
from meas_deblend.image import pixel_to_sky, read_sources

Y, X = np.array([3.25, 40.0, 21.5]), np.array([10.0, 2.5, 30.75])


@pytest.fixture
def table():
    return Table({"id": [7, 8, 9], "x": X, "y": Y})


@pytest.mark.parametrize("suffix", [".csv", ".ecsv", ".fits", ".fits.gz", ".parquet"])
def test_files_of_every_format(tmp_path, table, suffix):
    path = tmp_path / f"sources{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.table({name: table[name].data for name in table.colnames}), path)
    else:
        table.write(path)
    sources = read_sources(str(path))
    np.testing.assert_array_equal(sources.y, Y)
    np.testing.assert_array_equal(sources.x, X)
    assert sources.names == ("7", "8", "9")
    assert len(sources) == 3
    assert sources.positions[0] == (3.25, 10.0)
    assert sources.y.dtype == np.float64
    assert sources.y.dtype.isnative


@pytest.mark.parametrize("kind", ["table", "mapping", "structured"])
def test_tables_in_memory(table, kind):
    given = {"table": table, "mapping": {"X": X, "Y": Y}, "structured": np.asarray(table)}[kind]
    sources = read_sources(given)
    np.testing.assert_array_equal(sources.y, Y)
    assert sources.names == (("1", "2", "3") if kind == "mapping" else ("7", "8", "9"))


@pytest.mark.parametrize(("lon", "lat"), [("ra", "dec"), ("RA", "DEC"), ("coord_ra", "coord_dec")])
def test_sky_positions_go_through_the_wcs(wcs, lon, lat):
    sky = pixel_to_sky(wcs(), Y, X)
    sources = read_sources({lon: sky.ra.deg, lat: sky.dec.deg, "name": ["a", "b", "c"]}, wcs())
    np.testing.assert_allclose(sources.y, Y, atol=1e-6)
    np.testing.assert_allclose(sources.x, X, atol=1e-6)
    assert sources.names == ("a", "b", "c")


def test_frames_by_argument_and_by_column(wcs):
    icrs = pixel_to_sky(wcs(), Y, X)
    galactic = SkyCoord(icrs).galactic
    columns = {"ra": galactic.l.deg, "dec": galactic.b.deg}
    np.testing.assert_allclose(read_sources(columns, wcs(), frame="galactic").y, Y, atol=1e-5)
    mixed = {
        "ra": [icrs[0].ra.deg, galactic[1].l.deg, icrs[2].ra.deg],
        "dec": [icrs[0].dec.deg, galactic[1].b.deg, icrs[2].dec.deg],
        "frame": ["icrs", "galactic", "ICRS"],
    }
    np.testing.assert_allclose(read_sources(mixed, wcs()).x, X, atol=1e-5)


def test_pixels_go_first_where_a_table_has_both(wcs):
    assert read_sources({"x": X, "y": Y, "ra": X, "dec": Y}, wcs()).y[0] == Y[0]


def test_positions_outside_are_left_out_with_a_warning(table):
    with pytest.warns(InputWarning, match="2 of 3 positions are outside the image and were left out: 8, 9"):
        sources = read_sources(table, shape=(20, 20))
    assert sources.names == ("7",)


def test_positions_within_half_a_pixel_of_the_border_are_on_the_image():
    assert len(read_sources({"x": [-0.5, 9.49], "y": [-0.5, 9.49]}, shape=(10, 10))) == 2


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"ra": [1.0], "flux": [2.0]}, "expected x and y .* or ra and dec .*; found ra, flux$"),
        ({"X_IMAGE": [1.0], "Y_IMAGE": [2.0]}, "found x_image, y_image; x_image and y_image count from 1: subtract 1"),
        ({"ra": [1.0], "dec": [2.0]}, "has ra and dec, but the images have no WCS"),
        ({"x": [], "y": []}, "holds no sources"),
        ({"x": [1.0, np.nan], "y": [1.0, 2.0]}, r"1 of 2 positions are not finite \(rows 1, from 0\)"),
        ({"x": MaskedColumn([1.0, 2.0], mask=[True, False]), "y": [1.0, 2.0]}, r"not finite \(rows 0"),
        ({"x": MaskedColumn([1, 2], mask=[True, False]), "y": [1.0, 2.0]}, r"not finite \(rows 0"),
        ({"x": ["one"], "y": [1.0]}, "column 'x' must hold numbers"),
        ({"x": [30.0], "y": [5.0]}, r"none of the 1 positions is on the image of 40 × 20 px.*are x and y swapped"),
    ],
)
def test_tables_that_cannot_be_used(columns, message):
    with pytest.raises(InputError, match=message):
        read_sources(Table(columns), shape=(40, 20))


def test_sky_positions_that_are_not_finite(wcs):
    with pytest.raises(InputError, match=r"1 of 2 positions are not finite \(rows 1"):
        read_sources({"ra": [150.0, np.nan], "dec": [2.0, 2.0]}, wcs())


def test_an_unknown_frame(wcs):
    with pytest.raises(InputError, match="sky positions in frame 'equatorial' cannot be used"):
        read_sources({"ra": [150.0], "dec": [2.0]}, wcs(), frame="equatorial")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", None, "no such file"),
        ("a.txt", "x y\n", r"the name must end in one of \.csv, \.ecsv, \.fits"),
        ("a.fits", "no FITS", "cannot be read as fits"),
        ("a.parquet", "no parquet", "cannot be read as parquet"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        read_sources(tmp_path / name)


def test_what_is_no_table_is_refused():
    with pytest.raises(InputError, match="source list: int cannot be read as a table"):
        read_sources(7)
