"""Symmetry, sparsity, floors and normalisation."""

import numpy as np
import pytest

from meas_deblend.scarlet.proximal import SPECTRUM_FLOOR, floor_spectrum, normalize, sparsify, sparsity_level, symmetric

FIVE = np.array([[1, 2, 3, 2, 1], [2, 4, 6, 9, 2], [3, 6, 8, 6, 3], [2, 7, 6, 4, 2], [5, 2, 3, 2, 1]], dtype=float)


def test_symmetry_takes_the_minimum_of_both_halves():
    expected = FIVE.copy()
    expected[1, 3], expected[4, 0] = 7, 1
    assert np.array_equal(symmetric(FIVE, (2, 2)), expected)


def test_symmetry_about_another_pixel_touches_only_what_has_a_counterpart():
    image = np.arange(50.0).reshape(5, 10)
    got = symmetric(image, (3, 7))
    block = [[25, 26, 27, 28, 29], [35, 36, 37, 36, 35], [29, 28, 27, 26, 25]]
    assert np.array_equal(got[2:5, 5:10], block)
    outside = np.ones((5, 10), dtype=bool)
    outside[2:5, 5:10] = False
    assert np.array_equal(got[outside], image[outside])
    assert not symmetric(image, (3, 7), fill=0.0)[outside].any()


def test_lone_peak_survives_on_an_even_grid():
    image = np.zeros((6, 6))
    image[3, 3] = 1
    assert np.array_equal(symmetric(image, (3, 3), fill=0.0), image)


def test_sparsity_zeroes_what_is_faint_in_every_band():
    spectrum, thresholds = np.array([10.0, 1.0]), np.array([2.0, 0.1])
    morph = np.array([[1.0, 0.15], [0.05, -0.3]])
    level = sparsity_level(spectrum, thresholds)
    assert level == pytest.approx(0.1)
    expected = np.where((spectrum[:, None, None] * morph < thresholds[:, None, None]).all(axis=0), 0, morph)
    assert np.array_equal(sparsify(morph.copy(), level), expected)


def test_sparsity_removes_negative_and_non_finite_pixels_without_a_threshold():
    morph = np.array([[1.0, -1.0], [np.nan, np.inf]])
    assert np.array_equal(sparsify(morph, 0.0), [[1, 0], [0, 0]])


def test_floor_of_a_spectrum():
    got = floor_spectrum(np.array([-1.0, np.nan, 2.0, np.inf]))
    assert np.array_equal(got, [SPECTRUM_FLOOR, SPECTRUM_FLOOR, 2, SPECTRUM_FLOOR])


def test_normalisation_returns_the_factor():
    morph = np.array([[1.0, 4.0], [2.0, 0.0]])
    assert normalize(morph, (0, 1)) == 4
    assert np.array_equal(morph, [[0.25, 1], [0.5, 0]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extinguished_morphology_becomes_a_point(dtype):
    morph = np.zeros((3, 3), dtype=dtype)
    normalize(morph, (1, 2))
    expected = np.zeros((3, 3))
    expected[1, 2] = 1
    assert np.array_equal(morph, expected)
