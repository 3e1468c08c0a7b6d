"""Sky objects through the chain: measured, flagged, never deblended, in nobody's way."""

import logging

import numpy as np
import pytest
import small_sky

from meas_deblend.detect import DetectConfig, SkyObjectsConfig
from meas_deblend_tasks.any_deblender import AnyDeblenderTask
from meas_deblend_tasks.deblend import MultiBandTask, NoDeblendingTask, SingleBandTask
from meas_deblend_tasks.deconvolve import DeconvolveTask
from meas_deblend_tasks.detect import DetectAndMergeTask, DetectTask, DetectTaskConfig

WITH_SKY = DetectTaskConfig(sky_objects=SkyObjectsConfig(n_sources=3, source_radius=4))


def test_the_task_has_the_name_of_the_step_that_it_is():
    assert DetectTask is DetectAndMergeTask


@pytest.fixture(scope="module")
def found(chain):
    return DetectAndMergeTask(WITH_SKY).run(chain.coadds).detections


def test_they_follow_the_parents(chain, found):
    assert [parent.id for parent in found.parents] == [1, 2, 3, 4, 5, 6]
    for before, after in zip(chain.detections.parents, found.parents, strict=False):
        assert np.array_equal(before.footprint.mask, after.footprint.mask)


@pytest.mark.parametrize("task", [SingleBandTask, NoDeblendingTask, MultiBandTask, AnyDeblenderTask])
def test_no_deblender_touches_them(chain, found, task):
    parents = DeconvolveTask().run(chain.coadds, found).split_parents
    what = parents if task in (MultiBandTask, AnyDeblenderTask) else found
    models = task().run(chain.coadds, what).parent_models
    assert [model.reason for model in models[3:]] == ["pseudo"] * 3
    assert {model.deblender for model in models[3:]} == {"none"}
    assert all(model.reason == "" for model in models[:3])
    for model in models[3:]:
        (source,) = model.sources
        assert source.id == model.id
        assert "merge_peak_sky" in source.flags


def test_they_are_measured_and_flagged(chain, found, catalogs_of):
    models = SingleBandTask().run(chain.coadds, found).parent_models
    objects, parents = (getattr(catalogs_of(chain.coadds, found, models), name) for name in ("objects", "parents"))
    sky = np.asarray(objects["merge_peak_sky"])
    assert sky.sum() == 3
    assert len(set(objects["objectId"])) == len(objects) == sum(small_sky.PEAKS) + 3
    assert not np.asarray(objects["merge_peak_r"])[sky].any()
    assert not np.asarray(objects["merge_footprint_r"])[sky].any()
    # Flux of the PSF on empty sky: nothing, within five of its errors.
    for band in small_sky.BANDS:
        flux, error = (np.asarray(objects[f"{band}_psfFlux{end}"])[sky] for end in ("", "Err"))
        assert np.isfinite(flux).all()
        assert (np.abs(flux) < 5 * error).all()
    assert list(parents["deblend_isPseudo"]) == [False] * 3 + [True] * 3
    assert list(parents["deblend_skipped"]) == [False] * 3 + [True] * 3
    assert set(parents["deblend_outcome"]) == {"ok"}


def test_too_many_are_told(chain, caplog):
    config = DetectTaskConfig(sky_objects=SkyObjectsConfig(n_sources=1000, source_radius=4), detection=DetectConfig())
    with caplog.at_level(logging.WARNING, logger="meas_deblend"):
        found = DetectAndMergeTask(config).run(chain.coadds).detections
    n = len(found.parents) - 3
    assert 3 < n < 100
    assert f"{n} of 1000 sky objects were placed: there is no room for more" in caplog.text
