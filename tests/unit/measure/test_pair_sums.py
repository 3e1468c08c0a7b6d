"""Sums of templates under the weights of other objects."""

import numpy as np
import pytest

from meas_deblend.geometry import Box, Image
from meas_deblend.measure._pair_kernels import add_positive_sums, add_products, take_positive
from meas_deblend.measure.shares import box_bounds, overlapping

#: Shapes of two images, and their boxes.
_PLACED = (((9, 11), ((-2, -1), (9, 11))), ((7, 8), ((1, 2), (7, 8))))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("corner", [(0, 0), (-4, 3), (6, -7), (40, 40)])
def test_positive_sums_are_those_of_the_common_pixels(dtype, corner):
    rng = np.random.default_rng(5)
    values, weights = rng.normal(size=(2, 9, 11)).astype(dtype), rng.normal(size=(2, 12, 10, 3))
    values[0, 4, 5] = np.nan
    found = np.ones((2, 3))
    add_positive_sums(values, corner, weights, (1, 2), found)
    box = Box((1, 2), (12, 10))
    clipped = np.where(values > 0, values, 0).astype(np.float64)
    expected = np.einsum("byx,byxg->bg", Image(clipped, Box(corner, (9, 11))).project(box).array, weights)
    # Sums of some hundred numbers of order 1 in another order.
    np.testing.assert_allclose(found - 1, expected, atol=1e-13)


@pytest.mark.parametrize("corner", [(0, 0), (-4, 3), (6, -7), (40, 40)])
def test_light_of_a_template_is_taken(corner):
    values = np.random.default_rng(6).normal(size=(2, 9, 11))
    values[1, 5, 5], values[0, 5, 5] = np.nan, np.inf
    pixels = tuple(index.ravel() + o for index, o in zip(np.indices((12, 10)), (1, 2), strict=True))
    found = np.zeros((2, 120))
    take_positive(values, corner, pixels, found)
    clipped = np.where((values > 0) & np.isfinite(values), values, 0)
    expected = Image(clipped, Box(corner, (9, 11))).project(Box((1, 2), (12, 10))).array
    np.testing.assert_array_equal(found, expected.reshape(2, 120))


def test_products_of_two_images_over_the_noise():
    rng = np.random.default_rng(7)
    one, two = (Image(rng.normal(size=(2, *shape)), Box(*place)) for shape, place in _PLACED)
    precision = Image(rng.uniform(0.5, 2, (2, 20, 20)), Box((-5, -5), (20, 20)))
    precision.array[0, :9] = 0
    one.array[1, 4, 4] = np.nan
    found = np.zeros(2)
    add_products(*((i.array, i.box.origin) for i in (one, two, precision)), found)
    values, others = (np.nan_to_num(np.maximum(i.array, 0)) for i in (one, two))
    placed = [Image(v, i.box).project(precision.box).array for v, i in ((values, one), (others, two))]
    np.testing.assert_allclose(found, (placed[0] * placed[1] * precision.array).sum(axis=(1, 2)), rtol=1e-13)


def test_boxes_that_overlap_are_found():
    boxes = [Box((0, 0), (5, 5)), Box((5, 0), (5, 5)), Box((4, 4), (0, 3)), Box((4, 4), (1, 1))]
    assert overlapping(box_bounds(boxes), Box((3, 3), (2, 9))) == [0, 3]
    assert overlapping(box_bounds([]), Box((3, 3), (2, 9))) == []
