import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meas_deblend.report import MASKED_GREY, AsinhStretch, band_letter, channel_map, display_order, to_rgb


def _sky(n_bands=5, seed=0):
    """Two sources of different colour on noise of known width 1."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:40, :50]
    cube = rng.normal(size=(n_bands, 40, 50))
    spectrum = np.linspace(20, 80, n_bands)
    cube += spectrum[:, None, None] * np.exp(-((y - 20) ** 2 + (x - 15) ** 2) / 18)
    cube += spectrum[::-1, None, None] * np.exp(-((y - 25) ** 2 + (x - 35) ** 2) / 18)
    return cube


@pytest.mark.parametrize(
    ("n_bands", "red", "green", "blue"),
    [
        (1, [1], [1], [1]),
        (2, [0, 1], [0.5, 0.5], [1, 0]),
        (3, [0, 0, 1], [0, 1, 0], [1, 0, 0]),
        (4, [0, 0, 0.25, 0.75], [0, 0.5, 0.5, 0], [0.75, 0.25, 0, 0]),
        (5, [0, 0, 0, 0.4, 0.6], [0, 0.2, 0.6, 0.2, 0], [0.6, 0.4, 0, 0, 0]),
    ],
)
def test_channel_map_of_few_bands(n_bands, red, green, blue):
    np.testing.assert_allclose(channel_map(n_bands), [red, green, blue], atol=1e-12)


def test_channel_map_of_six_and_seven_bands():
    six = np.array([[0, 0, 0, 1, 2, 3], [0, 1, 2, 2, 1, 0], [3, 2, 1, 0, 0, 0]]) / 6
    np.testing.assert_allclose(channel_map(6), six, atol=1e-12)
    np.testing.assert_allclose(channel_map(7), np.hstack([six, np.full((3, 1), 1 / 3)]), atol=1e-12)


@pytest.mark.parametrize("n_bands", range(1, 8))
def test_channels_of_a_map_have_equal_sums(n_bands):
    sums = channel_map(n_bands).sum(axis=1)
    np.testing.assert_allclose(sums, sums[0], rtol=1e-12)


@pytest.mark.parametrize("n_bands", [0, 8, -1])
def test_channel_map_refuses_other_numbers(n_bands):
    with pytest.raises(ValueError, match=f"takes 1 to 7 bands, got {n_bands}"):
        channel_map(n_bands)


@pytest.mark.parametrize(
    ("band", "letter"), [("g", "g"), ("HSC-G", "g"), ("lsst_i2", "i"), ("N708", None), ("F115W", None), ("", None)]
)
def test_band_letter(band, letter):
    assert band_letter(band) == letter


def test_bands_are_sorted_by_wavelength_where_their_names_tell():
    assert display_order(("z", "g", "u", "r")) == (2, 1, 3, 0)
    assert display_order(("HSC-Y", "HSC-G")) == (1, 0)
    assert display_order(("z", "N708", "g")) == (0, 1, 2)


def test_more_than_seven_bands_are_thinned_evenly():
    order = display_order(tuple(f"N{k}" for k in range(13)))
    assert order == (0, 2, 4, 6, 8, 10, 12)


@given(value=st.floats(0, 1e6), n_bands=st.integers(1, 7), q=st.floats(1e-3, 1e3))
def test_grey_in_grey_out(value, n_bands, q):
    picture = to_rgb(np.full((n_bands, 2, 3), value), AsinhStretch(minimum=-1.0, stretch=10.0, q=q))
    assert picture.shape == (2, 3, 3)
    assert picture.dtype == np.uint8
    assert np.ptp(picture.astype(int), axis=2).max() == 0


@pytest.mark.parametrize("q", [0.1, 5.0, 100.0])
def test_a_tenth_of_the_stretch_has_a_tenth_of_the_brightness(q):
    # Lupton et al. (2004): the linear part does not depend on q. 25.5 rounds to 26 or, from below, to 25.
    picture = to_rgb(np.full((3, 1, 1), 1.0), AsinhStretch(minimum=0.0, stretch=10.0, q=q))
    assert picture[0, 0, 0] in {25, 26}


def test_brightness_grows_with_flux():
    flux = np.geomspace(0.01, 1e4, 200)
    picture = to_rgb(np.broadcast_to(flux, (3, 1, 200)), AsinhStretch(0.0, 10.0, 5.0))
    assert (np.diff(picture[0, :, 0].astype(int)) >= 0).all()


def test_pixels_brighter_than_white_keep_their_colour():
    colour = np.array([1.0, 2.0, 4.0])[:, None, None]  # blue, green, red
    stretch = AsinhStretch(0.0, 10.0, 5.0)
    faint, bright = (to_rgb(colour * f, stretch)[0, 0].astype(float) for f in (10.0, 1e5))
    assert bright.max() == 255
    # Two roundings to whole numbers.
    np.testing.assert_allclose(bright / bright.max(), faint / faint.max(), atol=0.01)


def test_nothing_and_negative_flux_are_black():
    cube = np.stack([np.zeros((2, 2)), np.full((2, 2), -3.0), np.zeros((2, 2))])
    assert (to_rgb(cube, AsinhStretch(0.0, 1.0, 5.0)) == 0).all()


@given(exponent=st.integers(-20, 20))
def test_the_picture_does_not_depend_on_the_unit(exponent):
    # Powers of two scale without rounding; roots of the softening differ in the last bits only.
    cube = _sky()
    scaled = cube * 2.0**exponent
    noise = np.ones(5)
    here = to_rgb(cube, AsinhStretch.from_images(cube, noise)).astype(int)
    there = to_rgb(scaled, AsinhStretch.from_images(scaled, noise * 2.0**exponent)).astype(int)
    assert np.abs(here - there).max() <= 1


@pytest.mark.parametrize("given_noise", [True, False])
def test_stretch_shows_noise_dark_and_sources_bright(given_noise):
    cube = _sky()
    stretch = AsinhStretch.from_images(cube, np.ones(5) if given_noise else None)
    picture = to_rgb(cube, stretch)
    sky = picture[:10, :5].astype(float)
    assert 5 < sky.mean() < 50
    assert picture[20, 15].max() > 200
    # White is set for the brightest 0.3 %; those whose colour is stronger than the average reach it earlier.
    assert (picture.max(axis=2) == 255).mean() < 0.02


def test_the_redder_source_is_redder():
    cube = _sky()
    picture = to_rgb(cube, AsinhStretch.from_images(cube, np.ones(5))).astype(int)
    red, blue = picture[20, 15], picture[25, 35]
    assert red[0] > red[2]
    assert blue[2] > blue[0]


def test_a_field_without_sources_is_not_blown_up():
    noise = np.random.default_rng(1).normal(size=(3, 30, 30))
    assert to_rgb(noise, AsinhStretch.from_images(noise, np.ones(3))).max() < 150


@pytest.mark.parametrize("cube", [np.zeros((3, 4, 4)), np.full((3, 4, 4), np.nan), np.ones((3, 4, 4))])
def test_stretch_of_degenerate_images(cube):
    stretch = AsinhStretch.from_images(cube)
    picture = to_rgb(cube, stretch)
    assert stretch.stretch > 0
    assert picture.shape == (4, 4, 3)


def test_missing_pixels_are_grey():
    cube = _sky(3)
    cube[1, 5, 6] = np.nan
    cube[0, 7, 8] = np.inf
    mask = np.zeros((40, 50), dtype=bool)
    mask[10, 11] = True
    stretch = AsinhStretch.from_images(cube, np.ones(3))
    picture = to_rgb(cube, stretch, mask)
    grey = [5, 7, 10], [6, 8, 11]
    assert (picture[grey] == MASKED_GREY).all()
    per_band = np.zeros((3, 40, 50), dtype=bool)
    per_band[2, 10, 11] = True
    np.testing.assert_array_equal(to_rgb(cube, stretch, per_band), picture)


def test_the_cube_is_not_changed():
    cube = _sky(3)
    cube[0, 0, 0] = np.nan
    before = cube.copy()
    to_rgb(cube, AsinhStretch.from_images(cube))
    np.testing.assert_array_equal(cube, before)


def test_a_stretch_of_other_bands_is_refused():
    stretch = AsinhStretch.from_images(_sky(5))
    with pytest.raises(ValueError, match="made for 5 bands, the cube has 3"):
        to_rgb(_sky(3), stretch)


@pytest.mark.parametrize("name", ["stretch", "q"])
def test_stretch_must_be_positive(name):
    values = {"minimum": 0.0, "stretch": 1.0, "q": 1.0, name: 0.0}
    with pytest.raises(ValueError, match=f"{name} of a stretch must be above 0, got 0"):
        AsinhStretch(**values)
