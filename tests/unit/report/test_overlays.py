import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from meas_deblend.geometry import Box
from meas_deblend.report import Mark
from meas_deblend.report.overlays import _freest_corner, border_segments, place_labels
from meas_deblend.report.panels import block_mean
from meas_deblend.report.style import band_color


def test_border_of_one_pixel_is_its_square():
    segments = border_segments(np.ones((1, 1), dtype=bool), (7, 3))
    ends = {tuple(sorted(map(tuple, s))) for s in segments.tolist()}
    assert ends == {
        ((2.5, 6.5), (3.5, 6.5)),
        ((2.5, 7.5), (3.5, 7.5)),
        ((2.5, 6.5), (2.5, 7.5)),
        ((3.5, 6.5), (3.5, 7.5)),
    }


@given(mask=arrays(bool, st.tuples(st.integers(1, 8), st.integers(1, 8))))
def test_border_is_as_long_as_the_number_of_open_edges(mask):
    segments = border_segments(mask, (0, 0))
    length = np.abs(segments[:, 1] - segments[:, 0]).sum()
    padded = np.pad(mask, 1).astype(int)
    assert length == np.abs(np.diff(padded, axis=0)).sum() + np.abs(np.diff(padded, axis=1)).sum()


def test_straight_borders_are_one_segment():
    assert len(border_segments(np.ones((20, 30), dtype=bool), (0, 0))) == 4


def test_labels_stay_beside_their_own_centre_and_apart():
    centers = np.array([(10.0, 10.0), (10.0, 13.0), (30.0, 30.0)])
    spots = place_labels(centers, 2.0)
    distance = np.hypot(*(spots - centers).T)
    assert distance.max() <= 2 * np.sqrt(2) + 1e-9
    for k, spot in enumerate(spots):
        to_centers = np.hypot(*(spot - centers).T)
        assert np.argmin(to_centers) == k
    gaps = np.hypot(*(spots[:, None] - spots[None]).transpose(2, 0, 1))[~np.eye(3, dtype=bool)]
    assert gaps.min() > 2.0


def test_a_lonely_label_is_at_the_upper_right():
    np.testing.assert_allclose(place_labels(np.array([(5.0, 6.0)]), 2.0), [(7.0, 8.0)])


@pytest.mark.parametrize("factor", [1, 2, 3, 7])
def test_block_mean_of_a_constant(factor):
    out = block_mean(np.full((2, 5, 7), 3.0), factor)
    assert out.shape == (2, -(-5 // factor), -(-7 // factor))
    np.testing.assert_allclose(out, 3.0)


def test_block_mean_leaves_out_what_is_masked_or_not_finite():
    plane = np.array([[1.0, np.nan, 5.0], [3.0, 100.0, 7.0], [np.nan, np.inf, 9.0]])
    mask = plane == 100
    np.testing.assert_allclose(block_mean(plane, 2, mask), [[2.0, 6.0], [np.nan, 9.0]])


def test_block_mean_keeps_its_input():
    plane = np.array([[1.0, np.nan]])
    block_mean(plane, 1)
    assert np.isnan(plane[0, 1])


def test_band_colours_are_different():
    bands = ("HSC-G", "HSC-R", "N708", "r")
    colors = [band_color(band, bands) for band in bands]
    assert len(set(colors)) == 4
    assert [band_color(b, tuple("ugrizy")) for b in "gr"] == ["#0072B2", "#009E73"]


def test_the_scale_bar_takes_the_corner_with_the_fewest_marks():
    box = Box((100, 200), (50, 60))
    assert _freest_corner(box, 10.0, ()) == pytest.approx((102.5, 203.0))
    crowd = [Mark("", 105, 205), Mark("", 105, 255), Mark("", 145, 205)]
    y, x = _freest_corner(box, 10.0, crowd)
    assert (y, x) == pytest.approx((145.0, 247.0))
    assert x + 10 < box.stop[1]
