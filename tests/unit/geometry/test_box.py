"""Boxes: the algebra, and its edges."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meas_deblend.geometry import Box

integers = st.integers(-30, 30)
boxes = st.builds(lambda y, x, h, w: Box((y, x), (h, w)), integers, integers, st.integers(0, 20), st.integers(0, 20))


def pixels(box: Box) -> set[tuple[int, int]]:
    """Every pixel of a box: the truth that the algebra is held against."""
    return {(y, x) for y in range(box.origin[0], box.stop[0]) for x in range(box.origin[1], box.stop[1])}


@given(boxes, boxes)
def test_intersection_is_that_of_the_pixels(a, b):
    assert pixels(a & b) == pixels(a) & pixels(b)
    assert (a & b).area == len(pixels(a) & pixels(b))


@given(boxes, boxes)
def test_union_is_the_smallest_box_around_both(a, b):
    union = a | b
    assert pixels(a) | pixels(b) <= pixels(union)
    if not a.is_empty and not b.is_empty:
        assert union.origin == (min(a.origin[0], b.origin[0]), min(a.origin[1], b.origin[1]))
        assert union.stop == (max(a.stop[0], b.stop[0]), max(a.stop[1], b.stop[1]))


@given(boxes, boxes)
def test_overlap_slices_cut_the_same_sky_from_both(a, b):
    image = np.arange(3600).reshape(60, 60)
    frame = Box((-30, -30), (60, 60))
    a, b = a & frame, b & frame
    here, there = a.overlap_slices(b)
    np.testing.assert_array_equal(image[a.slices_in(frame)][here], image[b.slices_in(frame)][there])
    assert image[a.slices_in(frame)][here].size == (a & b).area


@given(boxes, st.integers(0, 5))
def test_growing_then_shrinking_gives_the_box_back(box, radius):
    assert box.is_empty or box.grow(radius).grow(-radius) == box
    assert box.grow((radius, 0)).shape == (box.shape[0] + 2 * radius, box.shape[1])


@given(boxes)
def test_from_mask_finds_the_box_again(box):
    frame = Box((-40, -40), (100, 100))
    mask = np.zeros(frame.shape, bool)
    mask[box.slices_in(frame)] = True
    found = Box.from_mask(mask, frame.origin)
    assert found == box if not box.is_empty else found.is_empty


def test_numpy_integers_become_pythons_so_that_json_takes_them():
    box = Box((np.int64(1), np.int32(2)), (np.int64(3), np.int64(4)))
    assert json.dumps([box.origin, box.shape]) == "[[1, 2], [3, 4]]"


def test_contains_and_center():
    box = Box((2, 3), (4, 5))
    assert box.contains(2, 3)
    assert box.contains(5, 7)
    assert not box.contains(6, 3)
    assert not box.contains(2, 8)
    assert box.center == (3.5, 5.0)


def test_negative_side_is_refused():
    with pytest.raises(ValueError, match=r"at least 0, got shape \(-1, 3\)"):
        Box((0, 0), (-1, 3))


def test_slices_never_wrap_around():
    with pytest.raises(ValueError, match="is not inside"):
        Box((-1, 0), (3, 3)).slices_in(Box((0, 0), (10, 10)))
