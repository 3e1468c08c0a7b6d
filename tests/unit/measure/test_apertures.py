"""Exact areas of pixels inside a circle."""

import numpy as np
import pytest
import sep
from hypothesis import given
from hypothesis import strategies as st

from meas_deblend.geometry import Box
from meas_deblend.measure import aperture_weights

POSITION = st.floats(-3.0, 53.0)
RADIUS = st.floats(0.05, 15.0)


@given(y=POSITION, x=POSITION, radius=RADIUS)
def test_the_areas_sum_to_the_circle(y, x, radius):
    weights = aperture_weights((y, x), radius)
    assert weights.array.sum() == pytest.approx(np.pi * radius**2, rel=1e-10)
    assert weights.array.min() >= 0
    assert weights.array.max() <= 1


def test_sums_equal_those_of_an_independent_exact_aperture():
    rng = np.random.default_rng(1)
    image = rng.normal(size=(50, 60))
    for _ in range(200):
        y, x, radius = rng.uniform(12, 38), rng.uniform(12, 48), rng.uniform(0.2, 11)
        weights = aperture_weights((y, x), radius)
        y0, x0 = weights.box.origin
        cut = image[y0 : weights.box.stop[0], x0 : weights.box.stop[1]]
        expected, _, _ = sep.sum_circle(image, [x], [y], radius, subpix=0)
        # sep works in single precision where a circle crosses a pixel.
        assert (weights.array * cut).sum() == pytest.approx(expected[0], abs=1e-5)


def test_one_pixel_holds_a_circle_inside_it():
    weights = aperture_weights((4.1, -2.0), 0.3)
    assert weights.array.max() == pytest.approx(np.pi * 0.09)
    assert np.count_nonzero(weights.array > 1e-12) == 1


@pytest.mark.parametrize("radius", [3.0, 6.0, 9.0, 12.0])
def test_gaussian_flux_inside_is_the_analytic_fraction(radius):
    sigma, center = 2.5, (40.3, 41.2)
    y, x = np.indices((81, 81))
    gaussian = np.exp(-((y - center[0]) ** 2 + (x - center[1]) ** 2) / (2 * sigma**2)) / (2 * np.pi * sigma**2)
    weights = aperture_weights(center, radius)
    measured = (weights.array * gaussian[weights.box.slices_in(Box((0, 0), gaussian.shape))]).sum()
    # Inside a pixel light is taken to be uniform, which adds the pixel's variance 1/12 to σ².
    blurred = sigma**2 + 1 / 12
    assert measured == pytest.approx(1 - np.exp(-(radius**2) / (2 * blurred)), abs=3e-4)
    assert measured == pytest.approx(1 - np.exp(-(radius**2) / (2 * sigma**2)), abs=6e-3)
