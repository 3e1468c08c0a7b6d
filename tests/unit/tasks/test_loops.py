"""The loop over parents: any number of processes, processes that die, templates on demand, files of results."""

import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import small_sky
from synthetic_models import assert_same_parent, make_parent

import meas_deblend as md
from meas_deblend.deblenders import get_deblender
from meas_deblend.deblenders.single_band import SingleBand
from meas_deblend.exceptions import CorruptModelError
from meas_deblend.framework import Outcome, Workplace, layer_from_dict, load_pipeline, run_pipeline, working
from meas_deblend.products import StoreMetadata, pack_rows
from meas_deblend_tasks.deblend import MultiBandConfig, MultiBandTask, SingleBandConfig, SingleBandTask
from meas_deblend_tasks.deconvolve import DeconvolveTask
from meas_deblend_tasks.loops import ModelFiles, contiguous, predicted_cost
from meas_deblend_tasks.measured_parent import PER_PARENT, MeasuredParent, RowFiles
from meas_deblend_tasks.seeds import SingleBandSeedsTask

SHORT = {"multi_band": {"fit": {"max_iter": 5}}}


def test_a_parent_whose_process_dies_fails_and_has_its_rows(chain, monkeypatch):
    """As when the system ends it because memory ran out."""
    deblend = type(get_deblender("multi_band")).__call__

    def _die(self, exposure, parent, options):
        if parent.id == 3 and os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return deblend(self, exposure, parent, options)

    here = os.getpid()
    monkeypatch.setattr(type(get_deblender("multi_band")), "__call__", _die)
    result = md.deblend(chain.coadds, config=SHORT, jobs=2)
    assert list(result.parents["deblend_reason"]) == ["", "", "worker_died"]
    assert list(result.parents["deblend_outcome"]) == ["ok", "ok", "failed"]
    assert result.parents["deblend_message"][2].startswith(
        "parent 3: the process that worked on it was ended by SIGKILL"
    )
    assert result.outcome is Outcome.PARTIAL
    assert len(result.objects) == sum(small_sky.PEAKS)
    lost = result.objects[result.objects["parentObjectId"] == 3]
    assert lost["deblend_noModel"].all()
    assert lost["deblend_failed"].all()


@pytest.fixture
def templates_made(monkeypatch):
    """Parents for which templates of single bands were made, in this process."""
    made = []
    deblend = SingleBand.__call__

    def _count(self, exposure, parent, options):
        made.append(parent.id)
        return deblend(self, exposure, parent, options)

    monkeypatch.setattr(SingleBand, "__call__", _count)
    return made


def test_nobody_asks_for_templates_of_single_bands(chain, templates_made):
    result = md.deblend(chain.coadds, config=SHORT)
    assert templates_made == []
    (report,) = (report for report in result.reports if report.label == "single_band")
    assert (report.outcome, report.counts) == (Outcome.OK, {"parents on demand": 3})


def test_templates_are_made_when_the_fit_starts_from_them(chain, templates_made):
    seeded = {"multi_band": {"fit": {"max_iter": 5}, "init": "templates"}}
    run = run_pipeline(
        load_pipeline("multiband", layers=[layer_from_dict(seeded)]).only(
            ["detect", "deconvolve", "single_band", "multi_band"]
        ),
        {"coadds": chain.coadds},
        strict=True,
    )
    assert templates_made == [1, 2, 3]
    # The same as with templates that were all made before.
    models = SingleBandTask().run(chain.coadds, chain.detections).parent_models
    options = load_pipeline("multiband", layers=[layer_from_dict(seeded)]).task("multi_band").resolved.config
    before = MultiBandTask(options).run(chain.coadds, chain.split_parents, models)
    for one, other in zip(run.datasets["parent_models"], before.parent_models, strict=True):
        assert_same_parent(one, other)


def test_templates_on_demand_are_those_of_the_step(chain):
    limited = SingleBandConfig(use_ci_limits=True, ci_deblend_child_range=(2, 2), ci_num_parents_to_deblend=1)
    for config in (SingleBandConfig(), limited):
        on_demand = SingleBandSeedsTask(config).run(chain.coadds, chain.detections).parent_models
        made = SingleBandTask(config).run(chain.coadds, chain.detections).parent_models
        assert [model.reason for model in on_demand] == [model.reason for model in made]
        for one, other in zip(on_demand, made, strict=True):
            pixels = [[c.cube for c in source.components] for source in one.sources]
            others = [[c.cube for c in source.components] for source in other.sources]
            assert all(
                np.array_equal(a, b) for x, y in zip(pixels, others, strict=True) for a, b in zip(x, y, strict=True)
            )


def test_models_of_several_processes_lie_as_those_of_one(chain):
    config = MultiBandConfig(**SHORT["multi_band"])
    with working(Workplace(2)):
        models = MultiBandTask(config).run(chain.coadds, chain.split_parents).parent_models
    alone = MultiBandTask(config).run(chain.coadds, chain.split_parents).parent_models
    for one, other in zip(models, alone, strict=True):
        assert_same_parent(one, other)
    # The PSF is one array for all, as without processes.
    assert len({model.psfs.ctypes.data for model in models[1:]}) == 1


def test_bands_are_deconvolved_in_several_processes(chain):
    with working(Workplace(2)):
        parents = DeconvolveTask().run(chain.coadds, chain.detections).split_parents
    for one, other in zip(parents, chain.split_parents, strict=True):
        assert one.detect_image.array.tobytes() == other.detect_image.array.tobytes()
        assert [blend.box for blend in one.blends] == [blend.box for blend in other.blends]


def test_arrays_come_into_c_order():
    parent = make_parent(5, [(20, 30), (25, 40)])
    assert contiguous(parent) is parent
    turned = replace(parent, psfs=np.asfortranarray(parent.psfs))
    assert not turned.psfs.flags.c_contiguous
    assert contiguous(turned).psfs.flags.c_contiguous
    assert contiguous(turned).blends is parent.blends
    assert_same_parent(contiguous(turned), parent)


def test_cost_grows_with_peaks_and_pixels():
    one, two = (make_parent(5, [(20, 30), (25, 40)][:n]).footprint for n in (1, 2))
    assert predicted_cost(two) == 2 * two.box.area > predicted_cost(one)


def test_models_come_back_from_files_to_the_last_bit(chain, tmp_path):
    files = ModelFiles(StoreMetadata.from_exposure(chain.coadds, {}))
    models = chain.deblended.parent_models
    files.write(tmp_path / "a.parquet", models[::-1])
    back = files.read(tmp_path / "a.parquet")
    assert set(back) == {1, 2, 3}
    files.write(tmp_path / "b.parquet", [back[3]])
    for model in models:
        assert contiguous(back[model.id]) is back[model.id]
        for source, other in zip(model.sources, back[model.id].sources, strict=True):
            assert source.flags == other.flags
            for a, b in zip(source.components, other.components, strict=True):
                assert a.spectrum.tobytes() == b.spectrum.tobytes()


def test_rows_come_back_from_files(chain, tmp_path):
    layout = chain.catalogs.objects.meta["layout"]
    tables = {name: getattr(chain.catalogs, name) for name in PER_PARENT}
    kept = [
        MeasuredParent(
            k,
            {name: pack_rows(name, table[:k], layout) for name, table in tables.items()},
            np.random.default_rng(k).normal(size=(k, 5)) if k else np.zeros((0, 0)),
        )
        for k in (3, 0, 2)
    ]
    RowFiles().write(tmp_path / "rows.npz", kept)
    back = RowFiles().read(tmp_path / "rows.npz")
    for one in kept:
        assert back[one.id].numbers.tobytes() == one.numbers.tobytes()
        for name in PER_PARENT:
            assert back[one.id].rows[name].numbers.tobytes() == one.rows[name].numbers.tobytes()
            assert back[one.id].rows[name].texts == one.rows[name].texts
    for content in (b"", (tmp_path / "rows.npz").read_bytes()[:900]):
        (tmp_path / "rows.npz").write_bytes(content)
        with pytest.raises(CorruptModelError, match=r"rows\.npz is damaged"):
            RowFiles().read(tmp_path / "rows.npz")
