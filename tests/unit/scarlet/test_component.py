"""Components: scene, likelihood, gradients, boxes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meas_deblend.geometry import Box
from meas_deblend.scarlet import Component, Convolver, FitConfig, Observation, mean_noise, point_source_snr
from meas_deblend.scarlet.arguments import make_observation
from meas_deblend.scarlet.component import factor_gradients, resample, scene

F64 = np.dtype(np.float64)
# The scene was drawn with exact kernels.
EXACT = FitConfig(model_psf_sigma=0.8, kernel_floor=0.0)


@pytest.fixture
def observation(five):
    return make_observation(five.images, five.variance, five.psfs, weights=np.ones_like(five.images), config=EXACT)


def test_likelihood_of_the_true_model_is_zero(five, observation):
    model = scene(five.components, five.images.shape, F64)
    assert observation.log_likelihood(model) == pytest.approx(0, abs=1e-7)


def test_likelihood_without_the_last_source(five, observation):
    model = scene(five.components[:-1], five.images.shape, F64)
    # −½ Σ (K ∗ s)² of the missing source, as measured with another implementation of this scene.
    assert observation.log_likelihood(model) == pytest.approx(-60.011720889, abs=1e-6)


def numerical(function, x, h=1e-5):
    slope = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index] += h
        down[index] -= h
        slope[index] = (function(up) - function(down)) / (2 * h)
    return slope


def test_gradients_are_the_slopes_of_the_likelihood(five):
    rng = np.random.default_rng(7)
    weights = rng.random(five.images.shape)
    observation = make_observation(five.images, five.variance, five.psfs, weights=weights, config=EXACT)
    part = Component((20, 10), Box((17, 8), (7, 5)), rng.random(3) * 5, rng.random((7, 5)))
    rest = five.components[:2]

    def likelihood(component):
        return observation.log_likelihood(scene([*rest, component], five.images.shape, F64))

    value, gradient = observation.gradient(scene([*rest, part], five.images.shape, F64))
    assert value == likelihood(part)
    for_spectrum, for_morph = factor_gradients(gradient, part.spectrum, part.morph, part.box.origin)
    slopes = numerical(lambda s: likelihood(replace(part, spectrum=s)), part.spectrum)
    # logL is quadratic in either factor, so central differences are exact but for rounding.
    assert -for_spectrum == pytest.approx(slopes, rel=1e-6)
    slopes = numerical(lambda m: likelihood(replace(part, morph=m)), part.morph)
    assert -for_morph == pytest.approx(slopes, rel=1e-6, abs=1e-6 * np.abs(slopes).max())


@given(y=st.integers(-6, 6), x=st.integers(-6, 6), h=st.integers(0, 9), w=st.integers(0, 9))
def test_resampling_keeps_the_overlap(y, x, h, w):
    box, new = Box((0, 0), (5, 6)), Box((y, x), (h, w))
    array = np.arange(1.0, 31).reshape(5, 6)
    moved = resample(array, box, new)
    assert moved.shape == new.shape
    here, there = box.overlap_slices(new)
    assert np.array_equal(moved[there], array[here])
    assert moved.sum() == array[here].sum()


def test_flux_and_cube():
    part = Component((1, 1), Box((0, 0), (2, 2)), np.array([2.0, 3.0]), np.array([[1.0, 0.5], [0.0, 0.25]]))
    assert part.flux == pytest.approx([3.5, 5.25])
    assert part.cube.sum(axis=(1, 2)) == pytest.approx(part.flux)
    assert Component((11, 21), Box((10, 20), (2, 2)), part.spectrum, part.morph).peak == (1, 1)


def test_noise_is_the_mean_over_measured_pixels():
    variance = np.array([[[1.0, 9.0], [np.inf, -1.0]], [[np.nan, np.inf], [np.nan, -2.0]]])
    assert np.array_equal(mean_noise(variance), [2.0, np.inf])


def test_signal_to_noise_of_a_point_source(five):
    psf = five.psfs
    images = np.zeros((3, 35, 35))
    flux = np.array([3.0, 5.0, 7.0])
    images[:, 10:25, 5:20] = flux[:, None, None] * psf
    variance = np.full(images.shape, 0.04)
    power = (psf**2).sum(axis=(1, 2))
    expected = (flux * power).sum() / np.sqrt(0.04 * power.sum())
    assert point_source_snr(images, variance, psf, (17, 12)) == pytest.approx(expected)
    # Pixels beyond the frame, or without a measurement, do not count.
    assert point_source_snr(images, variance, psf, (0, 0)) == 0
    assert point_source_snr(images, np.full_like(variance, np.inf), psf, (17, 12)) == 0


def test_observation_leaves_its_arguments_alone(five):
    images = five.images.copy()
    images[0, 3, 3] = np.nan
    before = images.copy()
    observation = make_observation(images, five.variance, five.psfs, config=EXACT)
    assert isinstance(observation, Observation)
    assert isinstance(observation.convolver, Convolver)
    assert observation.images[0, 3, 3] == observation.weights[0, 3, 3] == 0
    assert np.array_equal(images, before, equal_nan=True)
