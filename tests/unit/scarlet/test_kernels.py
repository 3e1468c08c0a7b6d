"""The model PSF and the difference kernels."""

import numpy as np
import pytest

from meas_deblend.scarlet import Kernels, difference_kernels, full_convolution, model_psf, prepare_kernels

SIGMAS = (1.05, 0.9, 1.2)


def band_psfs(sigmas=SIGMAS, size=15):
    return np.stack([model_psf(sigma, size) for sigma in sigmas])


def test_model_psf_is_the_pixel_integral_of_a_gaussian():
    psf = model_psf()
    assert psf.shape == (15, 15)
    # Integrals of the error function, evaluated independently to 16 digits.
    expected = {
        (0, 0): 0.21905109045846627,
        (0, 1): 0.11026254868738239,
        (1, 1): 0.05550225574130427,
        (0, 2): 0.013810287464617538,
    }
    for (dy, dx), value in expected.items():
        assert psf[7 + dy, 7 + dx] == pytest.approx(value, abs=1e-9)
    assert psf.sum() == pytest.approx(1, abs=1e-12)
    assert psf.astype(np.float32)[7, 7] == pytest.approx(0.21905109, abs=1e-6)


def test_difference_kernels_reproduce_the_psfs():
    psfs = band_psfs()
    kernels = prepare_kernels(psfs)
    assert kernels.stamps[:, 7, 7] == pytest.approx([0.31786824, 0.59787325, 0.19574328], abs=1e-6)
    assert kernels.stamps.sum(axis=(1, 2)) == pytest.approx([1.00048462, 1.00081543, 1.00011803], abs=1e-6)
    again = full_convolution(kernels.model_psf, kernels)[:, 7:-7, 7:-7]
    # The kernels are cut to the stamps of the PSFs, which costs up to 3e-5 of the flux.
    assert np.abs(again - psfs).max() <= 5e-5


def test_kernel_of_the_model_psf_itself_is_a_point():
    kernel = difference_kernels(model_psf()[None], model_psf())[0]
    point = np.zeros((15, 15))
    point[7, 7] = 1
    assert kernel == pytest.approx(point, abs=1e-10)


def test_floor_damps_the_noise_of_an_observed_psf():
    rng = np.random.default_rng(3)
    noisy = band_psfs((1.5,), 31) + rng.normal(0, 1e-4, (1, 31, 31))
    exact, damped = (difference_kernels(noisy, model_psf(), floor=f) for f in (0.0, 0.01))
    clean = difference_kernels(band_psfs((1.5,), 31), model_psf())
    assert np.abs(damped - clean).std() < 0.5 * np.abs(exact - clean).std()


def test_even_stamps_keep_their_centre():
    odd = band_psfs((1.5,), 21)
    even = odd[:, 1:, 1:]  # 20 pixels, centre at index 10 - 1 = 9: one row before n // 2
    shifted = np.roll(even, (1, 1), axis=(1, 2))
    kernels = prepare_kernels(shifted)
    assert kernels.stamps.shape == (1, 21, 21)
    peak = np.unravel_index(np.argmax(kernels.stamps[0]), (21, 21))
    assert peak == (10, 10)


def test_kernels_change_precision():
    kernels = prepare_kernels(band_psfs())
    assert kernels.astype(np.dtype(np.float64)) is kernels
    single = kernels.astype(np.dtype(np.float32))
    assert isinstance(single, Kernels)
    assert single.stamps.dtype == single.psfs.dtype == single.model_psf.dtype == np.float32


@pytest.mark.parametrize(
    ("psfs", "message"),
    [
        (np.ones((5, 5)), r"psfs has shape \(5, 5\), expected \(band, h, w\)"),
        (np.full((1, 3, 3), np.nan), r"psfs of shape \(1, 3, 3\) holds values that are not finite"),
        (np.zeros((2, 3, 3)), r"stamps of bands \[0, 1\] sum to 0 or less"),
    ],
)
def test_unusable_psfs_are_refused(psfs, message):
    with pytest.raises(ValueError, match=message):
        prepare_kernels(psfs)


@pytest.mark.parametrize(("sigma", "size", "message"), [(0, 15, "sigma .* > 0"), (0.8, 14, "size .* odd")])
def test_unusable_model_psf_is_refused(sigma, size, message):
    with pytest.raises(ValueError, match=message):
        model_psf(sigma, size)
