"""Monotonicity: weights, projection and mask."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meas_deblend.scarlet.monotone import monotone_weights, monotonic, monotonic_mask

FIVE = np.array([[1, 2, 3, 2, 1], [2, 4, 6, 9, 2], [3, 6, 8, 6, 3], [2, 7, 6, 4, 2], [5, 2, 3, 2, 1]], dtype=float)
# Neighbours of (u, v) in the order (u-1, v-1), (u-1, v), (u-1, v+1), (u, v-1).
WEIGHTS = {
    (1, 0): (0, 1, 0, 0),
    (1, 1): (1 / 3, 1 / 3, 0, 1 / 3),
    (2, 1): (0.3267269, 0.3465462, 0, 0.3267269),
    (2, 2): (0.345141, 0.3274295, 0, 0.3274295),
    (3, 1): (0.2508587, 0.2617707, 0.2365119, 0.2508587),
    (5, 0): (0.3299485, 0.3401031, 0.3299485, 0),
    (4, 3): (0.3359241, 0.3330607, 0, 0.3310152),
}


@pytest.mark.parametrize("offset", WEIGHTS)
def test_weights(offset):
    assert monotone_weights(8)[offset] == pytest.approx(WEIGHTS[offset], abs=1e-6)


def test_weights_sum_to_one():
    weights = monotone_weights(30)
    u, v = np.mgrid[:31, :31]
    assert weights.sum(axis=-1)[(v <= u) & (u > 0)] == pytest.approx(1)


def test_three_by_three():
    image = np.array([[10, 2, 1], [1, 5, 3], [0.1, 4, -1]])
    expected = np.array([[8 / 3, 2, 1], [1, 5, 3], [0.1, 4, -1]])
    assert monotonic(image, (1, 1), fit_radius=0) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("fit_radius", "changes"),
    [
        (0, {(1, 3): 20 / 3, (3, 1): 20 / 3, (4, 0): 3.6106580}),
        (1, {(2, 2): 7, (2, 1): 5.6930924, (3, 1): 6.1441598, (3, 2): 5.6930924, (4, 0): 3.3995049}),
    ],
)
def test_five_by_five(fit_radius, changes):
    expected = FIVE.copy()
    for pixel, value in changes.items():
        expected[pixel] = value
    for dtype in (np.float64, np.float32):
        # The brighter peak one pixel off is taken where it may be; its upper edge counts as 0 in the published numbers.
        got = monotonic(FIVE.astype(dtype), (2, 2), fit_radius=fit_radius, edge_damping=True)
        assert got.dtype == dtype
        assert got == pytest.approx(expected, abs=1e-6)


def brute_force(image, center, edge_damping):
    """The definition, pixel by pixel in the order of the distance."""
    out, (cy, cx) = image.copy(), center
    pixels = sorted(np.ndindex(image.shape), key=lambda p: (p[0] - cy) ** 2 + (p[1] - cx) ** 2)
    for y, x in pixels[1:]:
        total = norm = outside = 0.0
        for j in range(y - 1, y + 2):
            for i in range(x - 1, x + 2):
                if (j - cy) ** 2 + (i - cx) ** 2 >= (y - cy) ** 2 + (x - cx) ** 2:
                    continue
                angle = 0.0 if (j, i) == center else np.arctan2(j - cy, i - cx)
                weight = abs(np.cos(np.arctan2(y - cy, x - cx) - angle))
                if 0 <= j < image.shape[0] and 0 <= i < image.shape[1]:
                    total += weight * out[j, i]
                    norm += weight
                else:
                    outside += weight
        out[y, x] = min(out[y, x], total / (norm + (outside if edge_damping else 0)))
    return out


@pytest.mark.parametrize("edge_damping", [True, False])
@pytest.mark.parametrize("center", [(0, 0), (6, 8), (3, 4), (0, 5), (6, 0)])
def test_ring_sweep_equals_the_definition(center, edge_damping):
    image = np.random.default_rng(1).normal(0.5, 1, (7, 9))
    expected = brute_force(image, center, edge_damping)
    assert monotonic(image, center, fit_radius=0, edge_damping=edge_damping) == pytest.approx(expected, abs=1e-12)


@given(ny=st.integers(1, 20), nx=st.integers(1, 20), seed=st.integers(0, 99), edge_damping=st.booleans())
@settings(max_examples=40, deadline=None)
def test_projection_lowers_and_is_idempotent(ny, nx, seed, edge_damping):
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(ny, nx))
    center = (int(rng.integers(ny)), int(rng.integers(nx)))
    once = monotonic(image, center, fit_radius=0, edge_damping=edge_damping)
    assert (once <= image).all()
    # A mean that is recomputed may round differently.
    assert monotonic(once, center, fit_radius=0, edge_damping=edge_damping) == pytest.approx(once, abs=1e-13)


def test_monotone_image_without_edge_damping_is_left_alone():
    # A peak at the edge of its box is not damped there.
    y, x = np.mgrid[:12, :12]
    cone = 30.0 - np.hypot(y, x - 5)
    assert monotonic(cone, (0, 5)) == pytest.approx(cone, abs=1e-12)
    assert (monotonic(cone, (0, 5), edge_damping=True)[0, 7:] < cone[0, 7:] - 1).all()


@pytest.mark.parametrize(("image", "center"), [(np.ones((3, 3)), (3, 0)), (np.ones(3), (0, 0))])
def test_center_outside_is_refused(image, center):
    with pytest.raises(ValueError, match=r"center .* is not a pixel of an image of shape"):
        monotonic(image, center)


def test_mask_drops_rising_pixels():
    mask = monotonic_mask(FIVE, (2, 2), 0)
    expected = np.ones((5, 5), dtype=bool)
    for pixel in ((1, 3), (3, 1), (4, 0)):
        expected[pixel] = False
    assert np.array_equal(mask, expected)


def test_mask_keeps_the_peak_and_positive_pixels_only():
    image = np.array([[0.0, -1, 0], [-1, -2, -1], [0, -1, 3]])
    assert monotonic_mask(image, (1, 1), 0).sum() == 1
    assert np.array_equal(np.argwhere(monotonic_mask(image, (1, 1), 1)), [[2, 2]])
