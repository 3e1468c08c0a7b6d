"""Peaks that are merged, dropped, added and protected by hand."""

from types import MappingProxyType

import pytest

from meas_deblend.detect import (
    AddedPeak,
    Detections,
    DroppedPeak,
    Edits,
    MergedPeaks,
    ProtectedPeak,
    apply_edits,
)
from meas_deblend.exceptions import InputError
from meas_deblend.geometry import Box, Footprint, Parent, Peak

FRAME = Box((0, 0), (60, 80))
WHERE = "edits.yaml, line 3"
#: Identifier of each object: index of its parent, and of the peak in it.
PLACES = {1: (0, 0), 10: (1, 0), 11: (1, 1), 12: (1, 2)}


@pytest.fixture
def detections():
    """An isolated source, and a galaxy with two knots 3 and 12 pixels from it."""
    galaxy = (Peak(0, 40, 50, 90.0, ("r",)), Peak(1, 40, 53, 20.0, ("g", "r")), Peak(2, 52, 50, 10.0, ("g",)))
    parents = (
        Parent(1, Footprint.from_box(Box((5, 5), (9, 9)), (Peak(0, 9, 9, 30.0, ("g", "r")),))),
        Parent(2, Footprint.from_box(Box((35, 40), (20, 20)), galaxy)),
    )
    return Detections(parents, MappingProxyType({1: ("g", "r"), 2: ("g", "r")}))


def edited(detections, **edits):
    return apply_edits(detections, Edits(**edits), PLACES, FRAME)


def pixels(detections):
    return {parent.id: [(p.y, p.x) for p in parent.footprint.peaks] for parent in detections.parents}


def test_without_edits_nothing_changes(detections):
    assert edited(detections).parents[1].footprint.peaks == detections.parents[1].footprint.peaks


def test_merged_peaks_keep_the_highest_with_the_bands_of_all(detections):
    found = edited(detections, merge=(MergedPeaks((11, 10), WHERE),))
    assert pixels(found)[2] == [(40, 50), (52, 50)]
    first, second = found.parents[1].footprint.peaks
    assert (first.value, first.bands) == (90.0, ("g", "r"))
    assert [first.id, second.id] == [0, 1]


def test_merges_that_share_an_object_are_one(detections):
    found = edited(detections, merge=(MergedPeaks((11, 12), WHERE), MergedPeaks((10, 12), WHERE)))
    assert pixels(found)[2] == [(40, 50)]


def test_what_is_near_a_protected_object_is_part_of_it(detections):
    assert pixels(edited(detections, protect=(ProtectedPeak(10, 5.0, WHERE),)))[2] == [(40, 50), (52, 50)]
    assert pixels(edited(detections, protect=(ProtectedPeak(10, 12.0, WHERE),)))[2] == [(40, 50)]


def test_dropped_and_added_peaks(detections):
    added = AddedPeak((44.6, 45.4), WHERE)
    found = edited(detections, drop=(DroppedPeak(11, WHERE),), add=(added,))
    assert pixels(found)[2] == [(40, 50), (52, 50), (45, 45)]
    assert found.parents[1].footprint.peaks[-1].center == (44.6, 45.4)
    assert [peak.id for peak in found.parents[1].footprint.peaks] == [0, 1, 2]


def test_a_parent_whose_only_peak_is_dropped_is_left_out(detections):
    found = edited(detections, drop=(DroppedPeak(1, WHERE),))
    assert [parent.id for parent in found.parents] == [2]
    assert dict(found.footprint_bands) == {2: ("g", "r")}


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        (
            {"drop": (DroppedPeak(13, WHERE),)},
            r"edits\.yaml, line 3: there is no object 13; there are 4 from 1 to 12, of which 10, 11, 12 are nearest",
        ),
        (
            {"merge": (MergedPeaks((1, 10), WHERE),)},
            r"edits\.yaml, line 3: objects of the parents 1, 2 cannot be one: they do not touch",
        ),
        (
            {"merge": (MergedPeaks((10, 11), WHERE),), "drop": (DroppedPeak(11, WHERE),)},
            r"line 3: drop_peak drops an object that merge or protect keeps as part of another",
        ),
        (
            {"add": (AddedPeak((70.0, 3.0), WHERE),)},
            r"line 3: add_peak at x = 3, y = 70 is off the image, which is x 0:80, y 0:60",
        ),
        (
            {"add": (AddedPeak((30.0, 3.0), WHERE),)},
            r"line 3: add_peak at x = 3, y = 30 is on no detected footprint; lower the threshold",
        ),
    ],
)
def test_edits_that_cannot_be_made(detections, edits, message):
    with pytest.raises(InputError, match=message):
        edited(detections, **edits)
