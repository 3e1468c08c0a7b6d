"""Mask planes of what was not deblended, or not as it was asked for."""

from dataclasses import replace

import numpy as np
import pytest

from meas_deblend.deblenders import BlendLimits
from meas_deblend.deblenders.blend_fit import BlendFitter
from meas_deblend.image import MaskPlanes
from meas_deblend_tasks.deblend import MultiBandConfig, MultiBandTask
from meas_deblend_tasks.marks import mark


def planes_of(exposure):
    return {
        name: exposure.mask_planes.any_set(exposure.mask, (name,)) for name in ("DEBLEND_DEGRADED", "NOT_DEBLENDED")
    }


def inside(parents, box):
    out = np.zeros(box.shape, dtype=bool)
    for parent in parents:
        for blend in parent.blends or (parent.footprint,):
            out |= blend.on(box)
    return out


def test_nothing_is_marked_where_all_went_well(chain):
    marked = chain.deblended.marked_coadds
    assert {name: where.any() for name, where in planes_of(marked).items()} == {
        "DEBLEND_DEGRADED": False,
        "NOT_DEBLENDED": False,
    }
    assert marked.mask is chain.coadds.mask


def test_degraded_blends_are_marked_in_all_bands(chain):
    config = MultiBandConfig(limits=BlendLimits(max_number_of_peaks=3))
    out = MultiBandTask(config).run(chain.coadds, chain.detections.parents)
    found = planes_of(out.marked_coadds)
    expected = inside(chain.detections.parents[2:], chain.coadds.box)
    for plane in found["DEBLEND_DEGRADED"]:
        np.testing.assert_array_equal(plane, expected)
    assert not found["NOT_DEBLENDED"].any()
    assert out.marked_coadds.mask.dtype == chain.coadds.mask.dtype


def test_what_has_no_model_is_marked_as_not_deblended(chain):
    config = MultiBandConfig(limits=BlendLimits(max_number_of_peaks=3), ladder=("full_multi_band", "parent_only"))
    out = MultiBandTask(config).run(chain.coadds, chain.detections.parents)
    found = planes_of(out.marked_coadds)
    expected = inside(chain.detections.parents[2:], chain.coadds.box)
    np.testing.assert_array_equal(found["NOT_DEBLENDED"][0], expected)
    assert not found["DEBLEND_DEGRADED"].any()
    lost = out.parent_models[2]
    assert (lost.outcome, lost.reason) == ("failed", "too_many_peaks")
    assert {(source.rung, source.reason) for source in lost.sources} == {("parent_only", "too_many_peaks")}


def test_only_the_blend_that_failed_is_marked(chain, monkeypatch):
    fit = BlendFitter.fit

    def fail_first(self, index, *arguments):
        if self.parent.id == 3 and index == 0:
            raise np.linalg.LinAlgError("made to fail")
        return fit(self, index, *arguments)

    monkeypatch.setattr(BlendFitter, "fit", fail_first)
    third = chain.split_parents[2]
    whole = third.footprint
    # Two blends, left and right, each with its peaks.
    middle = whole.box.origin[1] + whole.box.shape[1] // 2
    columns = np.arange(whole.box.shape[1]) + whole.box.origin[1]
    halves = [whole.mask & (columns < middle), whole.mask & (columns >= middle)]
    blends = tuple(
        replace(whole, mask=half, peaks=tuple(p for p in whole.peaks if (p.x < middle) == (k == 0)))
        for k, half in enumerate(halves)
    )
    out = MultiBandTask().run(chain.coadds, (replace(third, blends=blends),))
    found = planes_of(out.marked_coadds)["DEBLEND_DEGRADED"][0]
    np.testing.assert_array_equal(found, blends[0].on(chain.coadds.box))
    assert [blend.sources[0].reason for blend in out.parent_models[0].blends] == ["fit_failed", ""]


def test_planes_can_be_renamed_or_left_out(chain):
    limits = BlendLimits(max_number_of_peaks=3)
    named = MultiBandTask(MultiBandConfig(limits=limits, degraded_mask="SIMPLE", not_deblended_mask=None))
    marked = named.run(chain.coadds, chain.detections.parents).marked_coadds
    assert marked.mask_planes.any_set(marked.mask, ("SIMPLE",)).any()
    assert "NOT_DEBLENDED" not in marked.mask_planes.bits
    without = MultiBandTask(MultiBandConfig(limits=limits, degraded_mask=None, not_deblended_mask=None))
    assert without.run(chain.coadds, chain.detections.parents).marked_coadds is chain.coadds


@pytest.mark.parametrize(("bit", "dtype"), [(3, np.int32), (30, np.int32), (31, np.int64)])
def test_marks_of_an_earlier_run_are_taken_off(chain, bit, dtype):
    planes = MaskPlanes({**chain.coadds.mask_planes.bits, "NOT_DEBLENDED": bit}, chain.coadds.mask_planes.bad)
    old = chain.coadds.mask.astype(np.int64) | (1 << bit) | 1
    before = replace(chain.coadds, mask=old.astype(np.int32) if bit < 31 else old, mask_planes=planes)
    after = mark(before, {"NOT_DEBLENDED": [chain.split_parents[0].footprint]})
    where = after.mask_planes.any_set(after.mask, ("NOT_DEBLENDED",))[1]
    np.testing.assert_array_equal(where, chain.split_parents[0].footprint.on(before.box))
    assert np.all(after.mask & 1)  # the other planes stay
    assert after.mask.dtype == dtype
    assert np.all(before.mask == old)
