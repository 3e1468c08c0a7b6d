"""Half turns about positions between pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meas_deblend.geometry import Box
from meas_deblend.scarlet.halfturn import symmetric_about
from meas_deblend.scarlet.profiles import Resolution, SersicShape, sersic_images
from meas_deblend.scarlet.proximal import symmetric

IMAGE = np.random.default_rng(0).uniform(0, 1, (9, 12))


@given(st.integers(0, 8), st.integers(0, 11))
@settings(max_examples=30, deadline=None)
def test_about_a_pixel_it_is_the_minimum_of_pairs(y, x):
    assert symmetric_about(IMAGE, (float(y), float(x))) == pytest.approx(symmetric(IMAGE, (y, x), fill=0.0))


def test_about_a_corner_of_pixels_pairs_are_pixels():
    found = symmetric_about(IMAGE, (3.5, 4.5))
    assert found[:8, :10] == pytest.approx(np.minimum(IMAGE[:8, :10], IMAGE[:8, :10][::-1, ::-1]))
    assert not found[8:].any()
    assert not found[:, 10:].any()


@given(st.floats(0, 8), st.floats(0, 11))
@settings(max_examples=30, deadline=None)
def test_it_is_never_above_the_image(y, x):
    found = symmetric_about(IMAGE, (y, x))
    assert np.all((found <= IMAGE) & (found >= 0))


def test_a_galaxy_between_pixels_keeps_its_light_and_a_neighbour_goes():
    box, center = Box((0, 0), (41, 41)), (20.3, 19.6)
    galaxy, _ = sersic_images(SersicShape(center, 2.0, (0.2, 0.1), 1.0), box, Resolution(0.8))
    neighbour, _ = sersic_images(SersicShape((24.0, 30.0), 1.5), box, Resolution(0.8))
    about_position = symmetric_about(galaxy + neighbour, center)
    about_pixel = symmetric(galaxy + neighbour, (20, 20), fill=0.0)
    # Interpolation takes 1 % off the peak; the nearest pixel cuts a tenth of the light away.
    assert np.abs(about_position - galaxy).sum() < 0.06
    assert np.abs(about_pixel - galaxy).sum() > 0.12
