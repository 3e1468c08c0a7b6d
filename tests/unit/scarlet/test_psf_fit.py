"""The PSF fitted to the images of a known scene."""

from dataclasses import replace

import numpy as np
import pytest

from meas_deblend.scarlet import Convolver, Observation, mean_noise, model_psf, prepare_kernels
from meas_deblend.scarlet.psf_fit import fit_psf, kernel_gradient

SHAPE = (2, 41, 43)


def observe(sigmas, model, noise, seed=0):
    convolver = Convolver(prepare_kernels(np.stack([model_psf(sigma, 15) for sigma in sigmas])), model.shape[1:])
    images = convolver.render(model) + np.random.default_rng(seed).normal(0, noise, model.shape)
    variance = np.full(model.shape, noise**2)
    return Observation(images, variance, 1 / variance, convolver, mean_noise(variance))


@pytest.fixture
def stars():
    """Six points in the resolution of the model PSF."""
    model = np.zeros(SHAPE)
    for y, x in ((9, 10), (11, 30), (20, 21), (30, 9), (32, 31), (20, 36)):
        model[:, y - 7 : y + 8, x - 7 : x + 8] += 3000 * model_psf(0.8, 15)[:, : SHAPE[2] - x + 7]
    return model


def test_the_gradient_of_the_kernels_agrees_with_differences(stars):
    observation = observe((1.4, 1.7), stars, 1.0)
    kernels = observation.convolver.kernels
    skewed = kernels.stamps * (1 + 0.1 * np.arange(15) / 15)  # without symmetry, reflections show

    def loss(stamps):
        other = Convolver(replace(kernels, stamps=stamps), SHAPE[1:])
        return 0.5 * np.sum(observation.weights * (other.render(stars) - observation.images) ** 2)

    other = Convolver(replace(kernels, stamps=skewed), SHAPE[1:])
    residual = observation.weights * (other.render(stars) - observation.images)
    gradient = kernel_gradient(stars, residual, kernels.radius)
    for tap in ((0, 3, 9), (1, 7, 7), (1, 14, 0)):
        step = np.zeros_like(skewed)
        step[tap] = 1e-3
        # The loss is quadratic, so central differences are exact up to rounding.
        expected = (loss(skewed + step) - loss(skewed - step)) / 2e-3
        assert gradient[tap] == pytest.approx(expected, rel=1e-6)


def test_a_wrong_psf_is_mended(stars):
    observation = observe((1.6, 1.6), stars, 1.0)
    wrong = prepare_kernels(np.stack([model_psf(1.4, 15)] * 2))
    doubtful = replace(observation, convolver=Convolver(wrong, SHAPE[1:]))
    found = fit_psf(doubtful, stars)
    truth = model_psf(1.6, 15)
    assert np.abs(found.psfs - truth).max() < 0.03 * truth.max()
    assert np.abs(wrong.psfs - truth).max() > 0.2 * truth.max()
    again = replace(observation, convolver=Convolver(found, SHAPE[1:]))
    assert again.log_likelihood(stars) > -0.55 * stars.size


def test_what_the_images_do_not_say_stays(stars):
    observation = observe((1.4, 1.7), stars, 1.0)
    silent = replace(observation, weights=np.zeros_like(observation.weights))
    assert fit_psf(silent, stars).stamps == pytest.approx(observation.convolver.kernels.stamps)


def test_arguments_are_checked(stars):
    observation = observe((1.4, 1.7), stars, 1.0)
    with pytest.raises(ValueError, match="prior_sigma must be > 0"):
        fit_psf(observation, stars, prior_sigma=0)
    with pytest.raises(ValueError, match=r"model has shape \(1, 41, 43\), expected that of the images \(2, 41, 43\)"):
        fit_psf(observation, stars[:1])
