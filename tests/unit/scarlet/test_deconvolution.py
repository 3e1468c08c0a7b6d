"""Deconvolution to the resolution of the model PSF."""

import numpy as np
import pytest

from meas_deblend.scarlet import DeconvolveConfig, deconvolve, prepare_kernels
from meas_deblend.scarlet.deconvolution import deconvolution_step

Y, X = np.mgrid[:51, :51]
SIGMAS = (1.5, 1.7, 2.0)


def gaussian_stamps():
    y, x = np.mgrid[:41, :41] - 20
    stamps = np.stack([np.exp(-(y**2 + x**2) / (2 * s**2)) for s in SIGMAS])
    return stamps / stamps.sum(axis=(1, 2), keepdims=True)


def point_sources(places, fluxes, seed):
    """Point sources in three bands on noise of standard deviation 1."""
    images = np.random.RandomState(seed).normal(size=(3, 51, 51))
    for (y, x), flux in zip(places, fluxes, strict=True):
        for b, s in enumerate(SIGMAS):
            images[b] += flux[b] * np.exp(-((Y - y) ** 2 + (X - x) ** 2) / (2 * s**2)) / (2 * np.pi * s**2)
    return images


ONE = ([(25, 25)], [(400, 800, 1200)])
TWO = ([(25, 22), (25, 28)], [(1000, 600, 300), (300, 600, 1000)])


@pytest.mark.parametrize(("fraction", "snr", "step"), [(0.01, 16, 0.4), (0.0005, 9, 0.015), (0.2, 25, 1.0)])
def test_step_follows_sparsity_and_signal(fraction, snr, step):
    image = np.zeros(10_000)
    image[: int(fraction * image.size)] = snr * 2.0
    assert deconvolution_step(image, 2.0) == pytest.approx(step, abs=1e-12)


@pytest.mark.parametrize("noise", [0.0, -1.0, np.nan, np.inf])
def test_step_without_a_noise_level(noise):
    assert deconvolution_step(np.ones(4), noise) == 0.1


@pytest.mark.parametrize(
    ("scene", "seed", "counts"), [(ONE, 0, (39, 64, 59)), (ONE, 3, (39, 61, 59)), (TWO, 1, (49, 50, 51))]
)
def test_iterations_and_residuals(scene, seed, counts):
    images = point_sources(*scene, seed)
    kernels = prepare_kernels(gaussian_stamps())
    result = deconvolve(images, np.ones(3), kernels)
    # Counts of an independent implementation of the same loop in double precision.
    assert np.abs(np.subtract(result.iterations, counts)).max() <= 1
    assert (result.images >= 0).all()
    rms = [np.sqrt(-2 * loss[-1] / images[0].size) for loss in result.losses]
    assert all(0.9 <= r <= 1.05 for r in rms)


def test_flux_of_a_single_source_is_biased_high_by_positivity():
    images = point_sources(*ONE, 0)
    result = deconvolve(images, np.ones(3), prepare_kernels(gaussian_stamps()))
    inside = np.hypot(Y - 25, X - 25) <= 6
    ratio = result.images[:, inside].sum(axis=1) / np.array(ONE[1][0])
    assert ((ratio > 1.0) & (ratio < 1.12)).all()


def test_mask_confines_the_result():
    images = point_sources(*ONE, 0)
    mask = np.hypot(Y - 25, X - 25) < 8
    result = deconvolve(images, np.ones(3), prepare_kernels(gaussian_stamps()), mask=mask)
    assert not result.images[:, ~mask].any()
    assert result.images[:, mask].any()


def test_missing_pixel_is_filled_from_its_neighbours():
    images = point_sources(*ONE, 0)
    images[1, 25, 25] = np.nan
    result = deconvolve(images, np.ones(3), prepare_kernels(gaussian_stamps()))
    assert np.isfinite(result.images).all()
    assert result.images[1, 25, 25] > 20


def test_no_iterations_return_the_image():
    images = point_sources(*ONE, 0)
    config = DeconvolveConfig(max_iter=0)
    assert np.array_equal(
        deconvolve(images, np.ones(3), prepare_kernels(gaussian_stamps()), config=config).images, images
    )


def test_mismatched_arguments_are_refused():
    kernels = prepare_kernels(gaussian_stamps())
    with pytest.raises(ValueError, match=r"images has shape \(2, 9, 9\), noise \(3,\), kernels \(3, 41, 41\)"):
        deconvolve(np.zeros((2, 9, 9)), np.ones(3), kernels)
    with pytest.raises(ValueError, match=r"mask has shape \(3, 3\), expected \(9, 9\)"):
        deconvolve(np.zeros((3, 9, 9)), np.ones(3), kernels, mask=np.ones((3, 3), dtype=bool))


def test_a_psf_narrower_than_the_model_psf_does_not_diverge():
    stamp = np.zeros((1, 41, 41))
    stamp[0, 20, 20] = 1.0
    kernels = prepare_kernels(stamp.astype(np.float32))
    images = point_sources(*ONE, 0)[:1].astype(np.float32)
    result = deconvolve(images, np.ones(1), kernels)  # warnings of an overflow are errors
    assert np.isfinite(result.losses[0]).all()
    assert (np.diff(result.losses[0]) > -1e-3 * np.abs(result.losses[0][0])).all()
