"""Coadds → parents, and parents → blends."""

import logging

import numpy as np
import pytest
import small_sky

from meas_deblend.detect import DetectConfig, HierarchyConfig
from meas_deblend.exceptions import NoWorkFoundError
from meas_deblend.image import SourceList
from meas_deblend.products import PatchId, unpack_id
from meas_deblend_tasks.deconvolve import DeconvolveTask, DeconvolveTaskConfig
from meas_deblend_tasks.detect import DetectTask, DetectTaskConfig


def source_list(positions, names=None):
    y, x = np.array(positions, dtype=np.float64).T
    return SourceList(y, x, tuple(names or (str(k + 1) for k in range(len(y)))))


def test_parents_of_the_sky(chain):
    parents = chain.detections.parents
    assert tuple(len(parent.footprint.peaks) for parent in parents) == small_sky.PEAKS
    assert [parent.id for parent in parents] == [1, 2, 3]
    assert set(chain.detections.footprint_bands) == {1, 2, 3}
    peaks = np.array([peak.center for parent in parents for peak in parent.footprint.peaks])
    truth = np.stack([small_sky.sky().truth[axis] for axis in "yx"], axis=1)
    for y, x in truth:
        # The wings of neighbours pull a peak by a part of a pixel.
        assert np.hypot(*(peaks - (y, x)).T).min() < 1


def test_identifiers_carry_tract_and_patch():
    task = DetectTask(DetectTaskConfig(tract=9813, patch=44))
    parents = task.run(small_sky.exposure()).detections.parents
    assert [unpack_id(parent.id) for parent in parents] == [PatchId(9813, 44, n) for n in (1, 2, 3)]


def test_the_threshold_is_used():
    high = DetectTask(DetectTaskConfig(detection=DetectConfig(threshold=60)))
    found = high.run(small_sky.exposure()).detections.parents
    assert 0 < sum(len(parent.footprint.peaks) for parent in found) < sum(small_sky.PEAKS)


def test_given_sources_take_the_place_of_peaks(chain):
    given = [(15.2, 72.6), (55.25, 18.75), (57.0, 37.5), (70.0, 84.0)]
    found = DetectTask().run(chain.coadds, source_list(given, ["a", "b", "c", "empty sky"])).detections
    peaks = {peak.name: peak for parent in found.parents for peak in parent.footprint.peaks}
    assert {name: peak.center for name, peak in peaks.items()} == dict(
        zip(["a", "b", "c", "empty sky"], given, strict=True)
    )
    # b and c lie in the one footprint of four; where nothing was detected the position has a disc of its own.
    assert sorted(len(parent.footprint.peaks) for parent in found.parents) == [1, 1, 2]
    (alone,) = (parent for parent in found.parents if parent.footprint.peaks[0].name == "empty sky")
    assert found.footprint_bands[alone.id] == ()
    assert 0 < alone.footprint.area < 200


def test_a_given_source_off_the_image_is_told_and_the_others_kept(chain, caplog):
    with caplog.at_level(logging.WARNING, logger="meas_deblend"):
        found = DetectTask().run(chain.coadds, source_list([(15.2, 72.6), (16.0, 300.0)])).detections
    assert [peak.name for peak in found.rejected] == ["2"]
    assert [len(parent.footprint.peaks) for parent in found.parents] == [1]
    assert "given source 2 at (x, y) = (300.0, 16.0) is off the image" in caplog.text


def test_nothing_detected_is_said(chain):
    with pytest.raises(NoWorkFoundError, match="nothing detected above 5 σ in r, i"):
        DetectTask().run(small_sky.noise_only())
    with pytest.raises(NoWorkFoundError, match=r"nothing detected above 1e\+06 σ in r, i"):
        DetectTask(DetectTaskConfig(detection=DetectConfig(threshold=1e6))).run(chain.coadds)


def test_blends_hold_every_peak_of_their_parent(chain):
    for before, after in zip(chain.detections.parents, chain.split_parents, strict=True):
        assert after.id == before.id
        assert np.array_equal(after.footprint.mask, before.footprint.mask)
        # A single peak needs no split: its blend is the parent.
        blends = after.blends or (after.footprint,)
        ids = sorted(peak.id for blend in blends for peak in blend.peaks)
        assert ids == sorted(peak.id for peak in before.footprint.peaks)
        assert after.detect_image is not None


def test_the_hierarchy_can_be_coarser_and_finer(chain):
    def blends(**settings):
        config = DeconvolveTaskConfig(hierarchy=HierarchyConfig(**settings))
        parents = DeconvolveTask(config).run(chain.coadds, chain.detections).split_parents
        return [max(1, len(parent.blends)) for parent in parents]

    assert blends(grow_size=20) == [1, 1, 1]
    assert blends(footprint_snr_thresh=30, grow_size=0, min_deconvolved_area=1) == list(small_sky.PEAKS)
