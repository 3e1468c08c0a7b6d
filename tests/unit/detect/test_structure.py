"""Peaks that are the structure of a large galaxy are merged into it; neighbours are not."""

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
from structured_galaxies import structured_field

from meas_deblend._each import in_turn
from meas_deblend.detect import (
    DetectConfig,
    Detections,
    DroppedPeak,
    Edits,
    MergedPeaks,
    ProtectedPeak,
    Structure,
    StructureConfig,
    apply_edits,
    detect_bands,
    find_structure,
    merge_detections,
    merge_structure,
)
from meas_deblend.detect._ring_kernels import ring_medians
from meas_deblend.detect.smooth_model import Stamp, smooth_model
from meas_deblend.detect.structure import MergedPeak, structure_of
from meas_deblend.framework import Loop, Workplace, map_units, working
from meas_deblend.geometry import Box, Footprint, Parent, Peak

CONFIG = StructureConfig()


def found_on(field):
    return merge_detections(detect_bands(field.exposure, DetectConfig()), DetectConfig(), int)


@pytest.fixture(scope="module")
def fields():
    """Eight fields with what is detected and merged on them, and what each peak is in truth."""
    out = []
    for seed in range(8):
        field = structured_field(seed)
        detections = found_on(field)
        peaks = [peak for parent in detections.parents for peak in parent.footprint.peaks]
        kinds = {(p.y, p.x): kind for p, kind in zip(peaks, field.kinds(peaks), strict=True)}
        out.append((field, detections, find_structure(field.exposure, detections.parents, CONFIG), kinds))
    return out


def test_pieces_are_merged_and_neighbours_are_kept(fields):
    """Of 200 other fields 62 % of the pieces were merged, and 2 % of the neighbours: binomial margins on these."""
    detected = [kind for *_, kinds in fields for kind in kinds.values()]
    merged = [kinds[one.peak.y, one.peak.x] for *_, found, kinds in fields for one in found]
    assert detected.count("piece") > 50
    assert merged.count("piece") > 0.45 * detected.count("piece")
    assert merged.count("real") < 0.06 * detected.count("real")
    assert "host" not in merged


def test_a_galaxy_with_its_structure_becomes_one_object():
    """Arms of moderate strength, and nobody else: most of what is detected is merged into the galaxy."""
    field = structured_field(5, structure=0.6, radius=18.0, neighbours=0)
    detections = found_on(field)
    peaks = sum(len(parent.footprint.peaks) for parent in detections.parents)
    whole = merge_structure(detections, find_structure(field.exposure, detections.parents, CONFIG))
    assert peaks > 3
    assert sum(len(parent.footprint.peaks) for parent in whole.parents) < 0.5 * peaks


def test_nothing_is_merged_where_that_is_not_wanted_or_nothing_is_large(fields):
    field, detections, found, _ = fields[0]
    assert found
    assert find_structure(field.exposure, detections.parents, StructureConfig(enabled=False)) == ()
    assert find_structure(field.exposure, detections.parents, StructureConfig(min_radius=20)) == ()
    assert find_structure(field.exposure, detections.parents, StructureConfig(min_significance=1e9)) == ()
    without = replace(field.exposure, psfs=(None,) * 3)
    assert find_structure(without, detections.parents, CONFIG) == ()


def test_limits_act_each_on_its_own(fields):
    field, detections, found, _ = fields[0]
    everything = StructureConfig(max_contrast=1e9, max_color_chi2=1e9, max_distance=1e9)
    whole = find_structure(field.exposure, detections.parents, everything)
    assert len(whole) > len(found)
    for name, value in (("max_contrast", 0.2), ("max_color_chi2", 0.5), ("max_distance", 1.0)):
        limited = find_structure(field.exposure, detections.parents, everything.model_copy(update={name: value}))
        field_name = {"max_contrast": "contrast", "max_color_chi2": "chi2", "max_distance": "distance"}[name]
        assert 0 < len(limited) < len(whole)
        assert all(getattr(one.structure, field_name) <= value for one in limited)


def test_merged_peaks_are_listed_and_their_bands_kept(fields):
    _, detections, found, _ = fields[0]
    whole = merge_structure(detections, found)
    assert whole.merged == found
    before, after = (sum(len(p.footprint.peaks) for p in d.parents) for d in (detections, whole))
    assert before == after + len(found)
    assert [p.id for p in whole.parents] == [p.id for p in detections.parents]
    for parent in whole.parents:
        assert [peak.id for peak in parent.footprint.peaks] == list(range(len(parent.footprint.peaks)))


def test_a_smooth_galaxy_is_modelled_as_it_is():
    """An exponential disc seen at an angle, without noise: profile and half-light radius to a few per cent."""
    side, radius, q = 161, 14.0, 0.6
    yy, xx = np.indices((side, side)) - side // 2
    r = np.hypot(xx * np.sqrt(q), yy / np.sqrt(q))
    image = 1000 * np.exp(-1.678 * r / radius)
    stamp = _stamp(image)
    model = smooth_model(stamp)
    # The light beyond the last isophote above the noise, and the width of rings.
    assert model.half_light == pytest.approx(radius, rel=0.06)
    inner = (r > 3) & (r < 2 * radius)
    assert np.abs(model.images[0][inner] / image[inner] - 1).max() < 0.12
    # A neighbour on a tenth of the rings is not seen by their medians.
    there = np.hypot(yy - 20, xx - 5) < 4
    again = smooth_model(_stamp(image + 500 * there))
    assert np.abs(again.images[0][inner] / image[inner] - 1).max() < 0.2
    assert again.half_light == pytest.approx(radius, rel=0.1)


def test_contrast_and_color_by_hand():
    """Half of the model's light on top of it in the model's colours, then in others."""
    side = 121
    r = np.hypot(*(np.indices((side, side)) - side // 2))
    smooth = np.array([2.0, 1.0])[:, None, None] * 100 * np.exp(-r / 8)
    stamp = _stamp(smooth)
    model = smooth_model(stamp)
    core = np.outer(*[np.exp(-0.5 * np.arange(-2, 3) ** 2 / 2)] * 2)
    peak = Peak(1, 60, 72)
    plain = structure_of(stamp, model, (core, core), peak, 0.0)
    assert plain.contrast == pytest.approx(0, abs=0.05)
    assert plain.distance == pytest.approx(12 / model.half_light, rel=0.05)
    same = replace(stamp, images=stamp.images + 0.5 * model.images)
    how = structure_of(same, model, (core, core), peak, 0.0)
    assert how.contrast == pytest.approx(0.5 + plain.contrast, rel=1e-6)
    assert how.chi2 == pytest.approx(plain.chi2, abs=1.0)
    other = replace(stamp, images=stamp.images + np.array([0.0, 1.0])[:, None, None] * model.images)
    strict = structure_of(other, model, (core, core), peak, 0.0).chi2
    assert strict > 50
    assert structure_of(other, model, (core, core), peak, 1.0).chi2 < 0.25 * strict
    assert structure_of(stamp, model, (core, core), Peak(1, 0, 0), 0.0) is None
    blind = replace(stamp, usable=np.zeros_like(stamp.usable))
    assert structure_of(blind, model, (core, core), peak, 0.0) is None
    alone = replace(stamp, images=same.images[:1], variance=stamp.variance[:1], usable=stamp.usable[:1])
    assert structure_of(alone, replace(model, stamp=alone), (core,), peak, 0.0).chi2 == 0


def test_what_does_not_end_or_is_not_there_has_no_model():
    flat = np.full((41, 41), 50.0)
    assert smooth_model(_stamp(flat)) is None
    assert smooth_model(_stamp(np.zeros((41, 41)))) is None


def _stamp(image):
    images = np.atleast_3d(image).transpose(2, 0, 1) if image.ndim == 2 else image
    side = images.shape[1]
    ones = np.ones_like(images)
    return Stamp(Box((0, 0), (side, side)), images, ones, ones > 0, (side // 2, side // 2))


WHERE = "edits.yaml, line 3"


@pytest.fixture
def merged():
    """A galaxy into which two knots were merged, beside a companion."""
    peaks = (Peak(0, 40, 50, 90.0, ("r",)), Peak(1, 52, 50, 10.0, ("g",)))
    knots = (Peak(1, 40, 53, 20.0, ("g", "r")), Peak(3, 40, 46, 9.0, ("g",)))
    parent = Parent(2, Footprint.from_box(Box((35, 40), (20, 20)), peaks))
    listed = tuple(MergedPeak(2, knot, peaks[0], Structure(0.1, 1.0, 0.5)) for knot in knots)
    return Detections((parent,), MappingProxyType({2: ("g", "r")}), merged=listed)


def edited(detections, **edits):
    return apply_edits(detections, Edits(**edits), {10: (0, 0), 11: (0, 1)}, Box((0, 0), (60, 80)))


def test_protected_objects_are_exempt(merged):
    """What lies within the radius given is part of it, and what was merged beyond is an object again."""
    found = edited(merged, protect=(ProtectedPeak(10, 3.5, WHERE),))
    assert [(p.y, p.x) for p in found.parents[0].footprint.peaks] == [(40, 50), (52, 50), (40, 46)]
    assert [p.id for p in found.parents[0].footprint.peaks] == [0, 1, 2]
    assert found.merged == ()
    other = edited(merged, protect=(ProtectedPeak(11, 1.0, WHERE),))
    assert other.merged == merged.merged
    assert [(p.y, p.x) for p in other.parents[0].footprint.peaks] == [(40, 50), (52, 50)]


def test_edits_of_other_objects_find_them_after_peaks_came_back(merged):
    found = edited(merged, protect=(ProtectedPeak(10, 1.0, WHERE),), drop=(DroppedPeak(11, WHERE),))
    assert [(p.y, p.x) for p in found.parents[0].footprint.peaks] == [(40, 50), (40, 53), (40, 46)]


def test_the_listing_follows_what_is_merged_and_dropped_by_hand(merged):
    joined = edited(merged, merge=(MergedPeaks((10, 11), WHERE),))
    assert {(one.into.y, one.into.x) for one in joined.merged} == {(40, 50)}
    dropped = edited(merged, drop=(DroppedPeak(10, WHERE),))
    assert [one.into for one in dropped.merged] == [None, None]


def test_parents_may_be_done_by_any_process(fields):
    def in_processes(function, places, shared):
        with working(Workplace(2)):
            return map_units(function, places, shared, loop=Loop(ahead=False))

    for field, detections, found, _ in fields[:2]:
        assert found
        assert find_structure(field.exposure, detections.parents, CONFIG, in_processes) == found
        asked: list[int] = []

        def noted(function, places, shared, asked=asked):
            asked += places
            return in_turn(function, places, shared)

        assert find_structure(field.exposure, detections.parents, CONFIG, noted) == found
        # Nobody is asked for parents in which no peak may take in another.
        assert all(len(detections.parents[n].footprint.peaks) > 1 for n in asked)
        assert {one.parent for one in found} <= {detections.parents[n].id for n in asked}


def test_medians_of_rings_by_hand():
    rng = np.random.default_rng(4)
    image, usable = rng.normal(size=(31, 33)), rng.random((31, 33)) < 0.7
    ring = np.digitize(np.hypot(*np.indices(image.shape)), np.arange(1, 30, 1.5))
    usable[:4, :4], usable[ring == 6] = True, False
    least = np.array([1, 1, *[5] * 10])
    expected = [np.median(image[usable & (ring == k)]) if k != 6 else None for k in range(12)]
    expected[6] = expected[5]
    np.testing.assert_array_equal(ring_medians(image, usable, ring, least), expected)
    np.testing.assert_array_equal(ring_medians(image, np.zeros_like(usable), ring, least), np.zeros(12))
