"""Smoothing and shadow casting."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meas_deblend.sdss.monotone import _shadows, median_smooth, project_monotone


def shadow_of(u, v):
    source, target = _shadows(0)
    chosen = (source[0] == v) & (source[1] == u)
    return sorted(zip(target[1][chosen].tolist(), target[0][chosen].tolist(), strict=True))


def test_cones_of_single_pixels():
    right = {2: (0, 0), 3: (-1, 1), 4: (-1, 1), 5: (-1, 1), 6: (-2, 2)}
    assert shadow_of(1, 0) == [(u, v) for u, (lo, hi) in right.items() for v in range(lo, hi + 1)]
    oblique = {3: (1, 2), 4: (1, 3), 5: (2, 3), 6: (2, 4), 7: (2, 5)}
    assert shadow_of(2, 1) == [(u, v) for u, (lo, hi) in oblique.items() for v in range(lo, hi + 1)]


def test_a_dark_pixel_casts_a_widening_shadow():
    image = np.full((21, 21), 5.0)
    image[10, 10], image[10, 12] = 10, 1
    out = project_monotone(image, (10, 10))
    expected = image.copy()
    for x, half in zip(range(12, 21), (0, 0, 1, 1, 2, 2, 3, 3, 4), strict=True):
        expected[10 - half : 11 + half, x] = 1
    np.testing.assert_array_equal(out, expected)
    assert (out == 1).sum() == 41


def test_the_peak_itself_casts_no_shadow():
    image = np.full((21, 21), 5.0)
    image[10, 10] = 1
    np.testing.assert_array_equal(project_monotone(image, (10, 10)), image)


@pytest.mark.parametrize(("ratio", "loss"), [(1.0, 0.0), (0.3, 0.0), (0.2, 0.0093)])
def test_only_very_flat_galaxies_are_changed(ratio, loss):
    y, x = np.mgrid[:41, :41] - 20
    along, across = x * np.cos(np.pi / 6) + y * np.sin(np.pi / 6), -x * np.sin(np.pi / 6) + y * np.cos(np.pi / 6)
    image = np.exp(-0.5 * (along**2 + (across / ratio) ** 2) / 36)
    assert 1 - project_monotone(image, (20, 20)).sum() / image.sum() == pytest.approx(loss, abs=5e-5)


@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 23), st.integers(1, 23)),
    at=st.tuples(st.integers(0, 22), st.integers(0, 22)),
)
@settings(max_examples=40, deadline=None)
def test_the_projection_only_lowers_and_falls_along_the_axes(seed, shape, at):
    image = np.random.default_rng(seed).random(shape)
    cy, cx = at[0] % shape[0], at[1] % shape[1]
    out = project_monotone(image, (cy, cx))
    assert np.all(out <= image)
    assert out[cy, cx] == image[cy, cx]
    np.testing.assert_array_equal(project_monotone(4 * image, (cy, cx)), 4 * out)
    turned = project_monotone(image[::-1, ::-1], (shape[0] - 1 - cy, shape[1] - 1 - cx))
    np.testing.assert_array_equal(turned[::-1, ::-1], out)
    # From the first ring on, brightness does not rise along rows, columns and diagonals.
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1), (0, -1), (-1, 0), (-1, -1), (-1, 1)):
        steps = [(cy + k * dy, cx + k * dx) for k in range(1, 24)]
        ray = [out[y, x] for y, x in steps if 0 <= y < shape[0] and 0 <= x < shape[1]]
        assert np.all(np.diff(ray) <= 0)


def test_median_of_a_pattern():
    y, x = np.mgrid[:9, :9]
    image = (x + 9.0 * y) % 7
    out = median_smooth(image, 2)
    np.testing.assert_array_equal(out[2:7, 2:7], 3)
    border = np.ones((9, 9), dtype=bool)
    border[2:7, 2:7] = False
    np.testing.assert_array_equal(out[border], image[border])


def test_median_leaves_small_images_alone_and_removes_hot_pixels():
    small = np.random.default_rng(1).random((4, 9))
    np.testing.assert_array_equal(median_smooth(small, 2), small)
    hot = np.zeros((9, 9))
    hot[4, 4] = 100
    assert not median_smooth(hot, 2).any()
    assert hot[4, 4] == 100
