"""Profiles in the resolution of the model PSF, against exact numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meas_deblend.geometry import Box
from meas_deblend.scarlet import model_psf
from meas_deblend.scarlet.profiles import Resolution, SersicShape, point_images, sersic_images, sersic_scale

BOX = Box((-40, -40), (81, 81))


@pytest.mark.parametrize(("index", "b"), [(0.5, 0.693147), (1, 1.678347), (2, 3.672061), (4, 7.669249)])
def test_scale_encloses_half_of_the_light(index, b):
    # Exact solutions of γ(2n, b) = Γ(2n) / 2.
    found, slope = sersic_scale(index)
    assert found == pytest.approx(b, abs=1e-6)
    assert slope == pytest.approx((sersic_scale(index + 1e-4)[0] - sersic_scale(index - 1e-4)[0]) / 2e-4, rel=1e-7)


def test_a_point_on_a_pixel_is_the_model_psf():
    image, _ = point_images(np.array([0.0, 0.0]), Box((-7, -7), (15, 15)), Resolution(0.8))
    assert image == pytest.approx(model_psf(0.8, 15), abs=1e-9)


def test_resolution_is_read_from_a_stamp():
    # The stamp's edges cut a little of the variance.
    assert Resolution.of(model_psf(0.8, 15)).sigma == pytest.approx(0.8, abs=1e-5)
    assert Resolution.of(model_psf(1.1, 21)).sigma == pytest.approx(1.1, abs=1e-5)
    with pytest.raises(ValueError, match="sigma of the model PSF must be > 0"):
        Resolution(0.0)


@given(st.floats(-3, 3), st.floats(-3, 3))
@settings(max_examples=20, deadline=None)
def test_flux_and_position_of_a_point_do_not_depend_on_where_it_is(y, x):
    image, _ = point_images(np.array([y, x]), Box((-15, -15), (31, 31)), Resolution(0.8))
    rows, columns = np.mgrid[-15:16, -15:16]
    assert image.sum() == pytest.approx(1, abs=1e-9)
    # Pixels sample the centroid of this Gaussian to 1e-6.
    assert np.sum(image * rows) == pytest.approx(y, abs=1e-5)
    assert np.sum(image * columns) == pytest.approx(x, abs=1e-5)


@pytest.mark.parametrize("center", [(0.0, 0.0), (0.31, -0.4), (0.5, 0.5)])
@pytest.mark.parametrize(("radius", "g"), [(0.7, (0.0, 0.0)), (2.5, (0.0, 0.0)), (2.5, (0.3, -0.2))])
def test_a_gaussian_has_the_moments_of_a_gaussian(center, radius, g):
    image, _ = sersic_images(SersicShape(center, radius, g, 0.5), BOX, Resolution(0.8))
    rows, columns = np.mgrid[-40:41, -40:41]
    y, x = rows - center[0], columns - center[1]
    # Half of a Gaussian's light lies within 1.17741 σ; the model PSF and its pixel add 0.64 + 1/12.
    sigma2, norm = (radius / 1.177410) ** 2, 1 - g[0] ** 2 - g[1] ** 2
    size = (1 + g[0] ** 2 + g[1] ** 2) / norm * sigma2
    assert image.sum() == pytest.approx(1, abs=1e-4)
    assert np.sum(image * y) == pytest.approx(0, abs=1e-4)
    added = 0.64 + 1 / 12
    assert np.sum(image * x * x) == pytest.approx(size + 2 * g[0] / norm * sigma2 + added, rel=1e-3)
    assert np.sum(image * y * y) == pytest.approx(size - 2 * g[0] / norm * sigma2 + added, rel=1e-3)
    assert np.sum(image * x * y) == pytest.approx(2 * g[1] / norm * sigma2, abs=1e-3 * size)


@pytest.mark.parametrize(("index", "radius"), [(0.5, 1.0), (1.0, 0.5), (1.0, 3.0), (2.0, 1.0), (4.0, 2.0)])
def test_samples_are_fine_enough(index, radius):
    shape, box = SersicShape((0.13, -0.27), radius, (0.2, 0.1), index), Box((-15, -15), (31, 31))
    image, _ = sersic_images(shape, box, Resolution(0.8))
    # The same with 60 samples per pixel and axis, on a grid that does not know the centre.
    fine = (np.arange(41 * 60) + 0.5) / 60 - 20.5
    u = (1 - 0.2) * (fine + 0.27) - 0.1 * (fine[:, None] - 0.13)
    v = (1 + 0.2) * (fine[:, None] - 0.13) - 0.1 * (fine + 0.27)
    b, _ = sersic_scale(index)
    brightness = np.exp(-b * (((u * u + v * v) / (1 - 0.05)) ** (0.5 / index) / radius ** (1 / index)))
    spread = Resolution(0.8).spread(np.arange(-15.0, 16.0), fine)
    expected = spread @ brightness @ spread.T
    expected *= image.sum() / expected.sum()
    assert np.abs(image - expected).max() < (5e-3 if index > 2 else 5e-4) * expected.max()


def test_half_of_the_light_is_inside_the_radius():
    image, _ = sersic_images(SersicShape((0.0, 0.0), 12.0, (0.0, 0.0), 1.0), BOX, Resolution(0.1))
    rows, columns = np.mgrid[-40:41, -40:41]
    # A circle of whole pixels has 441 of them, where its area is 452.
    assert image[np.hypot(rows, columns) < 12].sum() == pytest.approx(0.5, abs=0.015)


@pytest.mark.parametrize("index", [0.1, 12.0])
def test_indices_out_of_range_are_errors(index):
    with pytest.raises(ValueError, match=r"Sérsic index must be between 0\.2 and 10"):
        SersicShape((0.0, 0.0), 1.0, (0.0, 0.0), index)
