"""Parents → models: outcomes, what one bad parent does to the others, and identifiers."""

from dataclasses import replace

import numpy as np
import pytest
import small_sky
from synthetic_models import assert_same_parent, make_parent

from meas_deblend.apportion import drawn
from meas_deblend.deblenders import BlendLimits
from meas_deblend.deblenders.blend_fit import BlendFitter
from meas_deblend.exceptions import InputError
from meas_deblend.framework import Outcome, Workplace, working
from meas_deblend.models import TemplateComponent
from meas_deblend.products import pack_id, unpack_id
from meas_deblend.scarlet import FitConfig
from meas_deblend_tasks.deblend import (
    MultiBandConfig,
    MultiBandTask,
    NoDeblendingTask,
    SingleBandConfig,
    SingleBandTask,
)
from meas_deblend_tasks.identifiers import parent_id, with_unique_ids


@pytest.fixture
def failing_fit(monkeypatch):
    """Let the joint fit of parents with certain ids raise an error."""

    def _fail(*parent_ids):
        fit = BlendFitter.fit

        def _fit(self, *arguments, **keywords):
            if self.parent.id in parent_ids:
                raise np.linalg.LinAlgError("made to fail")
            return fit(self, *arguments, **keywords)

        monkeypatch.setattr(BlendFitter, "fit", _fit)

    return _fail


def test_every_peak_has_a_source(chain):
    models = chain.deblended.parent_models
    assert [model.id for model in models] == [parent.id for parent in chain.detections.parents]
    for model, parent in zip(models, chain.detections.parents, strict=True):
        assert [source.peak for source in model.sources] == list(parent.footprint.peaks)
        assert (model.outcome, model.reason, model.deblender) == ("ok", "", "multi_band")
        assert not any(isinstance(c, TemplateComponent) for source in model.sources for c in source.components)
    assert chain.deblended.outcome is Outcome.OK
    assert chain.deblended.counts == {"ok": 3, "sources": 7}


def test_identifiers_are_unique_and_an_isolated_object_has_its_parents(chain):
    models = chain.deblended.parent_models
    ids = [source.id for model in models for source in model.sources]
    blends = [blend.id for model in models for blend in model.blends]
    parents = [model.id for model in models]
    assert models[0].sources[0].id == models[0].id
    others = ids[1:]
    assert len({*others, *blends, *parents}) == len(others) + len(blends) + len(parents)
    assert all(0 < identifier < 1 << 63 for identifier in ids)


@pytest.fixture
def patch_models():
    """Models of one patch with one, two and three sources, as deblenders number them: within the parent."""
    positions = [(20, 30), (25, 40), (30, 50)]
    return [replace(make_parent(5, positions[: n + 1]), id=parent_id(9813, 44, n)) for n in range(3)]


def ids_by_parent(models):
    return {
        model.id: [source.id for source in model.sources] + [blend.id for blend in model.blends] for model in models
    }


def test_identifiers_stay_in_the_patch(patch_models):
    ids = ids_by_parent(with_unique_ids(patch_models))
    first = pack_id(9813, 44, 1)
    assert ids[first][0] == first
    everyone = [one for some in ids.values() for one in some]
    assert {unpack_id(one)[:2] for one in everyone} == {(9813, 44)}
    # One isolated object, five children, three blends.
    assert len(set(everyone)) == len(everyone) == 9
    assert with_unique_ids([]) == ()


def test_identifiers_do_not_depend_on_the_order_of_the_work(patch_models):
    turned = with_unique_ids(patch_models[::-1])
    assert [model.id for model in turned] == [model.id for model in patch_models[::-1]]
    assert ids_by_parent(turned) == ids_by_parent(with_unique_ids(patch_models))


def test_what_parents_take_is_predicted_once_for_time_and_memory(chain, monkeypatch):
    asked = []
    predict = MultiBandConfig.predict

    def noted(self, rung, peaks, box, bands):
        asked.append(box)
        return predict(self, rung, peaks, box, bands)

    monkeypatch.setattr(MultiBandConfig, "predict", noted)
    with working(Workplace(2)):
        models = MultiBandTask().run(chain.coadds, chain.split_parents).parent_models
    # The cheapest, of one peak, is deblended in this process, which asks once more.
    assert len(asked) == 1 + sum(len(parent.blends) or 1 for parent in chain.split_parents)
    for one, other in zip(models, chain.deblended.parent_models, strict=True):
        assert_same_parent(one, other)


def test_parents_do_not_see_each_other(chain):
    alone = MultiBandTask().run(chain.coadds, chain.split_parents[2:]).parent_models
    together = chain.deblended.parent_models[2]
    for one, other in zip(drawn(alone[0]).sources, drawn(together).sources, strict=True):
        for mine, theirs in zip(one.components, other.components, strict=True):
            assert mine.box == theirs.box
            assert np.array_equal(mine.morph, theirs.morph)
            assert np.array_equal(mine.spectrum, theirs.spectrum)


def test_a_blend_beyond_a_limit_gets_templates_and_says_so(chain):
    config = MultiBandConfig(limits=BlendLimits(max_number_of_peaks=3))
    # Parents that were not split are one blend each.
    out = MultiBandTask(config).run(chain.coadds, chain.detections.parents)
    found = [(model.outcome, model.reason) for model in out.parent_models]
    assert found == [("ok", ""), ("ok", ""), ("degraded", "too_many_peaks")]
    assert out.outcome is Outcome.DEGRADED
    assert out.counts == {"ok": 2, "degraded": 1, "sources": 7}
    degraded = out.parent_models[2]
    assert "4 peaks exceed the limit of 3" in degraded.message
    assert {(source.rung, source.reason) for source in degraded.sources} == {("symmetric_templates", "too_many_peaks")}
    assert all(source.components for source in degraded.sources)


def test_a_failing_fit_costs_its_parent_only(chain, failing_fit):
    failing_fit(2)
    out = MultiBandTask().run(chain.coadds, chain.split_parents)
    first, second, third = out.parent_models
    assert (second.outcome, second.reason) == ("degraded", "fit_failed")
    assert "LinAlgError: made to fail" in second.message
    assert len(second.sources) == 2
    assert all(source.components for source in second.sources)
    assert_same_parent(first, chain.deblended.parent_models[0])
    assert_same_parent(third, chain.deblended.parent_models[2])
    assert out.outcome is Outcome.DEGRADED


def test_failures_are_raised_where_they_are_not_caught(chain, failing_fit):
    failing_fit(2)
    with pytest.raises(np.linalg.LinAlgError, match="made to fail"):
        MultiBandTask(MultiBandConfig(catch_failures=False)).run(chain.coadds, chain.split_parents)


def test_a_parent_without_any_model_is_failed_and_kept(chain):
    coadds = chain.coadds
    box = chain.split_parents[1].footprint.box
    mask = coadds.mask.copy()
    mask[(slice(None), *box.slices_in(coadds.box))] = 1
    out = MultiBandTask().run(replace(coadds, mask=mask), chain.split_parents)
    lost = out.parent_models[1]
    assert (lost.outcome, lost.reason) == ("failed", "no_data")
    assert len(lost.sources) == 2
    assert not any(source.components for source in lost.sources)
    assert out.outcome is Outcome.PARTIAL
    assert out.counts == {"ok": 2, "failed": 1, "sources": 7}


@pytest.mark.parametrize("task", [SingleBandTask, NoDeblendingTask])
def test_the_other_deblenders_keep_every_peak(chain, task):
    out = task().run(chain.coadds, chain.detections)
    assert tuple(len(model.sources) for model in out.parent_models) == small_sky.PEAKS
    assert out.outcome is Outcome.OK
    assert {model.deblender for model in out.parent_models} == {"single_band" if task is SingleBandTask else "none"}


def test_seeds_of_the_single_band_templates_start_the_fit(chain):
    # Two iterations, so that the start still shows.
    short = MultiBandConfig(init="templates", fit=FitConfig(max_iter=2, point_source_snr=None))
    seeds = SingleBandTask(SingleBandConfig()).run(chain.coadds, chain.detections).parent_models
    seeded = MultiBandTask(short).run(chain.coadds, chain.split_parents, seeds).parent_models
    plain = MultiBandTask(MultiBandConfig(fit=short.fit)).run(chain.coadds, chain.split_parents, seeds).parent_models
    assert all(model.outcome == "ok" for model in seeded)
    first, second = (model[2].sources[0].components[0].morph for model in (seeded, plain))
    assert first.shape != second.shape or not np.allclose(first, second, rtol=1e-3)


def test_seeds_that_nobody_made_are_missed(chain):
    with pytest.raises(InputError, match=r"init is 'templates', but parent 1 has no seeds: run a deblender before"):
        MultiBandTask(MultiBandConfig(init="templates")).run(chain.coadds, chain.split_parents)
