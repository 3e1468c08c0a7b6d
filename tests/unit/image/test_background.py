"""The sky: found between sources, measured without them, subtracted."""

import numpy as np
import pytest

from meas_deblend.image import GaussianPsf, measure_sky, sky_pixels, subtract_background


def crowded(shape=(200, 180), level=0.0, n=60, seed=3):
    """Unit noise, and stars of 30 to 3000 sigma in flux at random places; returns the image and the stars alone."""
    rng = np.random.default_rng(seed)
    stars = np.zeros(shape)
    y, x = np.indices(shape)
    for _ in range(n):
        cy, cx = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        flux = 10 ** rng.uniform(1.5, 3.5)
        stars += flux / (2 * np.pi * 4) * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 8)
    return rng.normal(level, 1.0, shape) + stars, stars


@pytest.mark.parametrize("level", [0.0, 5.0, -2.0])
def test_level_and_scatter_of_the_sky_under_a_crowd(level):
    image, stars = crowded(level=level)
    sky = measure_sky(image, np.zeros(image.shape, bool))
    # What is left in the sky are stars too faint to see in a 5 × 5 box: 3 % of sigma; the scatter is measured to
    # 1/sqrt(n) of some 25000 pixels, and the same faint light.
    assert sky.level == pytest.approx(level, abs=0.04)
    assert sky.sigma == pytest.approx(1.0, rel=0.03)
    assert stars[sky.pixels].max() < 3.0
    assert sky.n == sky.pixels.sum()
    assert 0.6 < sky.fraction < 1.0


def test_bad_pixels_are_no_sky(sky):
    image = sky()
    bad = np.zeros(image.shape, bool)
    bad[30:, :] = True
    image[30:, :] = 1e6
    image[0, -1] = np.nan
    found = sky_pixels(image, bad)
    assert not found[30:].any()
    assert not found[0, -1]
    # Noise is taken for a source here and there.
    assert found[20:30].mean() > 0.9


def test_no_usable_pixel_is_no_sky(sky):
    image = sky()
    result = measure_sky(image, np.ones(image.shape, bool))
    assert (result.n, result.fraction) == (0, 0.0)
    assert np.isnan(result.level)


def test_strips_are_measured_together_and_not_blurred_into_each_other(sky):
    first, second = sky(shape=(40, 300), seed=2), sky(shape=(40, 300), seed=3)
    first[-1, 100:200] += 100.0
    strips, bad = np.stack([first, second]), np.zeros((2, 40, 300), bool)
    found = measure_sky(strips, bad)
    assert not found.pixels[0, -5:, 100:200].any()
    assert found.pixels[1, :5, 100:200].mean() > 0.9
    np.testing.assert_array_equal(measure_sky(first[None], bad[:1]).pixels[0], measure_sky(first, bad[0]).pixels)
    inner = measure_sky(strips, bad, 6)
    assert not inner.pixels[:, :6].any()
    assert not inner.pixels[:, -6:].any()
    np.testing.assert_array_equal(inner.pixels[:, 6:-6], found.pixels[:, 6:-6])
    assert inner.n == inner.pixels.sum()
    assert inner.fraction == inner.n / inner.pixels[:, 6:-6].size


def test_a_small_image_loses_a_constant():
    image, _ = crowded(shape=(120, 120), level=7.0, n=20)
    before = image.copy()
    subtracted, level, note = subtract_background(image, np.zeros(image.shape, bool))
    np.testing.assert_array_equal(image, before)
    np.testing.assert_allclose(subtracted, image - level)
    assert level == pytest.approx(7.0, abs=0.06)
    assert note.startswith("a constant background of ")


@pytest.mark.parametrize("shape", [(400, 384), (700, 650)])
def test_a_large_image_loses_a_gradient(shape):
    image, _ = crowded(shape)
    gradient = np.linspace(50.0, 60.0, shape[1])[None, :]
    subtracted, level, note = subtract_background((image + gradient).astype(np.float32), np.zeros(shape, bool))
    assert subtracted.dtype == np.float32
    assert level == pytest.approx(55.0, abs=0.5)
    assert "cells of 128 px" in note
    inner = (slice(None), slice(64, -64))
    # A spline through cell centres follows a ramp between them; beyond the outermost it levels off.
    assert np.abs(subtracted - image)[inner].max() < 1.0
    sky = measure_sky(subtracted[inner], np.zeros(subtracted[inner].shape, bool))
    assert sky.level == pytest.approx(0.0, abs=0.1)


def test_an_image_without_sky_stays_as_it_is():
    image = np.full((20, 20), 3.0)
    subtracted, level, note = subtract_background(image, np.ones((20, 20), bool))
    np.testing.assert_array_equal(subtracted, image)
    assert level == 0.0
    assert note == "no background was subtracted: no pixel shows the sky"


def test_an_image_without_noise_is_measured():
    image = np.full((60, 60), 2.0)
    star = GaussianPsf(2.0).image(0, 0).stamp
    image[: len(star), : len(star)] += 100 * star
    sky = measure_sky(image, np.zeros(image.shape, bool))
    assert (sky.level, sky.sigma) == (2.0, 0.0)
