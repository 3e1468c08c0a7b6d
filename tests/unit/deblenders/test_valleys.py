"""Blends cut along their valleys."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meas_deblend.deblenders.valleys import find_basins, group_basins
from meas_deblend.geometry import Box, Footprint, Peak


def hills(places, shape, origin=(0, 0), sigma=2.0, noise=0.0):
    """Image of round hills (y, x, height) and the footprint of all its pixels."""
    yy, xx = np.indices(shape)
    image = sum(h * np.exp(-0.5 * ((yy - y) ** 2 + (xx - x) ** 2) / sigma**2) for y, x, h in places)
    image = image + np.random.default_rng(1).normal(0, noise, shape) if noise else image
    peaks = tuple(Peak(k, y + origin[0], x + origin[1], float(h)) for k, (y, x, h) in enumerate(places))
    return image, Footprint.from_box(Box(origin, shape), peaks)


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_equal_hills_are_parted_half_way(noise):
    image, blend = hills([(10, 10, 100), (10, 20, 100)], (21, 31), origin=(5, -3), noise=noise)
    basins = find_basins(blend, image)
    assert [len(peaks) for peaks in basins.peaks] == [1, 1]
    xx = np.indices(image.shape)[1]
    bright = image > 5
    # Half way, at x = 15, the pixel is either's.
    assert np.all(basins.labels[bright & (xx < 15)] == 1)
    assert np.all(basins.labels[bright & (xx > 15)] == 2)
    assert set(np.unique(basins.labels)) == {1, 2}
    assert list(basins.passes) == [(0, 1)]


def test_what_is_too_faint_to_tell_goes_to_the_nearest_peak():
    image, blend = hills([(10, 10, 100), (10, 50, 100)], (21, 61), sigma=1.0)
    labels = find_basins(blend, np.where(image > 1, image, 0.0)).labels
    xx = np.indices(image.shape)[1]
    assert np.all(labels[xx < 30] == 1)
    assert np.all(labels[xx > 30] == 2)


def test_peaks_on_one_maximum_share_a_basin():
    image, blend = hills([(10, 10, 100), (10, 30, 100)], (21, 41))
    more = blend.with_peaks((*blend.peaks, Peak(2, 10, 10), Peak(3, 11, 30), Peak(4, -5, 99)))  # the last is outside
    basins = find_basins(more, image)
    assert [[p.id for p in peaks] for peaks in basins.peaks] == [[0, 2], [1, 3], [4]]


def test_a_maximum_without_a_peak_belongs_to_the_neighbour_it_passes_into():
    image, blend = hills([(10, 10, 100), (10, 16, 40), (10, 30, 90)], (21, 41))
    basins = find_basins(blend.with_peaks((blend.peaks[0], blend.peaks[2])), image)
    assert basins.labels[10, 16] == 1
    assert [box.shape[0] for box in basins.boxes] == [21, 21]


def test_the_shallowest_valley_is_crossed_first():
    places = [(10, 8, 100), (10, 20, 100), (10, 26, 100), (10, 38, 100)]
    image, blend = hills(places, (21, 47))
    basins = find_basins(blend, image)
    groups = group_basins(basins, lambda peaks, _: len(peaks) <= 2)
    assert [[p.id for p in group.peaks] for group in groups] == [[0], [1, 2], [3]]
    assert len(group_basins(basins, lambda *_: True)) == 1
    assert len(group_basins(basins, lambda *_: False)) == 4
    by_box = group_basins(basins, lambda _, box: box.shape[1] <= 20)
    assert all(group.box.shape[1] <= 20 for group in by_box)


def test_pixels_without_a_peak_are_left_out():
    image, blend = hills([(10, 5, 100)], (21, 41))
    mask = blend.mask.copy()
    mask[:, 20:25] = False
    (part,) = group_basins(find_basins(Footprint(blend.box, mask, blend.peaks), image), lambda *_: True)
    assert part.box.stop[1] == 20
    image[:] = np.nan  # nothing is known: still every peak has a basin
    (part,) = group_basins(find_basins(blend, image), lambda *_: True)
    assert part.peaks == blend.peaks


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 18), st.integers(0, 30), st.floats(0, 100)), min_size=1, max_size=9),
    st.integers(1, 5),
    st.integers(0, 2**32 - 1),
)
def test_parts_hold_every_peak_once_and_no_pixel_twice(places, most, seed):
    image, blend = hills(places, (19, 31), origin=(-4, 7), sigma=1.5)
    rng = np.random.default_rng(seed)
    blend = Footprint(blend.box, rng.random(image.shape) > 0.2, blend.peaks)
    basins = find_basins(blend, image + rng.normal(0, 1, image.shape))
    parts = group_basins(basins, lambda peaks, _: len(peaks) <= most)
    assert sorted(p.id for part in parts for p in part.peaks) == list(range(len(places)))
    count = sum(part.on(blend.box).astype(int) for part in parts)
    assert count.max() <= 1
    at = np.zeros(blend.box.shape, dtype=bool)
    for y, x, _ in places:
        at[y, x] = True
    assert not np.any((count > 0) & ~blend.mask & ~at)  # a peak's own pixel goes with it, in the blend or not
