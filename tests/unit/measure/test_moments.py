"""Centroids and adaptive moments: exact on Gaussians, and with errors that noise confirms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meas_deblend.geometry import Box
from meas_deblend.measure import FlagReason, MeasureConfig, ObjectPixels, adaptive_moments, gaussian_centroid

CONFIG = MeasureConfig()
BOX = Box((-20, -20), (41, 41))


def elliptical_gaussian(center, moments, box=BOX):
    """Unit-flux Gaussian sampled at pixel centres; moments are Iyy, Iyx, Ixx."""
    y, x = np.indices(box.shape)
    dy, dx = y + box.origin[0] - center[0], x + box.origin[1] - center[1]
    yy, yx, xx = moments
    det = yy * xx - yx**2
    return np.exp(-(xx * dy**2 - 2 * yx * dy * dx + yy * dx**2) / (2 * det)) / (2 * np.pi * np.sqrt(det))


def window_of(cube, variance=1.0, bad=None):
    cube = np.atleast_3d(cube) if cube.ndim == 3 else cube[None]
    bad = np.zeros(cube.shape, dtype=bool) if bad is None else bad
    return ObjectPixels(BOX, BOX, cube, np.full(cube.shape, variance), bad).window(BOX)


shapes = st.tuples(st.floats(2.0, 4.0), st.floats(0.6, 1.0), st.floats(0, np.pi))


def moments_of(shape):
    sigma, q, angle = shape
    big, small = sigma**2, (q * sigma) ** 2
    c, s = np.cos(angle), np.sin(angle)
    return big * s**2 + small * c**2, (big - small) * s * c, big * c**2 + small * s**2


@given(shape=shapes, y=st.floats(-1.5, 1.5), x=st.floats(-1.5, 1.5))
@settings(max_examples=30, deadline=None)
def test_adaptive_moments_of_a_gaussian_are_its_covariance(shape, y, x):
    moments = moments_of(shape)
    fit = adaptive_moments(window_of(elliptical_gaussian((y, x), moments)), (0.0, 0.0), np.array([1.7]), CONFIG)
    assert fit.reasons[0] == 0
    # Object times weight is a Gaussian of σ / √2, here at least 0.85 px: its sums are its integrals to 1e-4.
    np.testing.assert_allclose(fit.moments[0], moments, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(fit.center[0], (y, x), atol=1e-3)


@given(shape=shapes, y=st.floats(-1.5, 1.5), x=st.floats(-1.5, 1.5))
@settings(max_examples=30, deadline=None)
def test_the_centroid_of_a_symmetric_object_is_its_centre(shape, y, x):
    fit = gaussian_centroid(
        window_of(elliptical_gaussian((y, x), moments_of(shape))), (0.0, 0.0), np.array([2.0]), CONFIG
    )
    assert fit.reasons[0] == 0
    np.testing.assert_allclose(fit.center[0], (y, x), atol=1e-3)


@given(scale=st.floats(1e-6, 1e6))
@settings(max_examples=20, deadline=None)
def test_nothing_depends_on_the_unit_of_flux(scale):
    rng = np.random.default_rng(4)
    image = 300 * elliptical_gaussian((0.3, -0.4), (4.0, 0.5, 3.0)) + rng.normal(size=BOX.shape)
    one = adaptive_moments(window_of(image), (0.0, 0.0), np.array([1.7]), CONFIG)
    other = adaptive_moments(window_of(scale * image, scale**2), (0.0, 0.0), np.array([1.7]), CONFIG)
    np.testing.assert_allclose(other.moments, one.moments, rtol=1e-9)
    np.testing.assert_allclose(other.covariance, one.covariance, rtol=1e-6, atol=1e-12)


def noisy_stars(snr, n, seed):
    """``n`` realisations of a Gaussian star of σ = 1.8 px with unit noise; S/N of the matched filter."""
    truth = elliptical_gaussian((0.2, -0.3), (3.24, 0.0, 3.24))
    flux = snr / np.sqrt((truth**2).sum())
    return flux * truth + np.random.default_rng(seed).normal(size=(n, *BOX.shape))


def test_centroids_at_high_signal_to_noise():
    fit = gaussian_centroid(window_of(noisy_stars(100, 800, 5)), (0.0, 0.0), np.full(800, 1.8), CONFIG)
    assert (fit.reasons == 0).all()
    # A least-squares fit of the PSF has σ_x = √2 σ / (S/N) (King 1983) = 0.0255 px; 0.0255 / √800 = 0.0009.
    np.testing.assert_allclose(fit.center.mean(axis=0), (0.2, -0.3), atol=0.003)
    np.testing.assert_allclose(fit.center.std(axis=0), np.sqrt(2) * 1.8 / 100, rtol=0.08)


@pytest.mark.parametrize(("snr", "seed"), [(100, 6), (30, 7)])
def test_errors_of_centroid_and_moments_agree_with_their_scatter(snr, seed):
    window = window_of(noisy_stars(snr, 800, seed))
    fit = adaptive_moments(window, (0.0, 0.0), np.full(800, 1.8), CONFIG)
    assert (fit.reasons == 0).all()
    values = np.concatenate([fit.center, fit.moments], axis=1)
    errors = np.sqrt(np.diagonal(fit.covariance, axis1=1, axis2=2))
    pulls = (values - (0.2, -0.3, 3.24, 0.0, 3.24)) / errors
    # 800 realisations know a mean to 0.035 and a width to 0.025; errors are first order in 1 / (S/N).
    np.testing.assert_allclose(pulls.mean(axis=0), 0, atol=0.15)
    np.testing.assert_allclose(pulls.std(axis=0), 1, atol=0.1)
    fixed = gaussian_centroid(window, (0.0, 0.0), np.full(800, 1.8), CONFIG)
    pulls = (fixed.center - (0.2, -0.3)) / np.sqrt(np.diagonal(fixed.covariance, axis1=1, axis2=2)[:, :2])
    np.testing.assert_allclose(pulls.mean(axis=0), 0, atol=0.12)
    np.testing.assert_allclose(pulls.std(axis=0), 1, atol=0.1)


def test_reasons_for_failure():
    star = 100 * elliptical_gaussian((0.0, 0.0), (3.0, 0.0, 3.0))
    cube = np.stack([star, -star, star, np.full(BOX.shape, np.nan), star + 30.0])
    bad = np.zeros(cube.shape, dtype=bool)
    bad[2, 19:22, 19:22] = True
    fit = adaptive_moments(window_of(cube, bad=bad), (0.0, 0.0), np.full(5, 1.7), CONFIG)
    assert fit.reasons[0] == 0
    assert fit.reasons[1] == FlagReason.NO_FLUX
    assert fit.reasons[2] == FlagReason.MASKED
    assert fit.reasons[3] == FlagReason.NO_USABLE_PIXELS
    assert fit.reasons[4] == FlagReason.NOT_CONVERGED
    assert np.isnan(fit.covariance[3]).all()


def test_a_centroid_that_walks_away_is_flagged():
    far = 100 * elliptical_gaussian((6.0, 0.0), (4.0, 0.0, 4.0))
    near = 100 * elliptical_gaussian((2.0, 0.0), (4.0, 0.0, 4.0))
    fit = gaussian_centroid(window_of(np.stack([far, near])), (0.0, 0.0), np.full(2, 2.0), CONFIG)
    assert list(fit.reasons) == [FlagReason.WANDERED, 0]


def test_the_edge_of_the_image_is_flagged():
    star = elliptical_gaussian((0.0, 0.0), (3.0, 0.0, 3.0))[None]
    whole = ObjectPixels(BOX, BOX, star, np.ones(star.shape), np.zeros(star.shape, dtype=bool))
    frame = Box((-1, -20), (22, 41))
    cut = ObjectPixels(frame, frame, star[:, 19:], np.ones((1, 22, 41)), np.zeros((1, 22, 41), dtype=bool))
    at_edge = gaussian_centroid(cut.window(BOX), (0.0, 0.0), np.array([1.7]), CONFIG)
    inside = gaussian_centroid(whole.window(BOX), (0.0, 0.0), np.array([1.7]), CONFIG)
    assert at_edge.reasons[0] == FlagReason.EDGE
    assert inside.reasons[0] == 0


def test_too_few_iterations_are_flagged():
    star = elliptical_gaussian((1.4, 1.4), (9.0, 0.0, 9.0))
    fit = adaptive_moments(window_of(star), (0.0, 0.0), np.array([1.0]), MeasureConfig(max_iterations=1))
    assert fit.reasons[0] == FlagReason.NOT_CONVERGED
