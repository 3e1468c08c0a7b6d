"""Images that are read a few rows at a time: the same pixels as astropy gives of the whole, without memory beside."""

import tracemalloc
import warnings

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from meas_deblend.exceptions import InputError
from meas_deblend.image import fits_io
from meas_deblend.image.fits_io import open_fits

ODD = {"BSCALE": (0.25, "u1"), "BZERO": (-7.5, "i2"), "BLANK": (3, "i2")}


@pytest.fixture
def by_rows(monkeypatch):
    """Read 40 pixels at a time."""
    monkeypatch.setattr(fits_io, "_BLOCK", 40)


def written(path, data, cards=()):
    header = fits.Header()
    with warnings.catch_warnings():
        # BLANK means nothing where pixels are floats; a file may have it all the same.
        warnings.simplefilter("ignore")
        fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(data, header, name="IMAGE")]).writeto(path, overwrite=True)
    for key, value in cards:
        fits.setval(path, key, value=value, extname="IMAGE")
    return path


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.sampled_from(["u1", "i2", "i4", "i8", "u2", "u4", "f4", "f8"]).flatmap(
        lambda kind: arrays(kind, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=30))
    ),
    wanted=st.sampled_from([None, np.float32, np.float64]),
)
def test_rows_are_those_of_the_whole_image(by_rows, tmp_path, data, wanted):
    path = written(tmp_path / "image.fits", data)
    with open_fits(path) as file:
        found = file.pixels(file.hdus["IMAGE"], wanted)
    whole = fits.getdata(path, "IMAGE")
    with np.errstate(over="ignore"):
        expected = whole.astype(whole.dtype.newbyteorder("=") if wanted is None else wanted)
    assert found.dtype == expected.dtype
    assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize(("key", "value", "kind"), [(key, *rest) for key, rest in ODD.items()])
def test_scales_and_blanks_hold_for_every_row(by_rows, tmp_path, key, value, kind):
    data = np.arange(130).reshape(13, 10).astype(kind)
    path = written(tmp_path / "scaled.fits", data, [(key, value)])
    with open_fits(path) as file:
        found = file.pixels(file.hdus["IMAGE"], np.float32)
    expected = {"BSCALE": data * 0.25, "BZERO": data - 7.5, "BLANK": np.where(data == 3, np.nan, data)}[key]
    np.testing.assert_array_equal(found, expected.astype(np.float32))


@pytest.mark.parametrize("rows", [1, 5, 12])
def test_an_image_that_ends_too_early_is_refused(by_rows, tmp_path, rows):
    path = written(tmp_path / "short.fits", np.ones((13, 1000), np.float32))
    path.write_bytes(path.read_bytes()[: -2880 * 19 + rows * 4000])
    with (
        pytest.raises(InputError, match=r"short\.fits: pixels of HDU 'IMAGE' cannot be read: "),
        open_fits(path) as file,
    ):
        file.pixels(file.hdus["IMAGE"])


def test_no_second_image_is_in_memory(tmp_path):
    path = written(tmp_path / "large.fits", np.ones((1500, 1500), np.float32))
    with open_fits(path) as file:
        tracemalloc.start()
        try:
            found = file.pixels(file.hdus["IMAGE"])
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    # A block as it is in the file, and one in the machine's order.
    assert most < found.nbytes + 3 * 4 * fits_io._BLOCK
