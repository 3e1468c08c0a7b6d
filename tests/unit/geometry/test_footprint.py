"""Footprints, images and heavy footprints against plain sets of pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from meas_deblend.geometry import Box, Footprint, HeavyFootprint, Image, Peak

masks = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))
origins = st.tuples(st.integers(-6, 6), st.integers(-6, 6))
footprints = st.builds(Footprint.from_mask, masks, origins)


def pixels(footprint: Footprint) -> set[tuple[int, int]]:
    y0, x0 = footprint.box.origin
    return {(int(y) + y0, int(x) + x0) for y, x in np.argwhere(footprint.mask)}


@given(footprints, footprints)
def test_set_operations(a, b):
    assert pixels(a & b) == pixels(a) & pixels(b)
    assert pixels(a | b) == pixels(a) | pixels(b)
    assert a.area == len(pixels(a))


@given(footprints)
def test_spans_round_trip(footprint):
    again = Footprint.from_spans(footprint.spans())
    assert pixels(again) == pixels(footprint)
    assert (np.diff(footprint.spans()[:, 1:], axis=1) > 0).all()


@given(footprints, st.integers(0, 3))
def test_dilation_is_by_a_disc(footprint, radius):
    grown = pixels(footprint.dilate(radius))
    disc = [
        (dy, dx) for dy in range(-radius, radius + 1) for dx in range(-radius, radius + 1) if dy**2 + dx**2 <= radius**2
    ]
    assert grown == {(y + dy, x + dx) for y, x in pixels(footprint) for dy, dx in disc}


@given(footprints)
def test_edge_pixels_have_a_missing_neighbour(footprint):
    members = pixels(footprint)
    y0, x0 = footprint.box.origin
    edge = {(int(y) + y0, int(x) + x0) for y, x in np.argwhere(footprint.edge())}
    expected = {(y, x) for y, x in members if not {(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)} <= members}
    assert edge == expected


def test_peaks_outside_an_intersection_are_dropped_and_kept_in_a_union():
    inside, outside = Peak(0, 1, 1), Peak(1, 4, 4)
    whole = Footprint.from_box(Box((0, 0), (5, 5)), (inside, outside))
    corner = Footprint.from_box(Box((0, 0), (2, 2)))
    assert (whole & corner).peaks == (inside,)
    assert (whole | corner).peaks == (inside, outside)


def test_dilation_is_cut_to_the_frame():
    footprint = Footprint.from_box(Box((0, 0), (1, 1)))
    assert footprint.dilate(2, Box((0, 0), (10, 10))).box == Box((0, 0), (3, 3))


def test_a_peak_knows_its_best_position():
    assert Peak(0, 3, 4).center == (3.0, 4.0)
    assert Peak(0, 3, 4, position=(3.25, 3.75)).center == (3.25, 3.75)


def test_shapes_are_checked():
    with pytest.raises(ValueError, match=r"mask of shape \(2, 2\) does not fit"):
        Footprint(Box((0, 0), (3, 3)), np.ones((2, 2), bool))
    with pytest.raises(ValueError, match=r"array of shape \(2, 2\) does not fit"):
        Image(np.ones((2, 2)), Box((0, 0), (3, 3)))
    with pytest.raises(ValueError, match=r"\(3,\) pixel values for 4 mask pixels"):
        HeavyFootprint(Box((0, 0), (2, 2)), np.ones((2, 2), bool), np.ones(3))


@given(masks, origins)
def test_heavy_footprint_to_image_puts_each_pixel_back(mask, origin):
    box = Box(origin, mask.shape)
    heavy = HeavyFootprint(box, mask, np.arange(1.0, mask.sum() + 1))
    image = heavy.to_image()
    np.testing.assert_array_equal(image.array[mask], heavy.pixels)
    assert (image.array[~mask] == 0).all()
    wide = heavy.to_image(box.grow(2))
    assert wide.array.sum() == heavy.pixels.sum()
    np.testing.assert_array_equal(wide.array[2:-2, 2:-2], image.array)


def test_projecting_a_cube_keeps_its_bands():
    cube = Image(np.arange(8.0).reshape(2, 2, 2), Box((1, 1), (2, 2)))
    out = cube.project(Box((2, 0), (2, 3)))
    np.testing.assert_array_equal(out.array[:, 0, 1:], cube.array[:, 1, :])
    assert out.array.shape == (2, 2, 3)
    assert out.array[:, 1].sum() == 0
