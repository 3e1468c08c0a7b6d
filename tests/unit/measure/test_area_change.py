"""The area of an ellipse, where its moments are hardly known."""

import numpy as np
import pytest
from single_apertures import area_change

from meas_deblend.measure.child import ShapeSet
from meas_deblend.measure.shapes import SHORTEST

LARGEST = 20.0


def shape_of(moments, error, bands=2):
    """The same moments (Iyy, Iyx, Ixx) in some bands, with one error."""
    covariance = np.broadcast_to(np.diag([error**2, error**2 / 2, error**2]), (bands, 3, 3)).copy()
    return ShapeSet(np.tile(np.array(moments, float), (bands, 1)), covariance, np.zeros(bands, dtype=np.int64))


@pytest.mark.parametrize("moments", [(4.0, 0.0, 4.0), (9.0, 2.0, 3.0), (3.0, -1.5, 6.0)])
def test_small_errors_give_the_derivative(moments):
    found = area_change(shape_of(moments, 0.01), LARGEST)
    yy, yx, xx = moments
    inverse = np.linalg.inv([[yy, yx], [yx, xx]])
    # The difference is off by (σ / λ)² / 3.
    np.testing.assert_allclose(found.slopes, [inverse[0, 0], inverse[0, 1], inverse[1, 1]], rtol=1e-4, atol=1e-6)
    assert found.is_certain


def test_two_bands_know_it_better():
    """Errors are those of the mean: with 1.8 px² each, and 1.27 together, on a moment of 3."""
    assert not area_change(shape_of((3.0, 0.0, 3.0), 1.8, bands=1), LARGEST).is_certain
    assert area_change(shape_of((3.0, 0.0, 3.0), 1.8), LARGEST).is_certain


@pytest.mark.parametrize("short", [0.3, 0.01, 1e-6])
def test_noise_that_makes_a_line_has_a_bound(short):
    """The area changes by no more than the axis does within its limits, however short noise makes it."""
    error = 1.0
    found = area_change(shape_of((short, 0.0, 5.0), error, bands=1), LARGEST)
    assert not found.is_certain
    # From 0.5 px to √(λ + σ), in the logarithm, over 2 σ, times two since δ ln A = ½ tr(Q δM).
    assert found.slopes[0] == pytest.approx(np.log((short + error) / SHORTEST**2) / (2 * error))
    assert found.slopes[0] * error < 1
    assert found.slopes[2] == pytest.approx(1 / 5, rel=0.02)


def test_an_axis_at_its_limit_stays():
    found = area_change(shape_of((0.05, 0.0, 500.0), 0.1, bands=1), LARGEST)
    np.testing.assert_array_equal(found.slopes, 0.0)
    assert not found.is_certain


def test_no_moments_no_change():
    nothing = shape_of((4.0, 0.0, 4.0), 0.1)
    nothing.reasons[:] = 1
    found = area_change(nothing, LARGEST)
    np.testing.assert_array_equal(found.slopes, 0.0)
    assert not found.is_certain
