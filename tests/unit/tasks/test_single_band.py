"""The single-band deblender on a whole exposure: limits, bookkeeping, and that one parent never costs another."""

from dataclasses import replace

import numpy as np
import pytest

import meas_deblend as md
from meas_deblend.apportion import reapportion_parent
from meas_deblend.deblenders.parent_limits import axis_ratio
from meas_deblend.detect import Detections
from meas_deblend.exceptions import InputError
from meas_deblend.framework import Outcome
from meas_deblend.geometry import Box, Footprint, Parent, Peak
from meas_deblend.image import GaussianPsf, MaskPlanes, MultibandExposure, PsfStamp
from meas_deblend.products import unpack_id
from meas_deblend_tasks.deblend import SingleBandConfig, SingleBandTask
from meas_deblend_tasks.identifiers import parent_id

PLANES = MaskPlanes({"NO_DATA": 0, "SAT": 1}, ("SAT",))
SHAPE = (160, 160)


def exposure(bands=("r",), noise=0.3):
    """Galaxies at the peaks of all parents below, in noise."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    image = np.random.default_rng(4).normal(scale=noise, size=(len(bands), *SHAPE))
    for py, px, width in ((20, 20, 2.5), (20, 30, 3.0), (100, 100, 4.0), (100, 118, 2.5), (60, 30, 3.0)):
        image += 200 * np.exp(-0.5 * ((y - py) ** 2 + (x - px) ** 2) / width**2)
    shape = image.shape
    return MultibandExposure(
        bands,
        image.astype(np.float32),
        np.full(shape, noise**2, np.float32),
        np.zeros(shape, np.int32),
        tuple(GaussianPsf(1.7) for _ in bands),
        PLANES,
    )


def parent(number, box, *peaks):
    """Rectangular parent; peaks as (y, x), brightest first."""
    found = tuple(Peak(k, y, x, 100.0 - k) for k, (y, x) in enumerate(peaks))
    return Parent(parent_id(1, 2, number), Footprint.from_box(Box(*box), found))


PAIR = parent(0, ((5, 5), (30, 45)), (20, 20), (20, 30))
SINGLE = parent(1, ((50, 20), (21, 21)), (60, 30))
WIDE = parent(2, ((60, 55), (100, 100)), (100, 100), (100, 118))


def run(*parents, coadds=None, **options):
    coadds = exposure() if coadds is None else coadds
    return SingleBandTask(SingleBandConfig(**options)).run(coadds, Detections(parents, {}, {}))


def test_a_single_peak_is_beyond_no_limit():
    out = run(SINGLE, max_footprint_area=1, max_footprint_size=1, min_footprint_axis_ratio=1, max_number_of_peaks=1)
    (model,) = out.parent_models
    assert (model.outcome, model.reason, model.message) == ("ok", "", "")
    assert model.sources[0].components


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ({"max_footprint_area": 9999}, "an area of 10000 pixels exceeds the limit of 9999"),
        ({"max_footprint_size": 99}, "a side of 100 pixels exceeds the limit of 99"),
    ],
)
def test_a_parent_beyond_a_limit_is_skipped_marked_and_kept(limit, message):
    out = run(PAIR, WIDE, **limit)
    good, skipped = out.parent_models
    assert good.outcome == "ok"
    assert (skipped.outcome, skipped.reason, skipped.message) == ("failed", "parent_too_big", message)
    assert [source.flags for source in skipped.sources] == [{"deblend_noModel"}] * 2
    marked = out.marked_coadds
    where = marked.mask_planes.any_set(marked.mask, ("NOT_DEBLENDED",))[0]
    np.testing.assert_array_equal(where, skipped.footprint.on(marked.box))
    assert where.sum() == 10000
    assert out.outcome is Outcome.PARTIAL


def test_a_parent_at_a_limit_is_deblended():
    (model,) = run(WIDE, max_footprint_area=10000, max_footprint_size=100).parent_models
    assert model.outcome == "ok"


def test_the_plane_of_skipped_parents_can_be_named_or_left_out():
    named = run(WIDE, max_footprint_area=1, not_deblended_mask="SKIPPED").marked_coadds
    assert named.mask_planes.any_set(named.mask, ("SKIPPED",)).sum() == 10000
    coadds = exposure()
    assert run(WIDE, coadds=coadds, max_footprint_area=1, not_deblended_mask=None).marked_coadds is coadds


def test_a_streak_is_told_by_its_axis_ratio():
    # Moments of a rectangle of n pixels are (n² − 1)/12 and 1/12 for each pixel's own size.
    assert axis_ratio(PAIR.footprint) == pytest.approx(30 / 45)
    (model,) = run(PAIR, min_footprint_axis_ratio=0.7).parent_models
    assert (model.reason, model.message) == ("parent_too_big", "an axis ratio of 0.667 is below the limit of 0.7")
    assert run(PAIR, min_footprint_axis_ratio=0.6).parent_models[0].outcome == "ok"


@pytest.mark.parametrize(("pixels", "skipped"), [(25, False), (26, True)])
def test_a_masked_parent_is_skipped_above_the_fraction(pixels, skipped):
    small = parent(0, ((15, 20), (10, 10)), (20, 22), (20, 28))
    coadds = exposure()
    mask = coadds.mask.copy()
    mask[0][tuple(np.argwhere(small.footprint.on(coadds.box))[:pixels].T)] = 1
    (model,) = run(small, coadds=replace(coadds, mask=mask)).parent_models
    assert model.reason == ("masked" if skipped else "")
    if skipped:
        assert model.message == "r: NO_DATA is set on 0.260 of the pixels, more than the limit of 0.25"


def test_a_band_that_is_masked_too_much_is_left_out():
    coadds = exposure(("r", "i"))
    mask = coadds.mask.copy()
    mask[1, :40] = 1
    (model,) = run(PAIR, coadds=replace(coadds, mask=mask)).parent_models
    assert (model.outcome, model.reason) == ("degraded", "masked")
    assert model.message == "i: NO_DATA is set on 1.000 of the pixels, more than the limit of 0.25"
    for source in model.sources:
        (component,) = source.components
        assert component.cube[0].any()
        assert not component.cube[1].any()


def test_a_footprint_that_leaves_the_image_fails_alone():
    lost = parent(3, ((20, -1), (20, 20)), (30, 5), (32, 12))
    alone = run(PAIR).parent_models[0]
    first, second = run(PAIR, lost).parent_models
    assert (second.outcome, second.reason) == ("failed", "template_failed")
    assert "leaves the image" in second.message
    for mine, same in zip(first.sources, alone.sources, strict=True):
        np.testing.assert_array_equal(mine.components[0].cube, same.components[0].cube)
    with pytest.raises(InputError, match="leaves the image"):
        run(PAIR, lost, catch_failures=False)


def test_a_band_without_a_psf_gets_symmetric_templates():
    class Dark:
        def image(self, y, x):
            stamp, center = GaussianPsf(1.7).image(y, x)
            return PsfStamp(0 * stamp, center)

    (model,) = run(PAIR, coadds=replace(exposure(), psfs=(Dark(),))).parent_models
    assert model.outcome == "ok"
    assert "r: no PSF" in model.warnings[0]
    assert all(source.components and not source.flags and not source.psf_fits for source in model.sources)


def test_peaks_without_a_template_get_the_psf_or_nothing():
    flat = parent(0, ((20, 5), (2, 45)), (20, 20), (20, 30))
    (kept,) = run(flat).parent_models
    assert (kept.outcome, kept.reason, kept.message) == (
        "degraded",
        "template_failed",
        "no template of their own: peaks 0, 1",
    )
    assert all(source.flags == {"deblend_deblendedAsPsf"} for source in kept.sources)
    data = exposure().images[0]
    for source in kept.sources:
        (fit,) = source.psf_fits
        assert fit.is_psf
        # As high as the pixel of the peak; averaging over the pixel widens the PSF's σ² = 1.7² by 1/12.
        height = data[source.peak.y, source.peak.x]
        assert fit.flux == pytest.approx(height * 2 * np.pi * (1.7**2 + 1 / 12), rel=0.002)
    (dropped,) = run(flat, propagate_all_peaks=False).parent_models
    assert dropped.outcome == "failed"
    assert all(source.flags == {"deblend_noModel"} and not source.components for source in dropped.sources)
    shared = reapportion_parent(exposure(), dropped)
    assert shared.unassigned.array.sum() == pytest.approx(shared.ledger[0].data)


def test_only_the_brightest_peaks_are_deblended():
    three = parent(0, ((5, 5), (30, 45)), (20, 20), (20, 30), (24, 40))
    (model,) = run(three, max_number_of_peaks=2).parent_models
    assert (model.outcome, model.reason) == ("degraded", "too_many_peaks")
    assert model.message == "1 peaks beyond the limit of 2 were left out"
    assert [bool(source.components) for source in model.sources] == [True, True, False]
    (pair,) = run(PAIR, max_number_of_peaks=0).parent_models
    for mine, same in zip(model.sources, pair.sources, strict=False):
        np.testing.assert_array_equal(mine.components[0].cube, same.components[0].cube)


def test_given_positions_have_no_height_and_go_last():
    peaks = (Peak(0, 20, 20), Peak(1, 20, 30, 5.0))
    given = replace(PAIR, footprint=PAIR.footprint.with_peaks(peaks))
    (model,) = run(given, max_number_of_peaks=1).parent_models
    assert [bool(source.components) for source in model.sources] == [False, True]


def test_a_peak_that_looks_like_another_has_no_model():
    twins = parent(0, ((5, 5), (30, 45)), (20, 20), (20, 30), (21, 21))
    (model,) = run(twins, min_peak_spacing=3).parent_models
    assert (model.outcome, [bool(source.components) for source in model.sources]) == ("ok", [True, True, False])


@pytest.mark.parametrize("rule", ["r-to-peak", "r-to-footprint", "nearest-footprint"])
def test_stray_flux_reaches_the_children_of_the_chain(rule):
    coadds = exposure()
    (trimmed,) = run(PAIR, coadds=coadds).parent_models
    (model,) = run(PAIR, coadds=coadds, stray_flux_rule=rule).parent_models
    assert all("deblend_hasStrayFlux" in source.flags and len(source.components) == 2 for source in model.sources)
    assert not any("deblend_hasStrayFlux" in source.flags for source in trimmed.sources)
    shared, before = (reapportion_parent(coadds, m) for m in (model, trimmed))
    inside = model.footprint
    positive = np.where(inside.mask, np.clip(coadds.images[0][inside.box.slices_in(coadds.box)], 0, None), 0)
    assert before.unassigned.array[0][positive > 0].sum() > 0
    # Nothing positive is left; what is below 0 outside all templates stays unassigned.
    assert not (shared.unassigned.array > 0).any()
    assert shared.ledger[0].imbalance == pytest.approx(0, abs=1e-6 * float(positive.sum()))


def test_point_source_fits_stand_beside_the_models():
    coadds = exposure(noise=1.0)
    star = GaussianPsf(1.7).image(120.0, 40.0)
    image = coadds.images.copy()
    h = star.stamp.shape[0] // 2
    image[0, 120 - h : 121 + h, 40 - h : 41 + h] += 600 * star.stamp
    field = parent(0, ((105, 25), (31, 40)), (120, 40))
    (model,) = run(field, coadds=replace(coadds, images=image)).parent_models
    (fit,) = model.sources[0].psf_fits
    assert fit.is_psf
    # The error of a PSF flux is σ √(4π) s = 6.
    assert fit.flux == pytest.approx(600, abs=25)
    assert np.hypot(fit.center[0] - 120, fit.center[1] - 40) < 0.2


def test_a_quick_test_of_a_pipeline_deblends_a_few():
    pairs = [replace(PAIR, id=parent_id(1, 2, k)) for k in range(3, 6)]
    out = run(SINGLE, *pairs, use_ci_limits=True, ci_num_parents_to_deblend=2)
    assert [model.reason for model in out.parent_models] == ["", "", "", "not_selected"]
    assert out.parent_models[3].message == "use_ci_limits deblends 3 of 4 parents"
    with pytest.raises(InputError, match=r"none of 1 parents has 3 to 10 peaks \(ci_deblend_child_range\)"):
        run(PAIR, use_ci_limits=True, ci_deblend_child_range=(3, 10))


def test_children_are_numbered_once_and_know_their_parent():
    out = run(PAIR, SINGLE, WIDE)
    everyone = [source.id for model in out.parent_models for source in model.sources]
    assert len(set(everyone)) == 5
    assert {unpack_id(one)[:2] for one in everyone} == {(1, 2)}
    assert out.parent_models[1].sources[0].id == SINGLE.id


def test_the_catalogs_of_the_chain_say_what_happened():
    result = md.deblend(exposure(), pipeline="single_band", config={"single_band": {"max_footprint_area": 1500}})
    by_reason = {str(row["deblend_reason"]): row for row in result.parents if row["deblend_nPeaks"] > 1}
    assert set(by_reason) <= {"", "parent_too_big"}
    for reason, row in by_reason.items():
        assert bool(row["deblend_skipped"]) == (reason != "")
        assert row["deblend_nChild"] == row["deblend_nPeaks"]
