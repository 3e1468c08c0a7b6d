"""Compiled sums over the pixels of parents and children, against the same written down with arrays."""

import numpy as np
import pytest

from meas_deblend.apportion._quality_kernels import count_covered, share_sums, squared_residuals, supported_sums
from meas_deblend.measure._scene_kernels import place_child

SHAPE = (2, 14, 17)


@pytest.fixture
def planes():
    """Images, variances and masks with pixels that are not usable for each reason."""
    rng = np.random.default_rng(2)
    images, variances = rng.normal(size=SHAPE).astype(np.float32), rng.uniform(0.5, 2, SHAPE).astype(np.float32)
    images[0, 3, 4], variances[1, 5, 6], variances[0, 7, 7], variances[1, 8, 9] = np.nan, np.inf, 0, np.nan
    return images, variances, rng.choice(np.array([0, 0, 0, 1, 2, 4], dtype=np.int32), SHAPE)


def usable_of(planes, bad):
    images, variances, masks = planes
    return np.isfinite(images) & np.isfinite(variances) & (variances > 0) & (masks & bad == 0)


def test_residuals_are_those_of_usable_pixels(planes):
    rng, cut = np.random.default_rng(3), (slice(None), slice(2, 11), slice(3, 15))
    model, inside = rng.normal(size=(2, 9, 12)), rng.random((9, 12)) < 0.7
    found, usable = model.copy(), np.empty(model.shape, dtype=bool)
    squared_residuals(planes, 3, (2, 3), inside, (found, usable))
    expected = usable_of(planes, 3)[cut] & inside
    np.testing.assert_array_equal(usable, expected)
    with np.errstate(all="ignore"):
        ratio = (planes[0][cut] - model) ** 2 / planes[1][cut].astype(np.float64)
    np.testing.assert_allclose(found, np.where(expected, ratio, 0), rtol=1e-14)


def test_sums_over_a_support_and_under_a_share():
    rng = np.random.default_rng(4)
    values, usable, support = rng.random(SHAPE), rng.random(SHAPE) < 0.8, rng.random((2, 5, 6)) < 0.5
    anything, cut = np.zeros(SHAPE, dtype=bool), (slice(None), slice(4, 9), slice(8, 14))
    found, both = supported_sums(values, usable, support, (4, 8), anything), support & usable[cut]
    np.testing.assert_allclose(found, [(values[cut] * both).sum(axis=(1, 2)), both.sum(axis=(1, 2))], rtol=1e-13)
    np.testing.assert_array_equal(anything[cut], both)
    assert anything.sum() == both.sum()
    # A share that begins before the values, and one that goes on beyond them.
    share = rng.random(SHAPE).astype(np.float32)
    for dy, dx in ((-3, -5), (3, 5)):
        here, there = ((slice(None), slice(max(s * dy, 0), 14 + min(s * dy, 0))) for s in (1, -1))
        wide, beside = (slice(max(s * dx, 0), 17 + min(s * dx, 0)) for s in (1, -1))
        weight = np.where(usable[(*here, wide)], share[(*there, beside)], 0).astype(np.float64)
        expected = [weight, weight**2, weight * values[(*here, wide)]]
        found = share_sums(values, usable, share, (dy, dx))
        np.testing.assert_allclose(found, np.stack(expected).sum(axis=(2, 3)), rtol=1e-13)


def test_claimed_pixels_are_counted(planes):
    rng, cut = np.random.default_rng(5), (slice(None), slice(2, 11), slice(3, 15))
    share, masked = np.where(rng.random((2, 9, 12)) < 0.2, 0.5, 0), rng.random((2, 9, 12)) < 0.1
    share[:, :2], masked[:, :2] = 0, False
    covered = np.zeros(2, dtype=np.int64)
    count, at_edge, span = count_covered(planes, (1, 8), (2, 3), (share, masked), covered)
    mine = ((share > 0) | masked).any(axis=0)
    rows, columns = np.nonzero(mine)
    assert count == mine.sum()
    assert not at_edge
    assert span == (rows.min() + 2, rows.max() + 2, columns.min() + 3, columns.max() + 3)
    np.testing.assert_array_equal(covered, (usable_of(planes, 1)[cut] & mine).sum(axis=(1, 2)))
    assert count_covered(planes, (1, 4), (2, 3), (share, masked), covered)[1]
    assert count_covered(planes, (0, 0), (2, 3), (0 * share, masked & False), covered)[0] == 0


def test_light_of_a_child_is_placed(planes):
    rng = np.random.default_rng(6)
    own, share = rng.normal(size=(2, 8, 7)), np.where(rng.random((2, 8, 7)) < 0.6, rng.random((2, 8, 7)), 0)
    flux, noise = np.zeros((2, 2, 6, 9))
    place_child(planes, 3, (own, share, (4, 1)), (2, 3), (flux, noise))
    whole = np.zeros((2, *SHAPE))
    whole[0, :, 4:12, 1:8], whole[1, :, 4:12, 1:8] = own, share
    kept = usable_of(planes, 3) & (whole[1] > 0)
    cut = (slice(None), slice(2, 8), slice(3, 12))
    np.testing.assert_array_equal(flux, np.where(kept, whole[0], 0)[cut])
    variance = np.where(kept, planes[1], 0).astype(np.float64)
    np.testing.assert_allclose(noise, (whole[1] ** 2 * variance)[cut], rtol=1e-14)
