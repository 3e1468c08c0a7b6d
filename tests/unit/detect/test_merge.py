"""Parents over several bands, detected and given."""

from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meas_deblend.detect import (
    BandDetections,
    DetectConfig,
    detect_bands,
    merge_detections,
    parents_from_sources,
)
from meas_deblend.detect.significance import gaussian_kernel
from meas_deblend.geometry import Peak
from meas_deblend.image import MultibandExposure, PsfStamp

CONFIG = DetectConfig()


def ids(n):
    return 100 + n


def band(shape, discs, peaks, fwhm=4.0):
    """Detections with discs (y, x, radius) as footprints and peaks (y, x, value)."""
    yy, xx = np.indices(shape)
    mask = np.zeros(shape, dtype=bool)
    for y, x, radius in discs:
        mask |= (yy - y) ** 2 + (xx - x) ** 2 <= radius**2
    ordered = sorted(peaks, key=lambda p: -p[2])
    return BandDetections(mask, tuple(Peak(k, y, x, v) for k, (y, x, v) in enumerate(ordered)), fwhm)


def test_one_object_in_two_bands_is_one_peak_from_the_better_band():
    g = band((40, 40), [(20, 20, 6)], [(20, 20, 9.0)])
    r = band((40, 40), [(20, 21, 6)], [(20, 22, 30.0)])
    found = merge_detections({"g": g, "r": r}, CONFIG, ids)
    (parent,) = found.parents
    (peak,) = parent.footprint.peaks
    assert (peak.y, peak.x, peak.value, peak.bands, peak.id) == (20, 22, 30.0, ("g", "r"), 0)
    assert parent.id == 100
    assert found.footprint_bands == {100: ("g", "r")}
    assert np.array_equal(parent.footprint.mask, (g.footprint | r.footprint)[14:27, 14:28])


def test_a_pair_that_one_band_resolves_stays_a_pair():
    g = band((40, 40), [(20, 20, 9)], [(20, 18, 20.0), (20, 21, 15.0)])
    i = band((40, 40), [(20, 20, 9)], [(20, 19, 40.0)])
    (parent,) = merge_detections({"g": g, "i": i}, CONFIG, ids).parents
    assert [(p.x, p.bands) for p in parent.footprint.peaks] == [(19, ("g", "i")), (21, ("g",))]


def test_footprints_of_single_bands_and_touching_parents():
    g = band((40, 60), [(10, 10, 4), (30, 50, 3)], [(10, 10, 9.0), (30, 50, 8.0)])
    r = band((40, 60), [(10, 18, 4)], [(10, 18, 7.0)])  # touches the first
    found = merge_detections({"g": g, "r": r}, CONFIG, ids)
    assert [len(p.footprint.peaks) for p in found.parents] == [2, 1]
    assert found.footprint_bands == {100: ("g", "r"), 101: ("g",)}


def test_peaks_of_unconnected_footprints_are_not_merged():
    config = DetectConfig(merge_radius=5)
    g = band((20, 20), [(10, 5, 1)], [(10, 5, 9.0)])
    touching = band((20, 20), [(10, 8, 1)], [(10, 8, 8.0)])
    apart = band((20, 20), [(10, 9, 1)], [(10, 9, 8.0)])
    counts = [
        [len(p.footprint.peaks) for p in merge_detections({"g": g, "r": r}, config, ids).parents]
        for r in (touching, apart)
    ]
    assert counts == [[1], [1, 1]]


def test_order_of_peaks_with_equal_values():
    g = band((40, 40), [(20, 20, 15)], [(28, 12, 9.0), (12, 28, 9.0), (12, 12, 9.0)])
    (parent,) = merge_detections({"g": g}, CONFIG, ids).parents
    assert [(p.y, p.x, p.id) for p in parent.footprint.peaks] == [(12, 12, 0), (28, 12, 1), (12, 28, 2)]


def test_no_detection_and_wrong_frames():
    empty = band((20, 20), [], [])
    assert merge_detections({"g": empty}, CONFIG, ids).parents == ()
    with pytest.raises(ValueError, match=r"'r': \(20, 21\)"):
        merge_detections({"g": empty, "r": band((20, 21), [], [])}, CONFIG, ids)
    with pytest.raises(ValueError, match="at least one band"):
        merge_detections({}, CONFIG, ids)


class FixedPsf:
    def __init__(self, sigma):
        self.stamp = gaussian_kernel(sigma)

    def image(self, y, x):
        return PsfStamp(self.stamp, (round(y), round(x)))


def exposure_of(images, noise, psfs, bands):
    variance = np.full(images.shape, noise**2)
    return MultibandExposure(bands, images, variance, np.zeros(images.shape, dtype=np.int32), psfs)


def draw_field(rng, shape, sigmas, count_, sn):
    """A field of stars at least 12 pixels apart with a random colour: images of unit noise, and their positions."""
    truth = []
    while len(truth) < count_:
        y, x = rng.uniform(6, shape[0] - 6), rng.uniform(6, shape[1] - 6)
        if all(np.hypot(y - v, x - u) > 12 for v, u in truth):
            truth.append((y, x))
    yy, xx = np.indices(shape)
    images = rng.normal(size=(len(sigmas), *shape))
    for y, x in truth:
        for b, sigma in enumerate(sigmas):
            flux = sn * 2 * np.sqrt(np.pi) * sigma * rng.uniform(0.3, 1.5)
            images[b] += flux / (2 * np.pi * sigma**2) * np.exp(-0.5 * ((yy - y) ** 2 + (xx - x) ** 2) / sigma**2)
    return images, np.array(truth)


def test_field_in_three_bands_is_complete_and_pure():
    sigmas = (1.5, 1.7, 2.0)
    images, truth = draw_field(np.random.default_rng(5), (200, 200), sigmas, 60, sn=15)
    exposure = exposure_of(images, 1.0, tuple(FixedPsf(s) for s in sigmas), ("g", "r", "i"))
    found = merge_detections(detect_bands(exposure, CONFIG), CONFIG, ids)
    where = np.array([p.center for parent in found.parents for p in parent.footprint.peaks])
    distance = np.hypot(*(where[:, None] - truth[None]).transpose(2, 0, 1))
    # The best of three bands has S/N > 10 for nearly all: misses and false peaks are at the percent level.
    assert (distance.min(axis=0) < 2).sum() >= 59
    assert (distance.min(axis=1) > 2).sum() <= 1
    assert len(where) <= 61  # none is found twice


def test_bands_without_psf_or_pixels_take_part():
    images, truth = draw_field(np.random.default_rng(6), (100, 100), (1.7, 1.7), 8, sn=40)
    images[1] = np.nan
    exposure = exposure_of(images, 1.0, (None, FixedPsf(1.7)), ("g", "r"))
    found = merge_detections(detect_bands(exposure, CONFIG), CONFIG, ids)
    assert sum(len(p.footprint.peaks) for p in found.parents) == len(truth)
    assert set(found.footprint_bands.values()) == {("g",)}


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**31), bands=st.integers(1, 4))
def test_every_peak_has_one_parent_and_every_parent_a_peak(seed, bands):
    rng = np.random.default_rng(seed)
    detections = {}
    for name in "grizy"[:bands]:
        discs = [(*rng.integers(0, 40, 2), rng.integers(1, 6)) for _ in range(rng.integers(0, 8))]
        detections[name] = band((40, 40), discs, [(int(y), int(x), float(rng.integers(5, 9))) for y, x, _ in discs])
    found = merge_detections(detections, DetectConfig(merge_radius=rng.uniform(0, 3)), ids)
    covered = np.zeros((40, 40), dtype=int)
    for parent in found.parents:
        covered += parent.footprint.on(parent.footprint.box.__class__((0, 0), (40, 40)))
        assert parent.footprint.peaks
        assert [p.id for p in parent.footprint.peaks] == list(range(len(parent.footprint.peaks)))
        keys = [(-p.value, p.x, p.y) for p in parent.footprint.peaks]
        assert keys == sorted(keys)
        assert all(parent.footprint.contains(p.y, p.x) and p.bands for p in parent.footprint.peaks)
    assert np.array_equal(covered, np.logical_or.reduce([d.footprint for d in detections.values()]))
    total = sum(len(p.bands) for parent in found.parents for p in parent.footprint.peaks)
    assert total == sum(len(d.peaks) for d in detections.values())  # each band's peak is in exactly one merged peak


def test_given_sources_take_the_place_of_peaks():
    g = band((50, 50), [(20, 20, 7), (40, 40, 3)], [(20, 20, 30.0), (40, 40, 9.0)])
    positions = [(22.25, 23.5), (18.75, 17.1)]
    found = parents_from_sources(np.array(positions), ["b", "a"], {"g": g}, ids)
    (parent,) = found.parents  # the detected disc at (40, 40) has no given source
    assert [p.name for p in parent.footprint.peaks] == ["b", "a"]
    assert [p.position for p in parent.footprint.peaks] == positions
    assert [(p.y, p.x) for p in parent.footprint.peaks] == [(22, 24), (19, 17)]
    assert all(np.isnan(p.value) and p.bands == () for p in parent.footprint.peaks)


def test_given_sources_outside_footprints_get_discs():
    g = band((60, 60), [(20, 20, 5)], [(20, 20, 30.0)], fwhm=3.5)
    found = parents_from_sources(np.array([(20, 20), (20, 28), (50, 50), (0, 59)]), [], {"g": g}, ids)
    assert [len(p.footprint.peaks) for p in found.parents] == [1, 2, 1]
    corner, _, lonely = found.parents
    assert lonely.footprint.box.shape == (9, 9)  # a disc of ceil(3.5) = 4 pixels
    assert corner.footprint.box.shape == (5, 5)  # cut at the corner
    assert found.footprint_bands[lonely.id] == ()


def test_given_positions_off_the_image_are_reported():
    g = band((30, 30), [], [])
    positions = np.array([(-0.6, 5), (-0.5, 5), (29.49, 3), (29.5, 3), (np.nan, 3), (5, np.inf)])
    found = parents_from_sources(positions, list("abcdef"), {"g": g}, ids)
    assert [p.name for p in found.rejected] == ["a", "d", "e", "f"]
    assert sorted(p.name for parent in found.parents for p in parent.footprint.peaks) == ["b", "c"]


def test_wrong_lists_are_named():
    g = {"g": band((30, 30), [], [])}
    with pytest.raises(ValueError, match="3 names for 2 positions"):
        parents_from_sources(np.zeros((2, 2)), ["a", "b", "c"], g, ids)
    with pytest.raises(ValueError, match=r"shape \(n, 2\).*got \(3,\)"):
        parents_from_sources(np.zeros(3), [], g, ids)
    assert parents_from_sources(np.zeros((0, 2)), [], g, ids).parents == ()


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**31),
    positions=st.lists(st.tuples(st.floats(-5, 45), st.floats(-5, 45)), max_size=12),
)
def test_every_given_source_is_in_one_parent_or_rejected(seed, positions):
    rng = np.random.default_rng(seed)
    discs = [(*rng.integers(0, 40, 2), rng.integers(1, 6)) for _ in range(3)]
    detections = {"g": band((40, 40), discs, [])}
    names = [f"s{k}" for k in range(len(positions))]
    counter = count(7)
    found = parents_from_sources(np.array(positions).reshape(-1, 2), names, detections, lambda n: next(counter))
    placed = [p for parent in found.parents for p in parent.footprint.peaks]
    assert sorted(p.name for p in [*placed, *found.rejected]) == sorted(names)
    for parent in found.parents:
        order = [int(p.name[1:]) for p in parent.footprint.peaks]
        assert order == sorted(order)
        for p in parent.footprint.peaks:
            assert parent.footprint.contains(p.y, p.x)
            assert p.position == positions[int(p.name[1:])]
