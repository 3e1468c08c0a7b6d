import logging
from dataclasses import dataclass

import pytest

from meas_deblend._resident import peak_memory_mb
from meas_deblend.exceptions import PipelineError
from meas_deblend.framework import Config, Connection, Connections, Outcome, PipelineTask, Task


@dataclass(frozen=True)
class Out:
    models: list


@dataclass
class Mutable:
    models: list


IN = Connection("peaks", "peaks", "list", (), doc="Peaks.")
OPTIONAL = Connection("prior", "prior", "float", (), optional=True, doc="Prior.")
MODELS = Connection("models", "models", "list", (), doc="Models.")
BOTH = Connections((IN, OPTIONAL), (MODELS,))


def test_config_class_comes_from_the_base_or_from_the_attribute(toys):
    class ByAttribute(Task):
        ConfigClass = toys.FitConfig

    assert toys.DetectTask.ConfigClass is toys.DetectConfig
    assert ByAttribute().config == toys.FitConfig()
    assert Task.ConfigClass is Config
    with pytest.raises(TypeError, match="Odd: ConfigClass is FitConfig, but the base says DetectConfig"):

        class Odd(Task[toys.DetectConfig]):
            ConfigClass = toys.FitConfig


def test_task_has_config_label_and_log(toys):
    task = toys.DetectTask(toys.DetectConfig(threshold=2))
    assert task.config.threshold == 2
    assert task.label == "detect"
    assert toys.FitTask(label="multi_band").label == "multi_band"
    assert toys.FitTask(label="multi_band").log is logging.getLogger("meas_deblend.multi_band")
    with pytest.raises(TypeError, match="DetectTask needs a DetectConfig as config, not a FitConfig"):
        toys.DetectTask(toys.FitConfig())


@pytest.mark.parametrize(
    ("name", "label"),
    [("MultiBandTask", "multi_band"), ("PSFTask", "psf"), ("FitPSFTask", "fit_psf"), ("Task2", "task2")],
)
def test_labels_from_class_names(name, label):
    assert type(name, (Task,), {})().label == label


def test_a_task_without_run_says_so():
    with pytest.raises(NotImplementedError, match="NothingTask has no run method"):
        type("NothingTask", (Task,), {})().run()


def test_execute_measures_and_counts(toys):
    result = toys.DetectTask().execute({"image": [1, 9, 6]})
    assert result.outputs.peaks == [9, 6]
    assert result.outcome is Outcome.OK
    assert result.metadata.counts == {"peaks": 2}
    assert result.metadata.seconds >= 0
    assert result.metadata.cpu_seconds >= 0
    # A Python process is larger than 5 MiB, and this one is smaller than 100 GiB: the unit is right.
    assert 5 < result.metadata.peak_memory_mb < 100 * 1024
    assert peak_memory_mb() >= result.metadata.peak_memory_mb - 1  # the system counts in batches per thread


def test_outcome_comes_from_the_outputs(toys):
    assert toys.FitTask().execute({"peaks": [500.0]}).outcome is Outcome.DEGRADED
    assert toys.MeasureTask().execute({"models": [1.0]}).outcome is Outcome.OK


def test_optional_inputs_may_be_left_out(toys):
    assert toys.FitTask().execute({"peaks": [4.0]}).outputs.models == [2.0]
    assert toys.FitTask().execute({"peaks": [4.0], "prior": 1.0}).outputs.models == [3.0]


def test_execute_keeps_nothing_on_the_task(toys):
    task = toys.DetectTask()
    before = dict(vars(task))
    task.execute({"image": [9]})
    assert vars(task) == before


def test_wrong_inputs_are_named(toys):
    with pytest.raises(
        PipelineError, match=r"'fit' takes the inputs \(peaks, prior\); missing: peaks; unknown: peasks"
    ):
        toys.FitTask().execute({"peasks": []})


def test_a_missing_output_is_named(toys):
    class ForgetfulTask(toys.MeasureTask):
        def run(self, models) -> toys.MeasureOutputs:
            return toys.MeasureOutputs(None)

    with pytest.raises(PipelineError, match="'forgetful' did not make its output 'catalog'"):
        ForgetfulTask().execute({"models": []})


def run_matching(self, peaks, prior=0.0) -> Out: ...
def run_without_default(self, peaks, prior) -> Out: ...
def run_with_default(self, peaks=(), prior=0.0) -> Out: ...
def run_other_name(self, peak, prior=0.0) -> Out: ...
def run_without_annotation(self, peaks, prior=0.0): ...
def run_to_mutable(self, peaks, prior=0.0) -> Mutable: ...
def run_to_list(self, peaks, prior=0.0) -> list: ...
def run_to_later(self, peaks, prior=0.0) -> "Later": ...  # noqa: F821 -- the point of the test
def run_other_arguments_unknown(self, peaks: "Unknown", prior=0.0) -> "Out": ...  # noqa: F821 -- known to checkers only


def test_run_that_matches_is_taken():
    for run in (run_matching, run_other_arguments_unknown):
        assert type("OkTask", (PipelineTask,), {"connections": BOTH, "run": run}).connections is BOTH


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (run_without_default, "BadTask.run: the input 'prior' is optional, so its argument needs a default"),
        (run_with_default, "BadTask.run: the input 'peaks' is required, so its argument must have no default"),
        (run_other_name, r"BadTask.run takes \(peak, prior\), but the inputs in its connections are \(peaks, prior\)"),
        (run_without_annotation, "BadTask.run must be annotated to return a frozen dataclass$"),
        (run_to_mutable, "must be annotated to return a frozen dataclass, not .*Mutable"),
        (run_to_list, "must be annotated to return a frozen dataclass, not .*list"),
        (run_to_later, "BadTask.run: the class that it returns must be defined before it: name 'Later'"),
    ],
)
def test_run_that_does_not_match_is_refused(run, message):
    with pytest.raises(TypeError, match=message):
        type("BadTask", (PipelineTask,), {"connections": BOTH, "run": run})


def test_outputs_must_match():
    two = Connections((IN, OPTIONAL), (MODELS, Connection("extra", "extra", "list", (), doc="Extra.")))
    with pytest.raises(
        TypeError, match=r"BadTask.run returns Out\(models\), but the outputs in its .* are \(models, extra\)"
    ):
        type("BadTask", (PipelineTask,), {"connections": two, "run": run_matching})


def test_connections_must_be_declared():
    with pytest.raises(TypeError, match="BadTask has no connections"):
        type("BadTask", (PipelineTask,), {"run": run_matching})


def test_a_connection_says_what_it_is():
    with pytest.raises(TypeError, match="the connection 'peaks' has no doc"):
        Connection("peaks", "peaks", "list", (), doc=" ")
    with pytest.raises(TypeError, match="has the name 'a-b', which is not an identifier"):
        Connection("peaks", "a-b", "list", (), doc="Peaks.")
    with pytest.raises(TypeError, match="connections with the same name: peaks"):
        Connections((IN,), (IN,))


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_says_what_it_means(outcome):
    assert outcome.meaning.endswith(".")


def test_outcomes_are_a_closed_vocabulary():
    assert [outcome.value for outcome in Outcome] == ["ok", "no_work", "degraded", "partial", "failed"]
