"""What the catalogs and the store say of the rung on which each object was made."""

from dataclasses import replace

import numpy as np
import pytest

from meas_deblend.deblenders import BlendLimits, CostModel
from meas_deblend.deblenders.blend_fit import BlendFitter
from meas_deblend.deblenders.cost_model import BlendSize
from meas_deblend.products import REASONS, RUNGS
from meas_deblend_tasks.deblend import MultiBandConfig, MultiBandTask, SingleBandTask
from meas_deblend_tasks.persist import PersistTask


def halves(parent):
    """Return the parent with two blends: its peaks left and right of the middle."""
    whole = parent.footprint
    middle = whole.box.origin[1] + whole.box.shape[1] // 2
    left = (np.arange(whole.box.shape[1]) + whole.box.origin[1] < middle)[None, :]
    blends = tuple(
        replace(whole, mask=whole.mask & side, peaks=tuple(p for p in whole.peaks if (p.x < middle) == is_left))
        for side, is_left in ((left, True), (~left, False))
    )
    return replace(parent, blends=blends)


@pytest.fixture
def mixed(chain, catalogs_of, monkeypatch):
    """Models and catalogs of a run in which the left blend of the third parent fails, and the second is masked."""
    fit = BlendFitter.fit

    def _fit(self, index, *arguments):
        if self.parent.id == 3 and index == 0 and self.config.max_components == 2:
            raise np.linalg.LinAlgError("made to fail")
        return fit(self, index, *arguments)

    monkeypatch.setattr(BlendFitter, "fit", _fit)
    parents = (chain.split_parents[0], replace(chain.split_parents[1], blends=()), halves(chain.split_parents[2]))
    mask = chain.coadds.mask.copy()
    y, x, _ = parents[1].footprint.spans()[0]
    mask[0, y, x] |= chain.coadds.mask_planes.value(["SAT"])
    coadds = replace(chain.coadds, mask=mask)
    limits = BlendLimits(mask_limits={"SAT": 0.0})
    models = MultiBandTask(MultiBandConfig(limits=limits)).run(coadds, parents).parent_models
    return models, catalogs_of(coadds, chain.detections, models)


def test_each_object_has_its_own_rung_and_reason(mixed):
    models, catalogs = mixed
    objects = catalogs.objects
    failed = {source.id for source in models[2].blends[0].sources}
    assert 0 < len(failed) < 4
    last = [source.id in failed for source in models[2].sources]
    rungs = ["full_multi_band", *["symmetric_templates"] * 2]
    assert list(objects["deblend_rung"]) == rungs + ["joint_profiles" if bad else "full_multi_band" for bad in last]
    reasons = ["", *["masked"] * 2, *("fit_failed" if bad else "" for bad in last)]
    assert list(objects["deblend_reason"]) == reasons
    assert set(objects["deblend_rung"]) <= set(RUNGS)
    # Both values of both flags, and each says what the reason says.
    assert list(objects["deblend_skipped"]) == [REASONS[reason].kind == "skipped" for reason in reasons]
    assert list(objects["deblend_failed"]) == [REASONS[reason].kind == "failed" for reason in reasons]
    assert len(set(objects["deblend_skipped"])) == len(set(objects["deblend_failed"])) == 2


def test_a_parent_has_the_lowest_rung_and_the_first_reason(mixed):
    parents = mixed[1].parents
    assert list(parents["deblend_rung"]) == ["full_multi_band", "symmetric_templates", "joint_profiles"]
    assert list(parents["deblend_reason"]) == ["", "masked", "fit_failed"]
    assert list(parents["deblend_outcome"]) == ["ok", "degraded", "degraded"]


def test_the_store_keeps_rungs_and_reasons(mixed, chain):
    models = mixed[0]
    stored = PersistTask().run(chain.coadds, models, chain.apportioned.sharing).models
    for model in models:
        made = [(source.rung, source.reason) for source in model.sources]
        assert [(source.rung, source.reason) for source in stored.parent(model.id).sources] == made


def test_a_split_parent_is_what_was_asked_for(chain, catalogs_of):
    third = replace(chain.split_parents[2], blends=())
    whole = CostModel().predict("full_multi_band", BlendSize(4, third.footprint.box.area, 2))
    parents = (*chain.split_parents[:2], third)
    task = MultiBandTask(MultiBandConfig(memory_budget=0.95 * whole.memory / 1e6))
    out = task.run(chain.coadds, parents)
    catalogs = catalogs_of(chain.coadds, chain.detections, out.parent_models)
    assert list(catalogs.parents["deblend_reason"]) == ["", "", "split"]
    assert list(catalogs.parents["deblend_outcome"]) == ["ok"] * 3
    assert catalogs.parents["deblend_nBlends"][2] > 1
    assert set(catalogs.objects["deblend_rung"]) == {"full_multi_band"}
    assert not catalogs.objects["deblend_skipped"].any()
    # The same objects at the same brightness, to the noise of the fainter ones.
    flux, before = (c.objects["i_psfFlux"] for c in (catalogs, chain.catalogs))
    np.testing.assert_allclose(flux, before, rtol=0.05)


def test_deblenders_without_a_ladder_have_no_rungs(chain, catalogs_of):
    models = SingleBandTask().run(chain.coadds, chain.detections).parent_models
    catalogs = catalogs_of(chain.coadds, chain.detections, models)
    assert set(catalogs.objects["deblend_rung"]) == set(catalogs.parents["deblend_rung"]) == {""}
    assert set(catalogs.objects["deblend_reason"]) == {""}
