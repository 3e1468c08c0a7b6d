"""The chain on skies with something wrong: no peak is lost, every count is accounted for, what is left is measured."""

from dataclasses import replace

import numpy as np
import pytest
import small_sky
from depth import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from promises import assert_catalog_is_finite_or_flagged, assert_ledger_closes, assert_nobody_is_lost

import meas_deblend as md
from meas_deblend.simulate import HSC_WIDE, SkyConfig, star_field

PIPELINES = ("multiband", "single_band", "none")
#: Few iterations: what is checked holds for any model.
SHORT = {"multiband": {"multi_band": {"fit": {"max_iter": 10}}}, "single_band": {}, "none": {}}


def around(y, x, radius, shape):
    rows, columns = np.indices(shape)
    return np.hypot(rows - y, columns - x) <= radius


def nan_at_the_peaks(coadds):
    images = coadds.images.copy()
    for y, x in zip(small_sky.positions()["y"], small_sky.positions()["x"], strict=True):
        images[:, round(y), round(x)] = np.nan
    return replace(coadds, images=images)


def one_source_all_nan(coadds):
    images = coadds.images.copy()
    images[:, around(15.2, 72.6, 12, coadds.box.shape)] = np.nan
    return replace(coadds, images=images)


def one_parent_masked(coadds):
    mask = coadds.mask.copy()
    mask[:, :36, :54] |= 1
    return replace(coadds, mask=mask)


def one_band_all_nan(coadds):
    images = coadds.images.copy()
    images[0] = np.nan
    return replace(coadds, images=images)


def zero_and_negative_variance(coadds):
    variance = coadds.variance.copy()
    variance[:, ::3, ::4] = 0
    variance[:, ::5, ::7] = -1
    variance[1, 56] = np.nan
    return replace(coadds, variance=variance)


def no_psf_in_one_band(coadds):
    return replace(coadds, psfs=(None, coadds.psfs[1]))


def no_psf_at_all(coadds):
    return replace(coadds, psfs=(None, None))


def infinite_and_huge_pixels(coadds):
    images, mask = coadds.images.copy(), coadds.mask.copy()
    images[0, 53, 24:28] = np.inf
    images[1, 57, 35:41] = 1e25
    mask[1, 57, 35:41] |= 2
    return replace(coadds, images=images, mask=mask)


DAMAGE = (
    nan_at_the_peaks,
    one_source_all_nan,
    one_parent_masked,
    one_band_all_nan,
    zero_and_negative_variance,
    no_psf_in_one_band,
    no_psf_at_all,
    infinite_and_huge_pixels,
)


@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize("damage", DAMAGE)
def test_nobody_is_lost_on_a_damaged_sky(damage, pipeline):
    coadds = damage(small_sky.exposure())
    result = md.deblend(coadds, sources=small_sky.positions(), pipeline=pipeline, config=SHORT[pipeline])
    assert_nobody_is_lost(result)
    assert_ledger_closes(result, coadds)
    assert_catalog_is_finite_or_flagged(result)
    assert sorted(result.objects["sourceName"]) == sorted(str(k) for k in small_sky.positions()["id"])


def test_what_is_wrong_with_one_parent_costs_that_one_only():
    clean = md.deblend(small_sky.exposure(), sources=small_sky.positions())
    masked = md.deblend(one_parent_masked(small_sky.exposure()), sources=small_sky.positions())
    failed = masked.parents[masked.parents["deblend_outcome"] != "ok"]
    assert set(failed["deblend_reason"]) == {"no_data"}
    lost = np.isin(masked.objects["parentObjectId"], failed["parentObjectId"])
    lost |= np.isin(masked.objects["objectId"], failed["parentObjectId"])
    assert 0 < lost.sum() < len(lost)
    by_name = {row["sourceName"]: row for row in clean.objects}
    for row in masked.objects[~lost]:
        before = by_name[row["sourceName"]]
        assert row["i_psfFlux"] == pytest.approx(before["i_psfFlux"], rel=0.05, abs=3 * before["i_psfFluxErr"])


def test_detection_on_a_damaged_sky_loses_only_what_cannot_be_seen():
    clean = md.deblend(small_sky.exposure())
    coadds = one_source_all_nan(small_sky.exposure())
    result = md.deblend(coadds)
    assert_nobody_is_lost(result)
    assert_ledger_closes(result, coadds)
    assert len(clean.objects) - 1 <= len(result.objects) <= len(clean.objects)


TINY = SkyConfig(bands=HSC_WIDE[1:3], shape=(30, 36), margin=0, max_radius=20)


@st.composite
def scenes(draw):
    """A tiny sky with a few stars, holes and masks anywhere; the stars may be on top of each other, or on the edge."""
    where = st.tuples(st.floats(0, TINY.shape[0] - 1), st.floats(0, TINY.shape[1] - 1))
    stars = draw(st.lists(where, min_size=1, max_size=4))
    config = TINY.model_copy(update={"seed": draw(st.integers(0, 2**31))})
    sky = star_field(np.array(stars), draw(st.floats(17, 25)), config).exposure
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    holes, masked = (rng.random(sky.images.shape) < draw(st.sampled_from([0, 0.02, 0.5, 1])) for _ in range(2))
    images = np.where(holes, draw(st.sampled_from([np.nan, np.inf, -np.inf])), sky.images).astype(np.float32)
    return replace(sky, images=images, mask=masked.astype(np.int32)), np.array(stars)


@pytest.mark.parametrize("pipeline", PIPELINES)
@settings(max_examples=examples(3), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scene=scenes())
def test_the_ledger_closes_on_any_sky(pipeline, scene):
    coadds, stars = scene
    sources = {"y": stars[:, 0], "x": stars[:, 1]}
    config = {**SHORT[pipeline], "detect": {"detection": {"grow": 1}}}
    result = md.deblend(coadds, sources=sources, pipeline=pipeline, config=config)
    assert len(result.objects) == len(stars)
    assert_nobody_is_lost(result)
    assert_ledger_closes(result, coadds)
    assert_catalog_is_finite_or_flagged(result)
