"""Sums of templates under the weights of other objects."""

import numpy as np
import pytest

from meas_deblend.geometry import Box, Image
from meas_deblend.measure._pair_kernels import add_positive_sums
from meas_deblend.measure.shares import box_bounds, overlapping


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


def test_boxes_that_overlap_are_found():
    boxes = [Box((0, 0), (5, 5)), Box((5, 0), (5, 5)), Box((4, 4), (0, 3)), Box((4, 4), (1, 1))]
    assert overlapping(box_bounds(boxes), Box((3, 3), (2, 9))) == [0, 3]
    assert overlapping(box_bounds([]), Box((3, 3), (2, 9))) == []
