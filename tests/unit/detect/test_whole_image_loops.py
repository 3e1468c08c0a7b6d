"""Compiled loops over whole images do what array functions do, to the bit."""

import numpy as np
import pytest
from scipy import ndimage

from meas_deblend.detect._deconvolution_kernels import add_members, advance, subtract
from meas_deblend.detect._label_kernels import every_nth, members_before, pieces_around
from meas_deblend.detect._peak_kernels import identified, lowest_on_the_way, maxima_above
from meas_deblend.detect._piece_kernels import put_members
from meas_deblend.detect._smoothing_kernels import clear_within, nonzero_values, smoothed, sums_within
from meas_deblend.detect.pieces import Pieces


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (40, 33), (200, 150)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_maxima_are_those_of_a_filter(shape, dtype):
    """Rounded values make plateaus, of which every pixel is found; there are more than fit into the first list."""
    image = np.round(np.random.default_rng(1).normal(size=shape), 1).astype(dtype)
    highest = ndimage.maximum_filter(image, size=3, mode="nearest")
    expected = np.flatnonzero((image == highest) & (image > 0.5))
    found, level = maxima_above(image, 0.5)
    np.testing.assert_array_equal(found, expected)
    around = np.pad(image, 1, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(around, (3, 3))
    equal = (windows == image[:, :, None, None]).sum(axis=(2, 3)) > 1
    np.testing.assert_array_equal(level, equal.ravel()[expected])


def test_lowest_values_on_ways():
    image = np.arange(30.0).reshape(5, 6)
    image[2, 3] = -7
    ends = np.array([[0.0, 3.0], [4.0, 0.0]]), np.array([[4.0, 3.0], [4.0, 5.0]])
    steps = np.linspace(0, 1, 9)[1:-1]
    # The second way stays in the last row, and the pixels that the ends lie on need not be on the way.
    assert lowest_on_the_way(image, ends, steps).tolist() == [-7, image[4, 1]]
    # Half-way between two pixels it is the even one.
    half = np.array([0.5])
    assert lowest_on_the_way(image, (np.array([[0.0, 0.0]]), np.array([[0.0, 1.0]])), half).tolist() == [image[0, 0]]


def test_peaks_of_bands_take_in_the_nearest_of_each_other_band():
    band = np.array([0, 1, 1, 2, 0])
    # The third is farther from the first than the second is, and keeps the fourth, which the first has taken in.
    pairs = np.array([[0, 1], [0, 2], [0, 3], [0, 4], [1, 4], [2, 3], [2, 4]]).T
    seen = np.zeros((5, 3), dtype=bool)
    assert identified(band, tuple(np.ascontiguousarray(pairs)), seen).tolist() == [True, False, True, False, False]
    assert seen[[0, 2]].tolist() == [[True, True, True], [True, True, False]]


@pytest.mark.parametrize("corners", [True, False])
@pytest.mark.parametrize("density", [0.0, 0.1, 0.3, 0.45, 0.6, 0.9, 1.0])
@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (1, 1), (1, 7), (7, 1), (40, 33), (64, 64)])
def test_pieces_are_labelled_components(shape, density, corners):
    rng = np.random.default_rng(2)
    mask, other = rng.random(shape) < density, rng.random(shape) < 0.05
    labels, count = ndimage.label(mask, np.ones((3, 3)) if corners else None)
    area = np.bincount(labels.ravel(), minlength=count + 1)
    pieces = Pieces.of(mask, corners=corners)
    np.testing.assert_array_equal(pieces.labels(), labels)
    np.testing.assert_array_equal(pieces.areas()[1:], area[1:])
    np.testing.assert_array_equal(pieces.without_small(4), mask & (area >= 4)[labels])
    y, x = np.indices(shape).reshape(2, -1)
    np.testing.assert_array_equal(pieces.at(y, x), labels[y, x])
    assert np.flatnonzero(pieces.touched(other)).tolist() == np.unique(labels[other & mask]).tolist()
    boxes = ndimage.find_objects(labels) if count else []
    assert pieces.bounds.tolist() == [[v.start, v.stop, u.start, u.stop] for v, u in boxes]


@pytest.mark.parametrize("dtype", [np.float32, bool])
def test_members_of_a_part_are_put_back(dtype):
    rng = np.random.default_rng(9)
    mask, plane = rng.random((20, 30)) < 0.4, np.zeros((20, 30), dtype=dtype)
    values = (10 * rng.random((20, 30))).astype(dtype)
    here = np.s_[3:15, 7:30]
    put_members(mask, ((3, 7), (15, 30)), values[here][mask[here]], plane)
    expected = np.zeros_like(plane)
    expected[here] = np.where(mask[here], values[here], 0)
    np.testing.assert_array_equal(plane, expected)


@pytest.mark.parametrize("density", [0.0, 0.3, 0.6, 1.0])
def test_pieces_around_seeds_are_connected_components_in_the_order_of_the_seeds(density):
    rng = np.random.default_rng(3)
    mask = rng.random((37, 45)) < density
    seeds = np.stack([rng.integers(0, 37, 20), rng.integers(0, 45, 20)], axis=1)
    mask[seeds[:, 0], seeds[:, 1]] = True
    labels, own, bounds = pieces_around(mask, seeds)
    whole = ndimage.label(mask)[0]
    order = list(dict.fromkeys(whole[y, x] for y, x in seeds))
    assert own.tolist() == [order.index(whole[y, x]) + 1 for y, x in seeds]
    for n, label in enumerate(order, start=1):
        np.testing.assert_array_equal(labels == n, whole == label)
        rows, columns = ndimage.find_objects((whole == label).astype(int))[0]
        assert bounds[n - 1].tolist() == [rows.start, rows.stop, columns.start, columns.stop]
    assert labels.max() == len(order)


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
@pytest.mark.parametrize("density", [0.0, 0.4, 1.0])
def test_every_nth_pixel(step, density):
    mask = np.random.default_rng(7).random((21, 33)) < density
    np.testing.assert_array_equal(every_nth(mask, step), np.flatnonzero(mask)[::step])


@pytest.mark.parametrize("width", [1, 8, 13, 70])
def test_members_before_a_pixel(width):
    rng = np.random.default_rng(4)
    mask = rng.random((9, width)) < 0.5
    y, x = np.indices(mask.shape).reshape(2, -1)
    expected = np.where(mask.ravel(), np.cumsum(mask.ravel()) - 1, -1)
    np.testing.assert_array_equal(members_before(np.packbits(mask, axis=1), (y, x)), expected)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (4, 50), (5, 5), (60, 37)])
def test_smoothing_is_two_correlations_with_zeros_outside(shape):
    image = np.random.default_rng(5).normal(size=shape).astype(np.float32) ** 5
    taps = (6 / 16, 4 / 16, 1 / 16)
    whole = (*taps[:0:-1], *taps)
    expected = ndimage.correlate1d(image, whole, axis=1, output=np.float32, mode="constant")
    expected = ndimage.correlate1d(expected, whole, axis=0, output=np.float32, mode="constant")
    out = np.empty_like(image)
    smoothed(image, taps, out)
    np.testing.assert_array_equal(out, expected)


def test_sums_of_what_lies_within_a_level():
    values = np.random.default_rng(6).normal(size=10_000).astype(np.float32)
    values[:2] = 1e20, -1e20
    within = values[np.abs(values) <= 1.5].astype(np.float64)
    # Rounding of double precision, in another order.
    assert sums_within(values, 1.5) == pytest.approx((within.sum(), np.square(within).sum()), rel=1e-12)


def test_values_that_are_not_zero_and_those_within_a_level():
    plane = np.random.default_rng(10).normal(size=(30, 41)).astype(np.float32)
    plane[plane < -0.3] = 0
    for part in (plane, plane * 0, plane[:0]):
        np.testing.assert_array_equal(nonzero_values(part), part[part != 0])
    level = plane[0, np.flatnonzero(plane[0])[0]]
    expected = np.where(np.abs(plane) <= abs(level), 0, plane)
    clear_within(plane, abs(level))
    np.testing.assert_array_equal(plane, expected)


PLACE = ((3, 2), (10, 7), (20, 31))
"""Of a part of a frame: where it begins in a filtered array, where in the frame, and its shape."""


def planes(number):
    rng = np.random.default_rng(8)
    return rng.normal(size=(number, 40, 50)).astype(np.float32), rng.random((40, 50)) < 0.4


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_residual_of_a_part(dtype):
    (seen, image, residual), unusable = planes(3)
    image = image.astype(dtype)
    image[unusable] = np.nan
    here, there = np.s_[3:23, 2:33], np.s_[10:30, 7:38]
    expected = residual.copy()
    expected[there] = np.where(unusable[there], 0, image[there] - seen[here])
    subtract(seen, PLACE, image, unusable, residual)
    np.testing.assert_array_equal(residual, expected)


def test_update_of_a_part():
    (gradient, model, ahead), wanted = planes(3)
    here, there = np.s_[3:23, 2:33], np.s_[10:30, 7:38]
    scale, beta = np.float32(0.3), np.float32(0.6)
    new = np.where(wanted[there], np.maximum(gradient[here] * scale + ahead[there], 0), 0)
    expected = model.copy(), ahead.copy()
    expected[1][there] = new + beta * (new - model[there])
    expected[0][there] = new
    advance(gradient, PLACE, (scale, beta), wanted, (model, ahead))
    np.testing.assert_array_equal((model, ahead), expected)


def test_values_of_members_are_added_to_two_planes():
    (first, second, values), mask = planes(3)
    noise = np.float32(0.7)
    expected = first + np.where(mask, values, 0), second + np.where(mask, values / noise, 0)
    add_members(mask, values[mask], noise, (first, second))
    np.testing.assert_array_equal((first, second), expected)
