"""The door for Python: what `deblend` takes, and what it returns whatever happens."""

import numpy as np
import pytest
import small_sky

import meas_deblend as md
from meas_deblend.exceptions import ConfigError, InputError, InputWarning, PipelineError
from meas_deblend.framework import Outcome, layer_from_assignment
from meas_deblend.products import check_table
from meas_deblend_tasks.apportion import ApportionTask


@pytest.fixture(scope="module")
def result():
    return md.deblend(small_sky.exposure())


class Listener:
    """Remembers what it is told."""

    def __init__(self):
        self.told = []

    def task_started(self, label):
        self.told.append(("started", label))

    def task_finished(self, report):
        self.told.append(("finished", report.label))

    def progress(self, label, done, total, description):
        self.told.append((label, done, total))


def test_everything_is_returned(result):
    assert len(result.objects) == sum(small_sky.PEAKS)
    assert len(result.parents) == len(result.parent_models) == len(result.children) == len(small_sky.PEAKS)
    assert set(result.models.ids) == {int(i) for i in result.objects["objectId"]}
    assert list(result.timings["label"]) == list(result.pipeline.labels)
    assert (result.timings["seconds"] > 0).all()
    assert result.outcome is Outcome.OK
    assert result.reason == ""
    for name in ("objects", "parents", "ledger", "timings"):
        table = getattr(result, name)
        check_table(name, table, table.meta["layout"])


def test_models_in_memory_are_those_of_the_run(result):
    object_id = int(result.objects["objectId"][-1])
    heavy = result.models.source(object_id).reapportioned(small_sky.exposure(), "i")
    child = result.children[-1].children[-1]
    assert np.array_equal(heavy.to_image(child.box).array, child.flux[1])


@pytest.mark.parametrize("kind", ["mapping", "nested", "file", "layer", "several"])
def test_settings_in_every_form(kind, tmp_path):
    (tmp_path / "mine.yaml").write_text("multi_band:\n  fit:\n    max_iter: 3\n")
    given = {
        "mapping": {"multi_band": {"fit.max_iter": 3}},
        "nested": {"multi_band": {"fit": {"max_iter": 3}}},
        "file": str(tmp_path / "mine.yaml"),
        "layer": layer_from_assignment("multi_band:fit.max_iter=3"),
        "several": [{"multi_band": {"fit": {"max_iter": 2}}}, tmp_path / "mine.yaml"],
    }[kind]
    result = md.deblend(small_sky.exposure(), config=given)
    assert result.pipeline.task("multi_band").resolved.config.fit.max_iter == 3
    assert max(result.objects["deblend_iterations"]) <= 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"multi_bnad": {"fit": {"max_iter": 3}}}, r"no task labelled 'multi_bnad'; did you mean 'multi_band'"),
        ({"multi_band": {"fit": {"maxiter": 3}}}, r"multi_band:fit\.maxiter: unknown.*max_iter"),
        ({"multi_band": {"fit": {"max_iter": -3}}}, r"multi_band:fit\.max_iter.*-3"),
        ([3.5], "settings must be a mapping by label, or a YAML file, not float"),
    ],
)
def test_settings_that_cannot_be_used(given, message):
    with pytest.raises(ConfigError, match=message):
        md.deblend(small_sky.exposure(), config=given)


def test_unknown_names():
    with pytest.raises(ConfigError, match="there is no survey 'hcs'; did you mean 'hsc'"):
        md.deblend(small_sky.exposure(), survey="hcs")
    with pytest.raises(PipelineError, match="there is no pipeline 'multi_band'; did you mean 'multiband'"):
        md.deblend(small_sky.exposure(), pipeline="multi_band")


def test_a_survey_sets_what_it_changes():
    result = md.deblend(small_sky.exposure(), survey="hsc", pipeline="none")
    assert "i_ap25Flux" in result.objects.colnames


def test_given_sources():
    truth = small_sky.sky().truth
    pixels = md.deblend(small_sky.exposure(), sources={"x": truth["x"], "y": truth["y"]}, pipeline="none")
    sky = md.deblend(small_sky.exposure(), sources={"ra": truth["ra"], "dec": truth["dec"]}, pipeline="none")
    assert len(pixels.objects) == len(sky.objects) == len(truth["x"])
    for column in ("deblend_peak_center_x", "deblend_peak_center_y", "sourceName"):
        assert list(pixels.objects[column]) == list(sky.objects[column])
    with pytest.warns(InputWarning, match="1 of 2 positions are outside the image and were left out: 2"):
        some = md.deblend(small_sky.exposure(), sources={"x": [72.6, 500], "y": [15.2, 3]}, pipeline="none")
    assert len(some.objects) == 1
    with pytest.raises(InputError, match="none of the 1 positions is on the image"):
        md.deblend(small_sky.exposure(), sources={"x": [500.0], "y": [3.0]})


def test_nothing_detected_is_no_failure():
    result = md.deblend(small_sky.noise_only())
    assert result.outcome is Outcome.NO_WORK
    assert result.reason.startswith("nothing detected")
    assert [len(getattr(result, name)) for name in ("objects", "parents", "ledger")] == [0, 0, 0]
    assert result.models is None
    assert (result.parent_models, result.children) == ((), ())
    assert len(result.timings) == len(result.pipeline.labels)


def test_an_empty_catalog_has_the_columns_of_a_full_one(result):
    empty = md.deblend(small_sky.noise_only())
    for name in ("objects", "parents", "ledger"):
        assert getattr(empty, name).colnames == getattr(result, name).colnames


def test_outcomes_of_parents_reach_the_run():
    degraded = md.deblend(small_sky.exposure(), config={"multi_band": {"limits": {"max_footprint_area": 100}}})
    assert degraded.outcome is Outcome.DEGRADED
    assert degraded.reason == ""
    assert len(degraded.objects) == sum(small_sky.PEAKS)


def test_a_step_that_fails_is_an_error(monkeypatch):
    def _fail(*_, **__):
        raise IndexError("made to fail")

    monkeypatch.setattr(ApportionTask, "run", _fail)
    with pytest.raises(PipelineError, match="task 'apportion' failed: IndexError: made to fail"):
        md.deblend(small_sky.exposure(), pipeline="none")


def test_an_observer_is_told():
    listener = Listener()
    result = md.deblend(small_sky.exposure(), pipeline="none", observer=listener)
    labels = list(result.pipeline.labels)
    assert [label for what, label, *_ in listener.told if what == "started"] == labels
    assert [label for what, label, *_ in listener.told if what == "finished"] == labels
    assert ("none", 3, 3) in listener.told


def test_the_exposure_is_only_read(result):
    before = small_sky.sky.__wrapped__().exposure
    for name in ("images", "variance", "mask"):
        assert np.array_equal(getattr(before, name), getattr(small_sky.exposure(), name))


def test_names_of_the_package():
    assert {"deblend", "load_models", "open_run", "read_coadds"} <= set(dir(md))
    for name in md.__all__:
        assert getattr(md, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'debland'"):
        _ = md.debland
