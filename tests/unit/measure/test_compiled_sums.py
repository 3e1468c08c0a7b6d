"""Compiled loops of the measurements, against the same written down with arrays."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.special import ndtr

from meas_deblend.geometry import Box
from meas_deblend.image import ImagePsf
from meas_deblend.image.psf_models import shift_stamp
from meas_deblend.measure import MeasureConfig, NoiseCorrelation, PsfCube, Window, adaptive_moments, draw_psfs
from meas_deblend.measure._matched_kernels import compiled_quotients, quotients
from meas_deblend.measure._mean_kernels import inverse_variances, size_excess, weighted_moments
from meas_deblend.measure.matched import matched_weights
from meas_deblend.measure.sdss_centroid import peak_centroids
from meas_deblend.models import FactorizedComponent, SourceModel, TemplateComponent, model_flux, model_fluxes


@pytest.fixture
def noise():
    xi = np.zeros((2, 5, 5))
    xi[:, 2, 2] = 1.0
    xi[0, 1:4, 1:4] = ndimage.gaussian_filter(np.eye(3)[1][:, None] * np.eye(3)[1], 0.8) / 0.3
    xi[0, 2, 2] = 1.0
    xi[1, 2, 1] = xi[1, 2, 3] = 0.4
    xi[1, 0, 4] = xi[1, 4, 0] = -0.1
    return NoiseCorrelation(xi, np.ones(2), np.ones(2, dtype=np.int64))


def test_correlated_noise_is_a_convolution(noise):
    images = np.random.default_rng(0).normal(size=(3, 2, 11, 7))
    expected = np.stack(
        [[ndimage.convolve(one, xi, mode="constant") for one, xi in zip(two, noise.xi, strict=True)] for two in images]
    )
    np.testing.assert_allclose(noise.smooth(images), expected, atol=1e-12)
    variance = np.maximum((expected * images).sum(axis=(-2, -1)), 0)
    np.testing.assert_allclose(noise.variance(images), variance, rtol=1e-12)
    weights, sigma = np.zeros((4, 11, 7)), np.abs(images[0])
    weights[:, 2:8, 1:6] = np.abs(images[:2]).reshape(4, 11, 7)[:, 2:8, 1:6]
    each = noise.variance(weights[:, None] * sigma)
    np.testing.assert_allclose(noise.shared_variance(weights, sigma), each, rtol=1e-12)


def test_errors_of_moments_with_correlated_noise(noise):
    y, x = np.mgrid[:41, :41] - 20.0
    image = 500 * np.exp(-0.5 * (y**2 / 5 + x**2 / 9))
    images, ones = np.stack([image, image]), np.ones((2, 41, 41))
    window = Window(Box((0, 0), (41, 41)), images, ones, ones > 0, ones[0] > 0)
    start, sigma, config = (20.0, 20.0), np.full(2, 2.5), MeasureConfig()
    found = adaptive_moments(window, start, sigma, config, noise)
    # A step in each pixel moves the result by its derivative; noise moves it by the sum of all of them.
    step, derivatives = 1e-3, np.zeros((5, 2, 41, 41))
    for row, column in ((20, 20), (18, 21), (23, 20), (20, 15)):
        moved = images.copy()
        moved[:, row, column] += step
        other = adaptive_moments(Window(window.box, moved, ones, ones > 0, ones[0] > 0), start, sigma, config, noise)
        for k in range(2):
            derivatives[:2, k, row, column] = (other.center[k] - found.center[k]) / step
            derivatives[2:, k, row, column] = (other.moments[k] - found.moments[k]) / step
    only = np.zeros((2, 41, 41))
    for row, column in ((20, 20), (18, 21), (23, 20), (20, 15)):
        only[:, row, column] = 1.0
    some = adaptive_moments(Window(window.box, images, only, ones > 0, ones[0] > 0), start, sigma, config, noise)
    expected = np.einsum("ikyx,jkyx->kij", derivatives, noise.smooth(derivatives))
    # Differences of fits that end within 1e-6 of the solution, over a step of 1e-3.
    np.testing.assert_allclose(some.covariance, expected, rtol=0.02, atol=2e-7)


@pytest.mark.parametrize("side", [1, 15, 61])
def test_psfs_are_shifted_by_the_fourier_theorem(side):
    stamps = np.abs(np.random.default_rng(1).normal(size=(2, side, side)))
    for y, x in ((20.3, 31.45), (20.0, 31.0), (19.5, 31.0 - 1e-13)):
        drawn = draw_psfs([ImagePsf(stamp) for stamp in stamps], (y, x))
        pixel = drawn.box.origin[0] + side // 2, drawn.box.origin[1] + side // 2
        for cube, stamp in zip(drawn.cube, stamps, strict=True):
            np.testing.assert_allclose(cube, shift_stamp(stamp, y - pixel[0], x - pixel[1]), atol=1e-12)


def test_matched_weights_see_a_point_through_the_gaussian():
    y, x = np.mgrid[:31, :31] - 15.0
    stamps = [np.exp(-0.5 * ((y - 0.2) ** 2 + (x + 0.3) ** 2) / s**2) / (2 * np.pi * s**2) for s in (1.5, 2.0)]
    drawn = PsfCube(np.stack([*stamps, np.zeros((31, 31))]), Box((5, 8), (31, 31)), np.array([True, True, False]))
    weights, usable = matched_weights(drawn, 3.0, Box((-10, -10), (60, 60)))
    assert usable.tolist() == [True, True, False]
    # Σ a P = ∫ δ W = 1 for every PSF; what both cut off at the stamp's edge is below 1e-6.
    inside = weights[:, 15:46, 18:49]
    np.testing.assert_allclose((inside * drawn.cube).sum(axis=(1, 2)), [1, 1, 0], atol=1e-5)
    some, _ = matched_weights(drawn, 3.0, Box((12, 20), (9, 7)))
    np.testing.assert_allclose(some, weights[:, 22:31, 30:37], atol=1e-15)


def test_peaks_are_climbed_to_or_not_found():
    y, x = np.mgrid[:40, :50]
    flat, hill = np.ones((40, 50)), np.exp(-0.5 * ((y - 21.3) ** 2 + (x - 27.6) ** 2) / 9)
    images = np.stack([hill, flat + y, 0 * flat])
    window = Window(Box((0, 0), (40, 50)), images, np.ones_like(images), images > -1, flat > 0)
    found = peak_centroids(window, (20.0, 25.0), np.full(3, 1.5), NoiseCorrelation.white(3), 5.0)
    np.testing.assert_allclose(found.center[0], (21.3, 27.6), atol=1e-6)
    assert found.reasons[0] == 0
    assert found.reasons[1:].all()


def test_fluxes_of_models_in_all_bands_are_those_of_each():
    rng = np.random.default_rng(3)
    box, peak = Box((3, 4), (5, 6)), None
    parts = (
        FactorizedComponent(box, rng.uniform(size=3).astype(np.float32), rng.uniform(size=(5, 6)).astype(np.float32)),
        TemplateComponent(box, rng.uniform(size=(3, 5, 6)).astype(np.float32)),
    )
    for several in ((), parts[:1], parts):
        source = SourceModel(1, peak, several)
        np.testing.assert_array_equal(model_fluxes(source, 3), [model_flux(source, k) for k in range(3)])


def test_quotients_are_the_same_with_both_libraries_of_transforms():
    rng = np.random.default_rng(9)
    cube = rng.uniform(size=(3, 11, 12)) + 40 * np.eye(11, 12)
    gaussian = np.exp(-0.5 * np.add.outer(np.fft.fftfreq(36) ** 2, np.fft.rfftfreq(40) ** 2) / 0.05**2)
    one, two = (made(cube, gaussian, 9, (5, 25)) for made in (compiled_quotients, quotients))
    np.testing.assert_array_equal(one[1], two[1])
    # Rounding of transforms in double precision.
    np.testing.assert_allclose(one[0], two[0], atol=1e-13 * np.abs(two[0]).max())


def test_bands_count_by_their_inverse_variances():
    rng = np.random.default_rng(10)
    spread = rng.normal(size=(5, 3, 3))
    covariance, reasons = spread @ spread.swapaxes(1, 2), np.array([0, 0, 2, 0, 0])
    covariance[3] = np.nan
    moments = rng.uniform(1, 9, (5, 3))
    weights, is_known = inverse_variances(covariance, reasons)
    errors = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    expected = np.where([True, True, False, False, True], (errors[:, 0] + errors[:, 2]) ** -2.0, 0)
    assert is_known
    np.testing.assert_allclose(weights, expected / expected.sum(), rtol=1e-13)
    np.testing.assert_allclose(weighted_moments(moments, weights), weights @ moments, rtol=1e-13)
    assert not inverse_variances(covariance, np.ones(5, dtype=np.int64))[1]


def test_excess_of_size_and_its_chance():
    moments, point = np.array([[4.0, 0.3, 5.0], [3.0, 0.0, 3.0], [np.nan] * 3]), np.full((3, 3), 2.0)
    spread = np.random.default_rng(11).normal(size=(3, 3, 3))
    covariance, found = 0.1 * spread @ spread.swapaxes(1, 2), np.empty((3, 3))
    covariance[1] = 0
    size_excess(moments, covariance, point, 0.2, found)
    total = moments[:, 0] + moments[:, 2]
    slope = 4 / total[0] ** 2 * np.array([1, 0, 1])
    error = np.sqrt(slope @ covariance[0] @ slope)
    np.testing.assert_allclose(found[:, 0], [5 / 9, error, ndtr((5 / 9 - 0.2) / error)], rtol=1e-12)
    np.testing.assert_allclose(found[:, 1], [1 / 3, 0, 1], rtol=1e-12)
    assert np.isnan(found[:, 2]).all()
