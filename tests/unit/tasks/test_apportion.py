"""Models → children, and models → the store."""

from dataclasses import replace

import numpy as np
import pytest
import small_sky
from synthetic_models import assert_same_parent

from meas_deblend.apportion import ApportionConfig
from meas_deblend.exceptions import InputError, MeasDeblendError
from meas_deblend.products import ModelStore, write_models
from meas_deblend_tasks import apportion as module
from meas_deblend_tasks.apportion import ApportionTask, ApportionTaskConfig
from meas_deblend_tasks.measure import MeasureTask
from meas_deblend_tasks.persist import PersistTask


def test_the_ledger_closes(chain):
    """Promise 2, recomputed from the coadd and the pixels of the children."""
    coadds = chain.coadds
    for model, shared in zip(chain.deblended.parent_models, chain.apportioned.children, strict=True):
        member = model.footprint.on(coadds.box)
        data = coadds.images.astype(np.float64) * member
        total = np.zeros_like(data)
        for child in shared.children:
            total[(slice(None), *child.box.slices_in(coadds.box))] += child.flux
        assert len(shared.children) == len(model.sources)
        for part in (shared.unassigned, shared.masked):
            total[(slice(None), *part.box.slices_in(coadds.box))] += part.array
        scale = np.abs(data).sum(axis=(1, 2))
        # Pixels are rounded to float32: 6e-8 of each.
        assert np.all(np.abs((data - total).sum(axis=(1, 2))) < 1e-6 * scale)
        assert np.abs(data - total).max() < 1e-6 * np.abs(data).max()
        assert [row.band for row in shared.ledger] == list(small_sky.BANDS)


@pytest.mark.parametrize("factor", [1.0 + 1e-5, np.nan])
def test_a_ledger_that_does_not_close_is_refused(chain, monkeypatch, factor):
    share = module.reapportion_parent

    def _wrong(*arguments):
        shared = share(*arguments)
        first = replace(shared.children[0], flux=(shared.children[0].flux * factor).astype(np.float32))
        return replace(shared, children=(first, *shared.children[1:]))

    monkeypatch.setattr(module, "reapportion_parent", _wrong)
    with pytest.raises(MeasDeblendError, match=r"the ledger of parent 1 does not close in band [ri]: .*Σ\|data\|"):
        list(ApportionTask().run(chain.coadds, chain.deblended.parent_models).children)


def test_the_tolerance_is_used(chain, monkeypatch):
    share = module.reapportion_parent

    def _slightly_wrong(*arguments):
        shared = share(*arguments)
        first = replace(shared.children[0], flux=(shared.children[0].flux * (1 + 2e-5)).astype(np.float32))
        return replace(shared, children=(first, *shared.children[1:]))

    monkeypatch.setattr(module, "reapportion_parent", _slightly_wrong)
    models = chain.deblended.parent_models
    wide = ApportionTask(ApportionTaskConfig(tolerance=1e-4)).run(chain.coadds, models)
    assert len(list(wide.children)) == 3
    with pytest.raises(MeasDeblendError, match="more than the tolerance of 1e-06"):
        list(ApportionTask().run(chain.coadds, models).children)


def test_children_are_made_when_they_are_asked_for(chain, monkeypatch):
    asked = []
    share = module.reapportion_parent
    monkeypatch.setattr(module, "reapportion_parent", lambda *a: asked.append(a[1].id) or share(*a))
    out = ApportionTask().run(chain.coadds, chain.deblended.parent_models)
    assert (len(out.children), out.counts, asked) == (3, {"parents on demand": 3}, [])
    assert len(out.children[2].children) == 4
    MeasureTask().run(chain.coadds, chain.detections, chain.deblended.parent_models, out.children)
    assert asked == [3, 1, 2, 3]  # once each: nothing is rendered twice


def test_sharing_goes_on_to_whoever_rebuilds_the_pixels(chain):
    sharing = ApportionConfig(keep_outside=True)
    wide = ApportionTask(ApportionTaskConfig(sharing=sharing)).run(chain.coadds, chain.deblended.parent_models)
    assert wide.sharing == sharing
    assert any(row.outside != 0 for shared in wide.children for row in shared.ledger)
    assert all(row.outside == 0 for shared in chain.apportioned.children for row in shared.ledger)
    store = PersistTask().run(chain.coadds, chain.deblended.parent_models, sharing).models
    assert dict(store.metadata.apportion) == sharing.model_dump()


def test_models_survive_a_round_trip_through_the_file(chain, tmp_path):
    write_models(tmp_path / "models.parquet", chain.models.parents(), chain.models.metadata)
    store = ModelStore(tmp_path / "models.parquet")
    assert store.parent_ids() == (1, 2, 3)
    for before, after in zip(chain.deblended.parent_models, store.parents(), strict=True):
        assert_same_parent(before, after)
    about = store.metadata
    assert (about.bands, about.shape, about.zeropoints) == (
        small_sky.BANDS,
        chain.coadds.box.shape,
        chain.coadds.zeropoints,
    )
    assert about.provenance["meas_deblend"]
    assert about.provenance["numpy"] == np.__version__
    assert dict(about.apportion) == ApportionConfig().model_dump()
    # The reader needs the world coordinates to the precision of float64.
    there = about.world_coordinates().all_pix2world(50.0, 40.0, 0)
    assert np.allclose(there, chain.coadds.wcs.all_pix2world(50.0, 40.0, 0), rtol=0, atol=1e-10)


def test_models_that_do_not_fit_together_are_refused(chain):
    first = chain.deblended.parent_models[0]
    with pytest.raises(InputError, match="identifier 1 is used twice"):
        PersistTask().run(chain.coadds, (first, first), ApportionConfig())
