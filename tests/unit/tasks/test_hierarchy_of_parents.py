"""Acceptance of the hierarchy: parents, the blends that they fall into, isolated objects, sky, and identifiers."""

import numpy as np
import pytest

from meas_deblend.detect import (
    SKY,
    DeconvolveConfig,
    Deconvolved,
    DetectConfig,
    Detections,
    HierarchyConfig,
    deconvolve_exposure,
    detect_bands,
    merge_detections,
    split_parents,
)
from meas_deblend.exceptions import NoWorkFoundError
from meas_deblend.geometry import Box, Footprint, Image, Parent, Peak
from meas_deblend.image import GaussianPsf, MaskPlanes, MultibandExposure
from meas_deblend.scarlet import FitConfig, PsfMatch
from meas_deblend_tasks.apportion import ApportionTask
from meas_deblend_tasks.deblend import MultiBandConfig, MultiBandTask
from meas_deblend_tasks.deconvolve import DeconvolveTask
from meas_deblend_tasks.detect import DetectAndMergeTask
from meas_deblend_tasks.measure import MeasureTask

SHAPE = (70, 80)
PSFS = (GaussianPsf(1.5), GaussianPsf(1.7))
STARS = ((23, 12, 900), (24, 16, 700), (23, 34, 800), (55, 20, 900))
ISLANDS = (Box((20, 9), (8, 11)), Box((20, 31), (7, 7)), Box((53, 18), (5, 5)))


def observed(stars=STARS, psfs=PSFS, bands=("g", "r"), seed=0):
    yy, xx = np.indices(SHAPE)
    images = np.random.default_rng(seed).normal(size=(len(bands), *SHAPE))
    for image, sigma in zip(images, (1.5, 1.7, 1.6), strict=False):
        for y, x, flux in stars:
            image[:] += flux / (2 * np.pi * sigma**2) * np.exp(-0.5 * ((yy - y) ** 2 + (xx - x) ** 2) / sigma**2)
    return MultibandExposure(
        bands,
        images.astype(np.float32),
        np.ones(images.shape, dtype=np.float32),
        np.zeros(images.shape, dtype=np.int32),
        psfs,
        MaskPlanes({"BAD": 0}, ("BAD",)),
    )


def parents():
    """Two islands with 2 + 1 peaks, one isolated peak, one sky object."""
    seen = ("g", "r")
    peaks = (Peak(0, 23, 12, 30.0, seen), Peak(1, 23, 34, 28.0, seen), Peak(2, 24, 16, 25.0, ("g",)))
    return (
        Parent(1, Footprint.from_box(Box((15, 4), (17, 40)), peaks)),
        Parent(2, Footprint.from_box(Box((48, 13), (15, 15)), (Peak(0, 55, 20, 30.0, seen),))),
        Parent(3, Footprint.from_box(Box((45, 55), (13, 13)), (Peak(0, 51, 61, bands=(SKY,)),))),
    )


@pytest.fixture(scope="module")
def split():
    frame = Box((0, 0), SHAPE)
    plane = np.zeros(SHAPE, dtype=np.float32)
    for box in ISLANDS:
        plane[box.slices_in(frame)] = 3 * 2.5  # islands of three times the threshold
    deconvolved = Deconvolved(
        Image(plane, frame), plane, np.ones(2), PsfMatch(0.8, 0.0, np.zeros(2), np.zeros(2)), {"g": 1, "r": 1}
    )
    return split_parents(parents(), deconvolved, HierarchyConfig())


@pytest.fixture(scope="module")
def catalogs(split):
    exposure, found = observed(), Detections(parents(), {1: ("g", "r"), 2: ("g", "r"), 3: ()})
    models = MultiBandTask(MultiBandConfig(fit=FitConfig(max_iter=5))).run(exposure, split).parent_models
    children = ApportionTask().run(exposure, models).children
    return MeasureTask().run(exposure, found, models, children)


def test_every_peak_is_in_one_blend_and_every_blend_in_its_parent(split):
    assert [[tuple(p.id for p in blend.peaks) for blend in parent.blends] for parent in split] == [
        [(0, 2), (1,)],
        [],
        [],
    ]
    frame = Box((0, 0), SHAPE)
    inside = split[0].footprint.on(frame)
    first, second = (blend.on(frame) for blend in split[0].blends)
    assert not (first & second).any()
    assert not ((first | second) & ~inside).any()
    assert all(blend.contains(p.y, p.x) for blend in split[0].blends for p in blend.peaks)


def test_rows_of_the_catalogs(catalogs):
    parents_table, objects = catalogs.parents, catalogs.objects
    assert list(parents_table["deblend_nPeaks"]) == [3, 1, 1]
    assert list(parents_table["deblend_nBlends"]) == [2, 1, 1]
    assert list(parents_table["deblend_nChild"]) == [3, 0, 0]
    assert list(parents_table["deblend_isolatedParent"]) == [False, True, True]
    assert list(parents_table["deblend_isPseudo"]) == [False, False, True]
    isolated = objects["parentObjectId"] == 0
    assert list(objects["objectId"][isolated]) == [2, 3]
    assert list(objects["merge_peak_sky"][isolated]) == [False, True]
    children = objects[~isolated]
    assert list(children["parentObjectId"]) == [1, 1, 1]
    assert len(set(children["objectId"])) == 3
    assert min(children["objectId"]) > 3
    assert sorted(children["deblend_peakId"]) == [0, 1, 2]
    assert dict(zip(children["deblend_peakId"], children["deblend_blendNChild"], strict=True)) == {0: 2, 1: 1, 2: 2}


def test_peak_flags_are_the_childs_own_and_footprint_flags_the_parents(catalogs):
    children = catalogs.objects[catalogs.objects["parentObjectId"] == 1]
    own = dict(zip(children["deblend_peakId"], children["merge_peak_r"], strict=True))
    assert own == {0: True, 1: True, 2: False}
    assert all(children["merge_peak_g"])
    assert all(children["merge_footprint_r"])


class NoPsf:
    def image(self, y, x):
        raise RuntimeError("no input image here")


class PsfNearOneStar:
    def image(self, y, x):
        if (y, x) != (55, 20):
            raise RuntimeError("no input image here")
        return PSFS[0].image(y, x)


def detections(exposure):
    return merge_detections(detect_bands(exposure, DetectConfig()), DetectConfig(), lambda n: n + 1)


def test_a_psf_that_exists_at_a_peak_only_is_recovered():
    exposure = observed(psfs=(PsfNearOneStar(), PSFS[1]))
    found = detections(exposure)
    result = deconvolve_exposure(exposure, found.parents)
    assert min(result.iterations.values()) > 0
    assert any("g: PSF taken at (y, x) = (55, 20)" in text for text in result.warnings)


def test_bands_without_psf_leave_the_others_as_they_are():
    exposure = observed(psfs=(PSFS[0], NoPsf(), PSFS[1]), bands=("g", "r", "i"))
    found = detections(exposure)
    result = deconvolve_exposure(exposure, found.parents)
    assert [band for band, n in result.iterations.items() if n > 0] == ["g", "i"]
    alone = deconvolve_exposure(exposure.select(["g", "i"]), found.parents)
    assert np.array_equal(result.detect_image.array, alone.detect_image.array)
    # The last band alone is that band, not it and all behind it.
    last = observed(psfs=(NoPsf(), NoPsf(), PSFS[1]), bands=("g", "r", "i"))
    only = deconvolve_exposure(last, found.parents)
    assert np.array_equal(
        only.detect_image.array, deconvolve_exposure(last.select(["i"]), found.parents).detect_image.array
    )


def test_no_psf_at_all_loses_nobody():
    exposure = observed(psfs=(NoPsf(), NoPsf()))
    found = DetectAndMergeTask().run(exposure).detections
    after = DeconvolveTask().run(exposure, found).split_parents
    models = MultiBandTask().run(exposure, after).parent_models
    assert [model.id for model in models] == [parent.id for parent in found.parents]
    assert {model.reason for model in models} == {"no_psf"}
    assert sum(len(model.sources) for model in models) == sum(len(p.footprint.peaks) for p in found.parents)


def test_no_work_is_raised_and_not_returned():
    with pytest.raises(NoWorkFoundError, match="nothing detected above 5 σ in g, r"):
        DetectAndMergeTask().run(observed(stars=()))


def test_unusable_pixels_have_no_weight_in_the_deconvolution():
    exposure = observed()
    found = detections(exposure)
    mask, images = exposure.mask.copy(), exposure.images.copy()
    mask[:, :, 13] = 1
    spoiled = []
    for value in (0.0, 1e6, np.nan):
        images[:, :, 13] = value
        damaged = MultibandExposure(
            exposure.bands, images.copy(), exposure.variance, mask, exposure.psfs, exposure.mask_planes
        )
        spoiled.append(deconvolve_exposure(damaged, found.parents).detect_image.array)
    assert np.array_equal(spoiled[0], spoiled[1])
    assert np.array_equal(spoiled[0], spoiled[2])
    # The star next to the column keeps its light: its neighbours decide.
    whole = deconvolve_exposure(exposure, found.parents).detect_image.array
    region = (slice(17, 30), slice(6, 24))
    assert spoiled[0][region].sum() == pytest.approx(whole[region].sum(), rel=0.1)


def test_a_pixel_that_one_band_masks_is_used_in_the_others():
    exposure = observed()
    found = detections(exposure)
    mask = exposure.mask.copy()
    mask[0, 52:59, 17:24] = 1
    damaged = MultibandExposure(
        exposure.bands, exposure.images, exposure.variance, mask, exposure.psfs, exposure.mask_planes
    )
    both = deconvolve_exposure(damaged, found.parents)
    bands = [deconvolve_exposure(damaged.select([band]), found.parents) for band in exposure.bands]
    whole = deconvolve_exposure(exposure.select(["r"]), found.parents)
    assert np.array_equal(bands[1].detect_image.array, whole.detect_image.array)
    total = bands[0].detect_image.array + bands[1].detect_image.array
    assert np.abs(both.detect_image.array - total).max() < 1e-3 * total.max()
    again = detections(damaged)
    assert sum(len(p.footprint.peaks) for p in again.parents) == len(STARS)


def test_kernels_are_made_once_per_psf(monkeypatch):
    from meas_deblend import scarlet  # noqa: PLC0415 - the attribute is replaced

    made, make = [], scarlet.matched_kernels
    monkeypatch.setattr(scarlet, "matched_kernels", lambda psfs, **rest: made.append(psfs) or make(psfs, **rest))
    exposure = observed()
    deconvolve_exposure(exposure, parents(), DeconvolveConfig(tile_size=64))
    assert len(made) == len(exposure.bands)


def test_plain_and_accelerated_updates_come_to_the_same():
    exposure = observed()
    found = detections(exposure)
    fast = deconvolve_exposure(exposure, found.parents).detect_image.array
    slow = deconvolve_exposure(
        exposure, found.parents, DeconvolveConfig(accelerate=False, max_iter=64)
    ).detect_image.array
    assert np.abs(fast - slow).max() < 0.05 * slow.max()
    assert fast.sum() == pytest.approx(slow.sum(), rel=0.02)


def test_without_footprints_light_may_be_anywhere():
    exposure = observed()
    found = detections(exposure)
    inside = np.zeros(SHAPE, dtype=bool)
    for parent in found.parents:
        inside |= parent.footprint.on(exposure.box)
    confined = deconvolve_exposure(exposure, found.parents).detect_image.array
    free = deconvolve_exposure(exposure, found.parents, DeconvolveConfig(use_footprints=False)).detect_image.array
    assert not confined[~inside].any()
    assert free[~inside].any()
