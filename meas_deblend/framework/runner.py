"""Runs a pipeline over datasets in memory."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any, ParamSpec, TypeVar

from .._heap import release_memory
from .._interrupt import raise_interrupt
from ..exceptions import InputError, NoWorkFoundError
from .config import Config
from .connections import Connection
from .graph import WiredTask, check_inputs, producers
from .observers import Observer, SilentObserver
from .outcome import Outcome
from .pipeline import Pipeline
from .progress import ProgressSink, reporting_to
from .report import DataId, QuantumReport, RunResult, failure
from .task import PipelineTask, TaskResult
from .units import Workplace, surrounding_preparations, working

__all__ = ["SerialExecutor", "preparations", "run_pipeline"]

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger("meas_deblend.runner")


class SerialExecutor(Executor):
    """Runs what is submitted at once, in the calling thread."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call the function and return its result as a finished future."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 -- handed on by the future, as every executor does
            raise_interrupt(error)
            future.set_exception(error)
        return future


def run_pipeline(
    pipeline: Pipeline,
    inputs: Mapping[str, object],
    *,
    data_id: DataId | None = None,
    observer: Observer | None = None,
    strict: bool = False,
    executor: Executor | None = None,
    workplace: Workplace | None = None,
) -> RunResult:
    """Run all tasks of a pipeline at one data ID.

    Tasks whose inputs were not made are passed over, and their reports say why. The result does not depend on the
    executor, nor on the number of processes: datasets have one producer each, units of work are put back in their
    order, and reports come in the order of the pipeline.

    Parameters
    ----------
    pipeline : Pipeline
        What to run.
    inputs : mapping of str to object
        Datasets that no task makes, by name.
    data_id : mapping, optional
        What the datasets belong to, for the reports.
    observer : Observer, optional
        Is told of starts, ends, and of progress where tasks run in this thread.
    strict : bool
        Whether to stop at the first error instead of recording it.
    executor : concurrent.futures.Executor, optional
        Where tasks run that do not wait for each other; one after the other in this thread when it is left out.
    workplace : Workplace, optional
        Processes for the units of each task, and where their results are kept; this process alone when it is left out.
        Its preparations, and those of the workplace around this call (`working`), come after those of the tasks.

    Returns
    -------
    RunResult
        Datasets, reports, and what was raised.

    Raises
    ------
    PipelineError
        A dataset is missing or unknown; with ``strict``, also any error of a task, with its label.
    """
    check_inputs(pipeline.tasks, tuple(inputs))
    run = _Run(pipeline, inputs, data_id or {}, observer or SilentObserver())
    where = executor or SerialExecutor()
    sink = run.progress_of if executor is None else None
    place = workplace or Workplace()
    if executor is None:
        # Elsewhere there is nothing to prepare, and a generator cannot be sent.
        steps = chain(preparations(pipeline), place.preparations, surrounding_preparations())
        place = replace(place, preparations=steps)
    running: dict[Future[TaskResult], WiredTask] = {}
    try:
        while run.waiting or running:
            task = run.take_ready()
            if task is not None:
                report_to = None if sink is None else partial(sink, task.label)
                here = replace(place, label=task.label)
                arguments = (task.task_class, task.resolved.config, here, run.inputs_of(task), report_to)
                running[where.submit(_execute, *arguments)] = task
            # With nothing more to start, wait; else only collect what is finished, and go on starting.
            finished, _ = wait(running, timeout=None if task is None else 0, return_when=FIRST_COMPLETED)
            for future in [future for future in running if future in finished]:
                run.finish(running.pop(future), future, strict=strict)
    finally:
        for future in running:
            future.cancel()
    return run.result()


def preparations(pipeline: Pipeline) -> Iterator[Callable[[], object]]:
    """Yield what the tasks of a pipeline load, in their order, for `Workplace`; not what is loaded already."""
    for task in pipeline.tasks:
        if task.task_class not in _prepared:
            _prepared.add(task.task_class)
            yield task.task_class(task.resolved.config, label=task.label).prepare


_prepared: set[type] = set()
"""Classes whose code is loaded, or being loaded: it stays as long as the process."""


def _execute(
    task_class: type[PipelineTask[Any]],
    config: Config,
    place: Workplace,
    inputs: Mapping[str, object],
    sink: ProgressSink | None,
) -> TaskResult:
    """One quantum; at module level and with plain arguments, so that it can be sent to another process."""
    with nullcontext() if sink is None else reporting_to(sink), working(place):
        result = task_class(config, label=place.label).execute(inputs)
    release_memory()
    return result


class _Run:
    """The state of one call of `run_pipeline`."""

    def __init__(self, pipeline: Pipeline, inputs: Mapping[str, object], data_id: DataId, observer: Observer) -> None:
        self.waiting = list(pipeline.tasks)
        self._order = pipeline.labels
        self._makers = {dataset: task.label for dataset, (task, _) in producers(pipeline.tasks).items()}
        self._datasets = dict(inputs)
        self._data_id = data_id
        self._observer = observer
        self._started: dict[str, float] = {}
        self._reports: dict[str, QuantumReport] = {}
        self._errors: dict[str, Exception] = {}

    def take_ready(self) -> WiredTask | None:
        """Take the first task that can start; those before it whose inputs will never come are passed over."""
        for task in tuple(self.waiting):
            makers = {self._makers[item.dataset] for item in task.inputs if item.dataset in self._makers}
            if not makers <= set(self._reports):
                continue
            self.waiting.remove(task)
            lacking = [item for item in task.inputs if not item.optional and item.dataset not in self._datasets]
            if lacking:
                self._pass_over(task, lacking[0])
                continue
            self._started[task.label] = time.perf_counter()
            self._observer.task_started(task.label)
            return task
        return None

    def inputs_of(self, task: WiredTask) -> dict[str, object]:
        """Return what is there of a task's inputs, by the name of the connection."""
        return {item.name: self._datasets[item.dataset] for item in task.inputs if item.dataset in self._datasets}

    def progress_of(self, label: str, done: float, total: float | None, description: str) -> None:
        """Tell the observer how far a task is."""
        self._observer.progress(label, done, total, description)

    def finish(self, task: WiredTask, future: Future[TaskResult], *, strict: bool) -> None:
        """Keep what a task made, or why it did not."""
        error = future.exception()
        if error is None:
            self._keep(task, future.result())
            return
        if not isinstance(error, Exception):
            raise error
        no_work = isinstance(error, NoWorkFoundError)
        if strict and not no_work:
            raise failure(task.label, error) from error
        seconds = time.perf_counter() - self._started[task.label]
        outcome = Outcome.NO_WORK if no_work else Outcome.FAILED
        text = str(error) if no_work else f"{type(error).__name__}: {error}"
        if not no_work:
            self._errors[task.label] = error
            # Where what was given is at fault, its message says all; a trace would lead away from it.
            if not isinstance(error, InputError):
                _log.error("task '%s' failed", task.label, exc_info=error)
        self._report(QuantumReport(task.label, self._data_id, outcome, seconds, error=text))

    def result(self) -> RunResult:
        """Return datasets and reports, in the order of the pipeline."""
        return RunResult(self._datasets, tuple(self._reports[label] for label in self._order), self._errors)

    def _keep(self, task: WiredTask, result: TaskResult) -> None:
        for item in task.outputs:
            value = getattr(result.outputs, item.name)
            if value is not None:
                self._datasets[item.dataset] = value
        took = result.metadata
        numbers = (took.seconds, took.cpu_seconds, took.peak_memory_mb, took.counts)
        self._report(QuantumReport(task.label, self._data_id, result.outcome, *numbers))

    def _pass_over(self, task: WiredTask, lacking: Connection) -> None:
        maker = self._makers[lacking.dataset]
        outcome = self._reports[maker].outcome
        reasons = {Outcome.FAILED: "failed", Outcome.NO_WORK: "had no work"}
        text = (
            f"not run: '{maker}' {reasons.get(outcome, 'left it out')}, so the dataset '{lacking.dataset}' was not made"
        )
        passed_on = Outcome.FAILED if outcome is Outcome.FAILED else Outcome.NO_WORK
        self._report(QuantumReport(task.label, self._data_id, passed_on, error=text, passed_over=True))

    def _report(self, report: QuantumReport) -> None:
        self._reports[report.label] = report
        self._observer.task_finished(report)
