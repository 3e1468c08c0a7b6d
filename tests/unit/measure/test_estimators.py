"""Apertures, Kron and half-light radii, centroids and moments, against sep, GalSim and closed forms."""

import numpy as np
import pytest
import sep
from hypothesis import given, settings
from hypothesis import strategies as st

from meas_deblend.geometry import Box
from meas_deblend.image import GaussianPsf, MoffatPsf
from meas_deblend.measure import (
    Ellipse,
    MeasureConfig,
    NoiseCorrelation,
    Window,
    adaptive_moments,
    draw_psfs,
    ellipse_weights,
    half_light_radii,
    kron_radius,
    matched_weights,
    peak_centroids,
)

BOX = Box((100, 200), (61, 71))
CENTER = (130.3, 234.8)


def window(cube, noise=1.0):
    """Window of images without defects."""
    usable = np.ones(cube.shape, dtype=bool)
    return Window(BOX, cube, np.full(cube.shape, noise), usable, usable[0])


def gaussian(yy, yx, xx, center=CENTER, box=BOX):
    """Gaussian of unit flux, sampled at pixel centres."""
    dy = np.arange(box.shape[0])[:, None] + box.origin[0] - center[0]
    dx = np.arange(box.shape[1])[None, :] + box.origin[1] - center[1]
    det = yy * xx - yx**2
    return np.exp(-(xx * dy**2 - 2 * yx * dy * dx + yy * dx**2) / (2 * det)) / (2 * np.pi * np.sqrt(det))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_ellipses_agree_with_sep_and_have_their_area(seed):
    # Drawn from a generator, since sep errs where an ellipse touches an edge of a pixel exactly.
    a, q, theta, y, x = np.random.default_rng(seed).uniform((0.3, 0.1, -1.57, -0.5, -0.5), (40, 1, 1.57, 0.5, 0.5))
    center = (130 + y, 235 + x)
    (weights,) = ellipse_weights(center, [Ellipse(a, a * q, theta)], BOX)
    assert weights.min() >= 0
    assert weights.max() <= 1
    if a < 25:
        assert weights.sum() == pytest.approx(np.pi * a * a * q, rel=1e-9)
    image = np.random.default_rng(3).uniform(1, 2, BOX.shape)
    summed = sep.sum_ellipse(image, [35 + x], [30 + y], [a], [a * q], [theta], subpix=0)[0][0]
    assert (weights * image).sum() == pytest.approx(summed, rel=1e-5)


def test_ellipses_of_moments():
    ellipse = Ellipse.from_moments(4.0, 0.0, 9.0)
    assert (ellipse.a, ellipse.b, ellipse.theta) == (3.0, 2.0, 0.0)
    tilted = Ellipse.from_moments(5.0, 4.0, 5.0)
    assert (tilted.a, tilted.b) == (pytest.approx(3.0), pytest.approx(1.0))
    assert np.rad2deg(tilted.theta) == pytest.approx(45)
    assert tilted.scaled(2).a == pytest.approx(6.0)


def test_kron_radius_is_seps():
    image = gaussian(9.0, 2.0, 6.0)
    ellipse = Ellipse.from_moments(9.0, 2.0, 6.0)
    found = kron_radius(window(np.stack([image, image])), CENTER, ellipse)
    expected, _ = sep.kron_radius(image, [34.8], [30.3], [ellipse.a], [ellipse.b], [ellipse.theta], 6.0)
    assert found.value == pytest.approx(expected[0], rel=1e-9)
    # Σ r I / Σ I of a Gaussian: √(π/2) in units of σ.
    assert found.value == pytest.approx(np.sqrt(np.pi / 2), rel=1e-3)
    assert not found.flag
    assert kron_radius(window(-np.stack([image])), CENTER, ellipse).flag


def test_half_light_radius_of_a_gaussian():
    image = gaussian(9.0, 0.0, 9.0)
    found = half_light_radii(window(np.stack([image, 0 * image]), 1e-8), CENTER, 20.0)
    # Half of a Gaussian's light is within √(2 ln 2) σ; pixels at the circle's edge count by a grid of 3 × 3.
    assert found.radius[0] == pytest.approx(3 * np.sqrt(2 * np.log(2)), rel=0.01)
    assert list(found.flag) == [False, True]
    assert np.isnan(found.radius[1])


def test_radii_of_noisy_images_are_seps():
    rng = np.random.default_rng(2)
    images = 50 * np.stack([gaussian(s, 0.3 * s, 1.5 * s) for s in (2.0, 5.0, 9.0)])
    images += rng.normal(size=images.shape)
    pixels = window(images)
    for reach in (6.3, 14.0, 25.0):
        found = half_light_radii(pixels, CENTER, reach)
        expected = [
            sep.flux_radius(np.ascontiguousarray(image), [34.8], [30.3], [reach], 0.5, subpix=3)[0][0]
            for image in images
        ]
        # sep finds the pixels' rings in single precision.
        np.testing.assert_allclose(found.radius, expected, rtol=1e-5)
    for a, b, theta in ((1.2, 0.8, 0.4), (3.0, 1.0, -1.2), (2.0, 2.0, 0.0)):
        expected, _ = sep.kron_radius(images.mean(axis=0), [34.8], [30.3], [a], [b], [theta], 6.0)
        assert kron_radius(pixels, CENTER, Ellipse(a, b, theta)).value == pytest.approx(expected[0], rel=1e-5)


def test_errors_of_radii_are_their_scatter():
    image = 4000 * gaussian(6.0, 0.0, 6.0)
    rng = np.random.default_rng(1)
    noisy = [window((image + rng.normal(size=image.shape))[None]) for _ in range(300)]
    ellipse = Ellipse.from_moments(6.0, 0.0, 6.0)
    krons = [kron_radius(one, CENTER, ellipse) for one in noisy]
    halves = [half_light_radii(one, CENTER, 9.0) for one in noisy]
    for values, errors in (
        ([k.value for k in krons], [k.error for k in krons]),
        ([h.radius[0] for h in halves], [h.error[0] for h in halves]),
    ):
        # 300 values know their scatter to 4 %; the errors are of first order.
        assert np.std(values) == pytest.approx(np.median(errors), rel=0.2)


def test_peak_centroids_are_exact_for_gaussians_of_any_width():
    images = np.stack([1000 * gaussian(s, 0.0, s) for s in (1.5, 4.0, 20.0)])
    start = (131.0, 234.0)
    noise = NoiseCorrelation.white(3)
    found = peak_centroids(window(images), start, np.full(3, 1.5), noise, 3.0)
    np.testing.assert_allclose(found.center, [CENTER] * 3, atol=1e-6)
    assert not found.reasons.any()
    lost = peak_centroids(window(-images), start, np.full(3, 1.5), noise, 3.0)
    assert lost.reasons.all()
    assert np.isnan(lost.center).all()
    far = peak_centroids(window(images), (126.0, 230.0), np.full(3, 1.5), noise, 3.0)
    assert far.reasons.all()


def test_errors_of_peak_centroids_are_their_scatter():
    image = 800 * gaussian(3.0, 0.0, 3.0)
    rng = np.random.default_rng(2)
    cube = image + rng.normal(size=(400, *image.shape))
    found = peak_centroids(window(cube), CENTER, np.full(400, 1.7), NoiseCorrelation.white(1), 3.0)
    np.testing.assert_allclose(found.center.std(axis=0), np.median(found.error, axis=0), rtol=0.12)


def test_moments_agree_with_hsm():
    galsim = pytest.importorskip("galsim")
    psf = galsim.Moffat(beta=2.5, fwhm=4.0)
    galaxy = galsim.Convolve(galsim.Exponential(half_light_radius=3.0, flux=1000).shear(g1=0.2, g2=-0.1), psf)
    for profile in (psf.withFlux(1000), galaxy):
        image = profile.drawImage(nx=71, ny=71, scale=1.0, offset=(0.3, -0.2), dtype=float)
        theirs = galsim.hsm.FindAdaptiveMom(image, precision=1e-8)
        box = Box((0, 0), (71, 71))
        usable = np.ones((1, 71, 71), dtype=bool)
        mine = adaptive_moments(
            Window(box, image.array[None], np.ones((1, 71, 71)), usable, usable[0]),
            (35, 35),
            np.array([2.0]),
            MeasureConfig(),
        )
        (yy, yx, xx), shape = mine.moments[0], theirs.observed_shape
        total = yy + xx
        assert (yy * xx - yx**2) ** 0.25 == pytest.approx(theirs.moments_sigma, rel=1e-5)
        # HSM's distortions are (Ixx − Iyy) / T and 2 Ixy / T.
        assert (xx - yy) / total == pytest.approx(shape.e1, abs=1e-5)
        assert 2 * yx / total == pytest.approx(shape.e2, abs=1e-5)
        centroid = theirs.moments_centroid
        np.testing.assert_allclose(mine.center[0], (centroid.y - 1, centroid.x - 1), atol=1e-5)


def test_matched_fluxes_do_not_know_the_seeing():
    """A Gaussian source through Gaussian PSFs: the aperture's flux has a closed form, in any seeing."""
    psfs = [GaussianPsf(1.3), GaussianPsf(1.9), GaussianPsf(2.6)]
    weights, usable = matched_weights(draw_psfs(psfs, CENTER), 3.0, BOX)
    assert usable.all()
    source = 2.0
    for psf, weight in zip(psfs, weights, strict=True):
        # Pixels of the PSFs are integrated: a source of variance s² has s² + σ² + 1/12.
        variance = source + psf.sigma**2 + 1 / 12
        flux = (gaussian(variance, 0.0, variance) * weight).sum()
        assert flux == pytest.approx(9.0 / (9.0 + source), rel=1e-4)


def test_matched_flux_of_a_star_is_its_total():
    psfs = [MoffatPsf(4.0), MoffatPsf(5.0, 3.5), None]
    drawn = draw_psfs(psfs, CENTER)
    weights, usable = matched_weights(drawn, 3.0, BOX)
    assert list(usable) == [True, True, False]
    here, there = drawn.box.overlap_slices(BOX)
    seen = np.zeros((3, *BOX.shape))
    seen[(slice(None), *there)] = drawn.cube[(slice(None), *here)]
    np.testing.assert_allclose((weights * seen).sum(axis=(1, 2))[:2], 1.0, rtol=2e-3)
    assert not weights[2].any()
    too_narrow = matched_weights(draw_psfs([GaussianPsf(2.5)], CENTER), 1.5, BOX)[1]
    assert not too_narrow.any()
