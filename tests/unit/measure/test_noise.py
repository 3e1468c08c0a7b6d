"""Correlated noise: measured, propagated and drawn, against noise of known correlation."""

import numpy as np
import pytest
from scipy import ndimage

from meas_deblend.image import MaskPlanes, MultibandExposure
from meas_deblend.measure import NoiseCorrelation, measure_noise, noise_field
from meas_deblend.simulate import correlation_kernel
from meas_deblend.simulate.noise import autocorrelation

SIDE = 400


def sky(seed=0, total=2.0, scale=1.0):
    """White noise in one band, correlated noise with Σξ = ``total`` in the other."""
    rng = np.random.default_rng(seed)
    white = rng.normal(size=(2, SIDE, SIDE))
    images = np.stack([white[0], ndimage.convolve(white[1], correlation_kernel(total), mode="wrap")])
    variance = np.full(images.shape, 1.0)
    return MultibandExposure(
        ("a", "b"),
        scale * images,
        variance,
        np.zeros(images.shape, np.int32),
        (None, None),
        MaskPlanes({"BAD": 0}, ("BAD",)),
    )


@pytest.fixture(scope="module", name="measured")
def measured_fixture():
    return measure_noise(sky(), np.zeros((SIDE, SIDE), dtype=bool))


def test_the_correlation_is_found(measured):
    expected = autocorrelation(correlation_kernel(2.0))
    # 160 000 pixels know a correlation to 1 / 400; two lags have been cut to 0 because they are smaller than noise.
    np.testing.assert_allclose(measured.xi[1, 2:7, 2:7], expected, atol=0.01)
    assert measured.xi[1].sum() == pytest.approx(2.0, abs=0.08)
    assert (measured.pixels == SIDE**2).all()
    np.testing.assert_allclose(measured.variance_ratio, 1.0, atol=0.02)


def test_white_noise_stays_white(measured):
    assert measured.xi[0].sum() == 1.0
    assert np.count_nonzero(measured.xi[0]) == 1


def test_the_scale_is_told_and_not_applied():
    found = measure_noise(sky(scale=1.5), np.zeros((SIDE, SIDE), dtype=bool), max_lag=1)
    np.testing.assert_allclose(found.variance_ratio, 2.25, atol=0.05)
    assert found.xi[0, 1, 1] == 1.0


def test_detected_and_bad_pixels_do_not_count():
    exposure = sky()
    detected = np.zeros((SIDE, SIDE), dtype=bool)
    detected[50:100, 50:100] = True
    exposure.images[:, 50:100, 50:100] += 3.0
    exposure.images[:, 200, 200] = np.nan
    exposure.mask[:, 300:, :] = 1
    exposure.images[:, 300:, :] = 100.0
    found = measure_noise(exposure, detected)
    assert found.xi[1].sum() == pytest.approx(2.0, abs=0.1)
    assert (found.pixels < SIDE * 300 - 2500).all()


def test_without_sky_noise_is_white():
    found = measure_noise(sky(), np.ones((SIDE, SIDE), dtype=bool))
    assert (found.pixels == 0).all()
    assert (found.xi.sum(axis=(1, 2)) == 1).all()
    assert found.lags == ()


def test_variances_are_those_of_the_scatter(measured):
    """Weighted sums of 2 000 drawn fields scatter as they are predicted to, to the 1.6 % that so many know."""
    weights = np.hypot(*(np.mgrid[:15, :15] - 7)) < 5
    fields = np.stack([noise_field(measured, (15, 15), (1, k)) for k in range(2000)])
    scatter = (fields * weights).sum(axis=(2, 3)).var(axis=0)
    predicted = measured.variance(np.broadcast_to(weights.astype(float), (2, 15, 15)))
    np.testing.assert_allclose(scatter, predicted, rtol=0.12)
    assert predicted[1] > 1.6 * predicted[0]
    shared = measured.shared_variance(weights[None].astype(float), np.ones((2, 15, 15)))
    np.testing.assert_allclose(shared[0], predicted)
    np.testing.assert_allclose((weights * measured.smooth(np.ones((2, 15, 15)) * weights)).sum(axis=(1, 2)), predicted)


def test_drawn_noise_has_the_correlation_and_belongs_to_its_seed(measured):
    fields = np.stack([noise_field(measured, (41, 43), (0, k)) for k in range(200)])
    assert fields.var() == pytest.approx(1.0, abs=0.02)
    for dy, dx in ((0, 1), (1, 0), (1, 1)):
        pairs = fields[:, 1, : 41 - dy, : 43 - dx] * fields[:, 1, dy:, dx:]
        assert pairs.mean() == pytest.approx(measured.xi[1, 4 + dy, 4 + dx], abs=0.02)
    np.testing.assert_array_equal(noise_field(measured, (41, 43), (0, 7)), fields[7])
    # Where the correlation does not fit, noise is white.
    assert noise_field(measured, (5, 5), (0, 1)).shape == (2, 5, 5)


def test_white_has_no_lags():
    white = NoiseCorrelation.white(3)
    assert white.lag == 0
    np.testing.assert_allclose(white.variance(np.full((3, 2, 2), 2.0)), 16.0)
