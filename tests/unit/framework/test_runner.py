import logging
import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from meas_deblend.exceptions import PipelineError
from meas_deblend.framework import (
    Loop,
    Outcome,
    SerialExecutor,
    Workplace,
    build_pipeline,
    load_pipeline,
    map_units,
    read_definition,
    run_pipeline,
    working,
)

HEAD = "description: A chain.\ntasks:\n"


class Recorder:
    """Keeps what a run tells."""

    def __init__(self):
        self.heard = []

    def task_started(self, label):
        self.heard.append(("started", label))

    def task_finished(self, report):
        self.heard.append(("finished", report.label, report.outcome.value))

    def progress(self, label, done, total, description):
        self.heard.append((label, done, total, description))


def test_all_datasets_and_reports_are_there(chain):
    result = run_pipeline(load_pipeline(chain), {"image": [1.0, 8.0, 6.0]}, data_id={"tract": 1, "patch": "2,3"})
    assert result.datasets == {
        "image": [1.0, 8.0, 6.0],
        "peaks": [8.0, 6.0],
        "models": [4.0, 3.0],
        "catalog": {"sum": 7.0},
    }
    assert [report.label for report in result.reports] == ["detect", "fit", "measure"]
    assert {report.outcome for report in result.reports} == {Outcome.OK}
    detect = result.report("detect")
    assert detect.data_id == {"tract": 1, "patch": "2,3"}
    assert detect.counts == {"peaks": 2}
    assert detect.peak_memory_mb > 0
    assert detect.error is None
    result.raise_failures()


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_a_caller_prepares_comes_after_what_tasks_prepare(chain, toys, monkeypatch, jobs):
    made = []

    def fit(_, peaks, prior=0.0):
        return toys.FitOutputs(map_units(_halved_slowly, peaks, prior, loop=Loop(ahead=False)))

    monkeypatch.setattr(toys.FitTask, "run", fit)
    around = Workplace(preparations=iter([lambda: made.append("around")]))
    inside = Workplace(jobs, preparations=iter([lambda: made.append("inside")]))
    with working(around):
        result = run_pipeline(load_pipeline(chain), {"image": [1.0, 8.0, 6.0]}, workplace=inside)
    assert result.datasets["models"] == [4.0, 3.0]
    # One process alone prepares nothing: whoever needs it loads it.
    assert made == ([] if jobs == 1 else ["inside", "around"])


def _halved_slowly(prior, value):
    time.sleep(0.2)
    return value / 2 + prior


def test_optional_inputs_are_handed_on_when_they_are_given(chain):
    result = run_pipeline(load_pipeline(chain), {"image": [8.0], "prior": 1.0})
    assert result.datasets["models"] == [5.0]


def test_inputs_are_not_changed(chain):
    inputs = {"image": [8.0]}
    run_pipeline(load_pipeline(chain), inputs)
    assert inputs == {"image": [8.0]}


def test_no_work_is_no_failure_and_what_waits_for_it_is_passed_over(chain):
    result = run_pipeline(load_pipeline(chain), {"image": [1.0]}, strict=True)
    assert [(report.label, report.outcome, report.error) for report in result.reports] == [
        ("detect", Outcome.NO_WORK, "no number is bright"),
        ("fit", Outcome.NO_WORK, "not run: 'detect' had no work, so the dataset 'peaks' was not made"),
        ("measure", Outcome.NO_WORK, "not run: 'fit' had no work, so the dataset 'models' was not made"),
    ]
    assert result.errors == {}


def test_a_failure_is_recorded(chain, caplog):
    with caplog.at_level(logging.ERROR):
        result = run_pipeline(load_pipeline(chain), {"image": [13.0]})
    assert [(report.label, report.outcome, report.error) for report in result.reports] == [
        ("detect", Outcome.OK, None),
        ("fit", Outcome.FAILED, "ZeroDivisionError: 13 cannot be fitted"),
        ("measure", Outcome.FAILED, "not run: 'fit' failed, so the dataset 'models' was not made"),
    ]
    assert result.datasets["peaks"] == [13.0]
    assert "task 'fit' failed" in caplog.text
    assert "13 cannot be fitted" in caplog.text  # with its traceback
    with pytest.raises(PipelineError, match="task 'fit' failed: ZeroDivisionError: 13 cannot be fitted") as caught:
        result.raise_failures()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_strict_stops_at_the_first_failure(chain):
    recorder = Recorder()
    with pytest.raises(PipelineError, match="task 'fit' failed: ZeroDivisionError: 13 cannot be fitted") as caught:
        run_pipeline(load_pipeline(chain), {"image": [13.0]}, strict=True, observer=recorder)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert ("started", "measure") not in recorder.heard


def test_degraded_work_has_outputs_and_goes_on(chain):
    result = run_pipeline(load_pipeline(chain), {"image": [500.0]})
    assert [report.outcome.value for report in result.reports] == ["ok", "degraded", "ok"]
    assert result.datasets["catalog"] == {"sum": 250.0}


def test_an_optional_output_that_was_left_out(toys, write):
    tasks = (
        "  detect: toy_tasks.DetectTask\n  fit: {class: toy_tasks.FitTask, config: {connections.prior: background}}\n"
    )
    result = run_pipeline(build_pipeline(read_definition(write("a.yaml", HEAD + tasks))), {"image": [8.0]})
    assert "background" not in result.datasets
    assert result.datasets["models"] == [4.0]


def test_observer_hears_starts_progress_and_ends_in_order(chain):
    recorder = Recorder()
    run_pipeline(load_pipeline(chain), {"image": [8.0, 6.0]}, observer=recorder)
    assert recorder.heard == [
        ("started", "detect"),
        ("finished", "detect", "ok"),
        ("started", "fit"),
        ("fit", 0, 2, "peaks"),
        ("fit", 1, 2, "peaks"),
        ("fit", 2, 2, "peaks"),
        ("finished", "fit", "ok"),
        ("started", "measure"),
        ("finished", "measure", "ok"),
    ]


def test_missing_dataset_is_named_before_anything_runs(chain):
    recorder = Recorder()
    with pytest.raises(PipelineError) as caught:
        run_pipeline(load_pipeline(chain), {"prior": 1.0}, observer=recorder)
    assert str(caught.value) == (
        "the dataset 'image' is missing: 'detect' needs it as its input 'image' (Numbers.), and no task makes it. "
        "Given: prior"
    )
    assert recorder.heard == []


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"imgae": []}, "no task takes the dataset 'imgae'; did you mean 'image'"),
        ({"peaks": []}, "the dataset 'peaks' was given, but 'detect' makes it"),
    ],
)
def test_datasets_that_should_not_be_given(chain, extra, message):
    with pytest.raises(PipelineError, match=message):
        run_pipeline(load_pipeline(chain), {"image": [], **extra})


def many(write, number=4):
    """Independent pairs of tasks, and so something to do in parallel."""
    tasks = ""
    for index in range(number):
        names = f"connections: {{peaks: p{index}, background: b{index}}}"
        tasks += f"  detect_{index}: {{class: toy_tasks.DetectTask, config: {{{names}}}}}\n"
        names = f"connections: {{peaks: p{index}, models: m{index}}}"
        tasks += f"  fit_{index}: {{class: toy_tasks.FitTask, config: {{{names}}}}}\n"
    return build_pipeline(read_definition(write("many.yaml", HEAD + tasks)))


def test_the_result_does_not_depend_on_the_executor(toys, write):
    pipeline = many(write)
    serial = run_pipeline(pipeline, {"image": [8.0, 6.0]})
    with ThreadPoolExecutor(3) as threads:
        parallel = run_pipeline(pipeline, {"image": [8.0, 6.0]}, executor=threads)
    assert parallel.datasets == serial.datasets
    assert [item.label for item in parallel.reports] == [item.label for item in serial.reports]
    assert list(pipeline.labels) == [item.label for item in parallel.reports]


def test_what_is_sent_to_an_executor_can_be_pickled(toys, write):
    class Pickling(SerialExecutor):
        def submit(self, fn, /, *args, **kwargs):
            call, arguments = pickle.loads(pickle.dumps((fn, args)))  # noqa: S301 -- our own bytes
            back = pickle.dumps(call(*arguments))
            return super().submit(pickle.loads, back)

    result = run_pipeline(many(write), {"image": [8.0, 6.0]}, executor=Pickling())
    assert result.datasets["m3"] == [4.0, 3.0]


def test_failures_in_parallel_are_recorded_and_strict_raises(toys, write):
    with ThreadPoolExecutor(3) as threads:
        result = run_pipeline(many(write), {"image": [13.0]}, executor=threads)
        assert list(result.errors) != []
        assert {report.outcome.value for report in result.reports if "fit" in report.label} == {"failed"}
        with pytest.raises(PipelineError, match=r"task 'fit_\d' failed: ZeroDivisionError"):
            run_pipeline(many(write), {"image": [13.0]}, executor=threads, strict=True)


def test_interrupts_are_not_swallowed(toys, write, monkeypatch):
    def interrupted(self, image):
        raise KeyboardInterrupt

    monkeypatch.setattr(toys.DetectTask, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_pipeline(many(write), {"image": [8.0]})


def test_reports_are_found_by_label(chain):
    result = run_pipeline(load_pipeline(chain), {"image": [8.0]})
    with pytest.raises(PipelineError, match="no report on 'fits'; reports: detect, fit, measure"):
        result.report("fits")
    assert result.report("detect").summary().startswith("detect: ok in 0.")
    assert result.report("detect").summary().endswith(", 1 peaks")
