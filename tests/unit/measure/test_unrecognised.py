"""Features of objects that are two, and the score made of them."""

from dataclasses import replace

import numpy as np
import pytest
from unrecognised_pairs import FWHM, pair_sky

import meas_deblend as md
from meas_deblend.measure._blend_score import COEFFICIENTS
from meas_deblend.measure.unrecognised import BlendFeatures, BlendPixels, blend_features, blend_score

REACH, WIDTH = 12, 3.0
ROWS, COLUMNS = np.arange(-REACH, REACH + 1.0)[:, None], np.arange(-REACH, REACH + 1.0)[None]


def pixels(*galaxies):
    """Pixels of Gaussian galaxies (y, x, fluxes) with a width of 2 pixels, without noise on them."""
    light = np.zeros((2, 2 * REACH + 1, 2 * REACH + 1))
    for y, x, fluxes in galaxies:
        shape = np.exp(-0.5 * ((ROWS - y) ** 2 + (COLUMNS - x) ** 2) / 4) / (8 * np.pi)
        light += np.array(fluxes)[:, None, None] * shape
    return BlendPixels(light, np.ones_like(light), (ROWS, COLUMNS), WIDTH)


def test_a_round_galaxy_has_no_features():
    found = blend_features(pixels((0.0, 0.0, (1000.0, 500.0))))
    # Pixels end at four widths of the weight.
    assert found.offset == pytest.approx(0, abs=1e-6)
    assert found.asymmetry == pytest.approx(0, abs=1e-6)
    assert found.triangle == pytest.approx(0, abs=1e-6)
    assert found.color_shift == pytest.approx(0, abs=1e-6)


def test_a_companion_shows_in_each_feature():
    # Bright enough for noise of 1 per pixel to be no matter.
    alone = pixels((0.0, 0.0, (1e5, 1e5)))
    both = pixels((0.0, 0.0, (1e5, 1e5)), (0.0, 3.5, (2e4, 6e4)))
    found = blend_features(both)
    single = blend_features(alone)
    for name in COEFFICIENTS:
        assert getattr(found, name) > getattr(single, name) + 0.02
    assert blend_score(found) > blend_score(single)


def test_the_centre_of_light_is_found():
    """Where the window ends, and the steps end, it is found to a thousandth of a pixel."""
    found = blend_features(pixels((0.4, -0.7, (1e6, 5e5))))
    assert found.offset * WIDTH == pytest.approx(np.hypot(0.4, 0.7), abs=1e-3)
    assert found.asymmetry == pytest.approx(0, abs=1e-3)


def test_colors_shift_the_centre():
    """Bands 0.4 px apart: their centres under the weight are at the weighted means of Gaussians beside it."""
    found = blend_features(pixels((0.0, 0.2, (1e6, 0.0)), (0.0, -0.2, (0.0, 1e6))))
    mean = 0.2 * WIDTH**2 / (WIDTH**2 + 4)
    assert found.color_shift * WIDTH == pytest.approx(mean, rel=0.01)


def test_what_noise_adds_is_taken_off():
    """Squares of what is measured on noisy galaxies scatter around those of the noise: most count as nothing."""
    rng, clean = np.random.default_rng(4), pixels((0.0, 0.0, (300.0, 300.0)))
    noisy = [replace(clean, light=clean.light + rng.normal(size=clean.light.shape)) for _ in range(60)]
    found = [blend_features(one) for one in noisy]
    for name in ("asymmetry", "triangle", "color_shift"):
        # Of a vector of two Gaussian components 63 % are shorter than its r.m.s. length; centring takes off some more.
        assert 0.4 < np.mean([getattr(one, name) == 0 for one in found if one is not None]) < 0.95


def test_what_has_no_light_or_lies_elsewhere_has_no_features():
    empty = pixels((0.0, 0.0, (0.0, 0.0)))
    assert blend_features(empty) is None
    assert blend_features(replace(empty, variance=0 * empty.variance)) is None
    assert blend_features(pixels((0.0, 8.0, (1000.0, 1000.0)))) is None
    one = pixels((0.0, 0.5, (1000.0, 0.0)))
    assert blend_features(one).color_shift == 0


def test_scores_are_probabilities():
    low, high = (blend_score(BlendFeatures(*[value] * len(COEFFICIENTS))) for value in (1e-6, 1e6))
    assert 0 < low < 0.1
    assert 0.9 < high <= 1


def test_pairs_that_are_taken_for_one_score_higher_than_single_galaxies():
    """On 24 other skies the area under the ROC curve was 0.9; fifty objects tell it to 0.05."""
    scores, pairs = [], []
    for seed in (300, 301):
        sky = pair_sky(seed)
        objects = md.deblend(sky.sky.exposure).objects
        for y, x, is_pair in sky.places:
            near = np.hypot(objects["y"] - y, objects["x"] - x) < 2 * FWHM
            if np.count_nonzero(near) == 1:
                scores.append(float(objects["deblend_unrecognisedBlendScore"][near][0]))
                pairs.append(is_pair > 0)
    scores, pairs = np.array(scores), np.array(pairs)
    assert np.isfinite(scores).all()
    area = np.mean(scores[pairs][:, None] > scores[~pairs][None])
    assert area > 0.75
