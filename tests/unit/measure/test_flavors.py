"""What is measured on all flavours of an object at once, against each flavour alone and against plain arrays."""

import numpy as np
import pytest
from single_apertures import area_change, common_ellipse

from meas_deblend.geometry import Box
from meas_deblend.measure import (
    Ellipse,
    MeasureConfig,
    NoiseCorrelation,
    Window,
    adaptive_moments,
    half_light_radii,
    kron_radius,
    peak_centroids,
)
from meas_deblend.measure._aperture_kernels import find_apertures
from meas_deblend.measure._peak_kernels import gaussians
from meas_deblend.measure.child import ShapeSet, shape_set
from meas_deblend.measure.kron import stack_weights
from meas_deblend.measure.linear import FluxWeights
from meas_deblend.measure.shapes import SHORTEST, shape_part

BOX, CENTER, BANDS = Box((10, 20), (41, 45)), (30.2, 42.7), 2
WHITE = NoiseCorrelation.white(BANDS)


@pytest.fixture(scope="module")
def flavors():
    """Images of three flavours of two bands; the first has unusable pixels."""
    rng = np.random.default_rng(4)
    y, x = (np.arange(n) + o - c for n, o, c in zip(BOX.shape, BOX.origin, CENTER, strict=True))
    widths = np.array([[4, 5], [4, 6], [2, 3], [2, 4], [1, 2], [1, 1.5]])[:, :, None, None]
    images = 900 * np.exp(-0.5 * (y[:, None] ** 2 / widths[:, 0] + x**2 / widths[:, 1]))
    images[:BANDS] += rng.normal(size=(BANDS, *BOX.shape))
    usable = rng.random((BANDS, *BOX.shape)) > 0.01
    images[:BANDS][~usable] = 0
    noise = np.where(usable, rng.uniform(0.5, 2, usable.shape), 0)
    return Window(BOX, images, noise, usable, np.ones(BOX.shape, dtype=bool), np.array([0, 1, 2, 3, 4, 4]))


def one_of(window, k):
    """Window of one flavour alone."""
    part = slice(k * BANDS, (k + 1) * BANDS)
    usable = window.usable if k == 0 else np.ones_like(window.usable)
    return Window(BOX, window.flux[part], window.noise, usable, window.observed, window.same[part] - part.start)


def test_fits_of_all_flavors_are_those_of_each(flavors):
    sigma = np.full(3 * BANDS, 1.7)
    together = adaptive_moments(flavors, CENTER, sigma, MeasureConfig())
    for k in range(3):
        alone, part = (
            adaptive_moments(one_of(flavors, k), CENTER, sigma[:BANDS], MeasureConfig()),
            slice(2 * k, 2 * k + 2),
        )
        np.testing.assert_array_equal(together.moments[part], alone.moments)
        np.testing.assert_array_equal(together.covariance[part], alone.covariance)
        np.testing.assert_array_equal(together.reasons[part], alone.reasons)


def test_half_light_radii_of_all_flavors_are_those_of_each(flavors):
    reaches = [9.3, 14.0, 6.2]
    together = half_light_radii(flavors, CENTER, reaches)
    alone = [half_light_radii(one_of(flavors, k), CENTER, reach) for k, reach in enumerate(reaches)]
    for name in ("radius", "error", "flag"):
        np.testing.assert_array_equal(getattr(together, name), np.concatenate([getattr(one, name) for one in alone]))
    assert not together.flag.any()


def test_errors_of_half_light_radii_are_sums_over_the_pixels(flavors):
    reach = 12.0
    found = half_light_radii(one_of(flavors, 0), CENTER, reach)
    y, x = (np.arange(n) + o - c for n, o, c in zip(BOX.shape, BOX.origin, CENTER, strict=True))
    distance = np.hypot(y[:, None], x)
    for k in range(BANDS):
        weight = (distance < found.radius[k]) - 0.5 * (distance < reach)
        slope = flavors.flux[k][abs(distance - found.radius[k]) < 1].sum() / 2
        error = np.sqrt((weight**2 * flavors.noise[k]).sum()) / slope
        # A division of pixels in 3×3 moves radii by 0.005 px.
        assert found.error[k] == pytest.approx(np.hypot(error, 0.005), rel=1e-12)


def test_apertures_of_all_flavors_are_those_of_each(flavors):
    shape = shape_set(adaptive_moments(flavors, CENTER, np.full(6, 1.7), MeasureConfig()))
    # Of the second flavour nothing is known but the PSF, of the third not even that.
    reasons = np.array([0, 0, 4, 4, 4, 4])
    shape = ShapeSet(shape.moments, shape.covariance, reasons, shape.center)
    psf = ShapeSet(np.full((6, 3), 2.0), np.zeros((6, 3, 3)), np.array([0, 0, 0, 8, 8, 8]))
    offset = tuple(float(o - c) for o, c in zip(BOX.origin, CENTER, strict=True))
    planes = flavors.flux, flavors.noise, stack_weights(flavors)
    shapes = shape.moments, shape.covariance, shape.reasons
    found = find_apertures(planes, offset, shapes, (psf.moments, psf.reasons), (SHORTEST, 20.0, 6.0))
    for k in range(2):
        one, seen = (shape_part(a, slice(2 * k, 2 * k + 2)) for a in (shape, psf))
        ellipse = common_ellipse(one, seen, 20.0)
        assert found[k, :3].tolist() == [ellipse.a, ellipse.b, ellipse.theta]
        kron = kron_radius(one_of(flavors, k), CENTER, ellipse, WHITE)
        assert found[k, 3:6].tolist() == [kron.value, kron.error, kron.total]
        area = area_change(one, 20.0)
        assert found[k, 6] == area.is_certain
        np.testing.assert_array_equal(found[k, 7:], area.slopes)
    assert np.isnan(found[2, :6]).all()
    nowhere = find_apertures(planes, (np.nan, np.nan), shapes, (psf.moments, psf.reasons), (SHORTEST, 20.0, 6.0))
    np.testing.assert_array_equal(nowhere[:, :3], found[:, :3])
    assert np.isnan(nowhere[:, 3:6]).all()


def test_mean_ellipse_is_that_of_the_mean_moments():
    moments = np.array([[4.0, 1.0, 9.0], [5.0, -0.5, 8.0], [99.0, 0.0, 99.0]])
    spread = np.array([0.1, 0.2, 0.1])[:, None, None] ** 2 * np.eye(3)
    found = common_ellipse(
        ShapeSet(moments, spread, np.array([0, 0, 64])), ShapeSet(moments, spread, np.zeros(3)), 20.0
    )
    expected = Ellipse.from_moments(*np.average(moments[:2], axis=0, weights=[4, 1]))
    np.testing.assert_allclose([found.a, found.b, found.theta], [expected.a, expected.b, expected.theta], rtol=1e-13)


def test_peaks_and_their_errors_are_those_of_the_written_out_sums(flavors):
    sigma = np.full(6, 1.6)
    found = peak_centroids(flavors, CENTER, sigma, WHITE, 3.0)
    assert not found.reasons.any()
    for n in range(6):
        pixel, rows, columns = np.rint(found.center[n]).astype(int), np.empty((3, 41)), np.empty((3, 45))
        gaussians(BOX.origin[0], 41, int(pixel[0]), sigma[n], rows)
        gaussians(BOX.origin[1], 45, int(pixel[1]), sigma[n], columns)
        smooth = rows @ flavors.flux[n] @ columns.T
        for axis, profile in enumerate((smooth[:, 1], smooth[1])):
            logs = np.log(profile)
            offset = (logs[2] - logs[0]) / (2 * (2 * logs[1] - logs[0] - logs[2]))
            assert found.center[n, axis] == pytest.approx(pixel[axis] + offset, abs=1e-12)
            slopes = np.zeros(3)
            for k in range(3):
                moved = logs + 1e-6 * np.eye(3)[k]
                change = (moved[2] - moved[0]) / (2 * (2 * moved[1] - moved[0] - moved[2])) - offset
                slopes[k] = change / 1e-6 / profile[k]
            weights = (slopes @ rows)[:, None] * columns[1] if axis == 0 else rows[1][:, None] * (slopes @ columns)
            error = np.sqrt((weights**2 * flavors.noise[n % BANDS]).sum())
            # Differences over a step of 1e-6 are exact to about as much.
            assert found.error[n, axis] == pytest.approx(error, rel=1e-5)


def test_variances_of_fluxes_are_sums_over_the_pixels(flavors):
    rng = np.random.default_rng(8)
    weights = FluxWeights(rng.uniform(size=(4, *BOX.shape)), rng.normal(size=(2, BANDS, *BOX.shape)))
    noise = np.stack([flavors.noise, 3 * flavors.noise])
    every = np.concatenate([np.broadcast_to(weights.areas[:, None], (4, BANDS, *BOX.shape)), weights.own])
    expected = np.einsum("fbyx,kbyx->kfb", every**2, noise)
    np.testing.assert_allclose(weights.variance(noise, WHITE), expected, rtol=1e-12)
    xi = np.zeros((BANDS, 3, 3))
    xi[:, 1, 1], xi[:, 1, ::2] = 1.0, 0.3
    correlated = NoiseCorrelation(xi, np.ones(BANDS), np.ones(BANDS, dtype=np.int64))
    expected = np.stack([correlated.variance(every * np.sqrt(one)) for one in noise])
    np.testing.assert_allclose(weights.variance(noise, correlated), expected, rtol=1e-12)
