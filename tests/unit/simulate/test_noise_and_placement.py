"""Noise with the correlation it states, and positions where they should be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meas_deblend.exceptions import InputError
from meas_deblend.simulate.noise import autocorrelation, correlated_noise, correlation_kernel, counted_electrons
from meas_deblend.simulate.placement import Region, clustered, in_a_row, uniform


@given(st.floats(1, 9))
def test_a_kernel_gives_the_sum_asked_for(total):
    kernel = correlation_kernel(total)
    assert (kernel**2).sum() == pytest.approx(1)
    xi = autocorrelation(kernel)
    assert xi.shape == (5, 5)
    assert xi[2, 2] == pytest.approx(1)
    assert xi.sum() == pytest.approx(total, rel=1e-6)
    np.testing.assert_allclose(xi, xi[::-1, ::-1], atol=1e-12)


def test_a_kernel_of_four_has_a_formula_of_its_own():
    assert correlation_kernel(4.0)[0, 1] == pytest.approx(correlation_kernel(4.0 + 1e-7)[0, 1], abs=1e-6)


@pytest.mark.parametrize("total", [0.99, 9.1])
def test_impossible_sums(total):
    with pytest.raises(InputError, match=f"must be between 1 and 9, got {total}"):
        correlation_kernel(total)


def test_correlated_noise_has_its_variance_and_its_sum():
    variance = np.full((2, 400, 400), [[[4.0]], [[9.0]]])
    noise = correlated_noise(np.random.default_rng(4), variance, correlation_kernel(2.0))
    # 160 000 pixels with Σξ² = 1.2: χ²/pixel is known to 0.4 %.
    np.testing.assert_allclose((noise**2 / variance).mean(axis=(1, 2)), 1, atol=0.02)
    sums = noise.reshape(2, 40, 10, 40, 10).sum(axis=(2, 4))
    # 1600 squares of 10² pixels: 3.5 % per band. Σξ is 2 for large areas; a square of 10 px loses 5 % at its rim.
    np.testing.assert_allclose(sums.var(axis=(1, 2)) / (100 * variance[:, 0, 0]), 2, rtol=0.12)


def test_counted_electrons():
    model = np.zeros((2, 300, 300))
    model[1] = 500.0
    image = counted_electrons(np.random.default_rng(5), model, np.array([1000.0, 1000.0]))
    # 90 000 pixels: a mean is known to 0.11 and 0.13, a variance to 0.5 %.
    np.testing.assert_allclose(image.mean(axis=(1, 2)), [0, 500], atol=0.5)
    np.testing.assert_allclose(image.var(axis=(1, 2)), [1000, 1500], rtol=0.02)


@given(st.integers(1, 60), st.integers(0, 10**6))
def test_uniform_positions_are_inside_with_a_pixel_each(n, seed):
    region = Region.middle((205, 205), 150)
    y, x = uniform(np.random.default_rng(seed), n, region).T
    for c in (y, x):
        assert (c >= 27).all()
        assert (c < 177).all()
    assert len(set(zip(np.floor(y + 0.5), np.floor(x + 0.5), strict=True))) == n


def test_clustered_positions_have_more_close_neighbours():
    def closest(positions):
        distance = np.hypot(*(positions[:, None] - positions[None]).T)
        np.fill_diagonal(distance, np.inf)
        return np.median(distance.min(axis=0))

    region = Region.middle((1000, 1000), None)
    near = clustered(np.random.default_rng(6), 300, region, 0.6, 0.2)
    far = uniform(np.random.default_rng(6), 300, region)
    assert all(region.holds(p) for p in near)
    assert closest(near) < 0.7 * closest(far)


def test_a_row_is_straight_and_even():
    positions = in_a_row(np.random.default_rng(7), 3, Region.middle((81, 101), 41), 8.0)
    steps = np.diff(positions, axis=0)
    np.testing.assert_allclose(np.hypot(*steps.T), 8.0)
    np.testing.assert_allclose(steps[0], steps[1])
    assert np.abs(positions[1] - [40, 50]).max() <= 0.5


def test_too_many_for_the_region():
    with pytest.raises(InputError, match="60 sources do not fit into 100 pixels with room between them"):
        uniform(np.random.default_rng(8), 60, Region.middle((20, 20), 10))
