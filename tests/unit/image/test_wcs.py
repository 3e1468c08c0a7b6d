"""World coordinates: order of axes, scale, comparison."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st

from meas_deblend.exceptions import InputError
from meas_deblend.image import (
    CelestialGrid,
    grid_offset,
    pixel_scale_of,
    pixel_to_sky,
    sky_to_pixel,
    wcs_from_header,
)

SHAPE = (60, 50)


@given(st.floats(-50, 100), st.floats(-50, 100))
def test_pixels_survive_the_way_to_the_sky_and_back(y, x):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.cdelt = ["RA---TAN", "DEC--TAN"], [150.0, 2.0], [-1e-4, 1e-4]
    sky = pixel_to_sky(wcs, [y], [x])
    np.testing.assert_allclose(np.ravel(sky_to_pixel(wcs, sky.ra.deg, sky.dec.deg)), (y, x), atol=1e-6)


def test_axes_are_not_swapped(wcs):
    # The reference pixel is (25, 30) in FITS, that is y = 29, x = 24; declination grows with y.
    sky = pixel_to_sky(wcs(), [29, 39], [24, 24])
    np.testing.assert_allclose(sky.ra.deg, 150.0, atol=1e-9)
    np.testing.assert_allclose((sky.dec.deg - 2.0) * 3600, [0, 2.0], atol=1e-6)


def test_pixel_scale_is_the_root_of_the_pixels_area(wcs):
    assert pixel_scale_of(wcs(), SHAPE) == pytest.approx(0.2, rel=1e-6)
    flat = wcs()
    flat.wcs.cdelt = [-0.1 / 3600, 0.4 / 3600]
    assert pixel_scale_of(flat, SHAPE) == pytest.approx(0.2, rel=1e-6)


def test_offsets_are_in_pixels(wcs):
    assert grid_offset(wcs(), wcs(), SHAPE) == 0.0
    assert grid_offset(wcs(), wcs(crpix=(25.3, 29.6)), SHAPE) == pytest.approx(0.5, rel=1e-4)
    # 1 % of scale moves the far corner, 25.6 and 30 px from the reference pixel, by 1 % of its distance.
    assert grid_offset(wcs(), wcs(scale=0.202), SHAPE) == pytest.approx(0.01 * np.hypot(25, 30), rel=0.02)


def test_offsets_are_measured_on_the_sky_whatever_the_frame(wcs):
    other = wcs()
    other.wcs.radesys = "FK5"
    # FK5 at J2000 and ICRS differ by 0.02 arcsec.
    assert grid_offset(wcs(), other, SHAPE) < 0.2


@pytest.mark.parametrize(("here", "there"), [("ICRS", "ICRS"), ("FK5", "FK5"), ("ICRS", "FK5"), ("FK4", "ICRS")])
def test_a_grid_that_is_kept_goes_the_way_over_the_sky(wcs, here, there):
    first, second = wcs(), wcs(crpix=(20.3, 27.6))
    first.wcs.radesys, second.wcs.radesys = here, there
    # Of FK4, far enough to the north and east that its equinox brings positions to where the second grid is.
    first.wcs.crval = (149.3646, 2.2407) if here == "FK4" else first.wcs.crval
    y, x = np.array([0.0, 10.0, 59.0]), np.array([-3.0, 24.0, 49.0])
    grid = CelestialGrid(first)
    sky = pixel_to_sky(first, y, x).icrs
    # Where frames are equal, astropy goes to the ICRS and back: 1e-7 pixels.
    expected = sky_to_pixel(second, sky.ra.deg, sky.dec.deg)
    np.testing.assert_allclose(grid.pixels_on(CelestialGrid(second), y, x), expected, atol=1e-6)
    np.testing.assert_allclose(grid.directions(y, x), sky.cartesian.xyz.value.T, atol=1e-14)


def test_a_header_without_coordinates_has_no_wcs():
    header = fits.Header({"CRPIX1": 1.0, "CRVAL1": 0.0, "CDELT1": 1.0, "CTYPE1": "PIXEL"})
    assert wcs_from_header(header) is None


@pytest.mark.filterwarnings("ignore:'celfix' made the change")
def test_a_wcs_that_cannot_be_used_is_refused(wcs):
    header = wcs().to_header()
    header["CTYPE2"] = "RA---TAN"
    with pytest.raises(InputError, match="band g: the WCS in the header cannot be used"):
        wcs_from_header(header, label="band g")
