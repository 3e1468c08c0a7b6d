"""Who watches a run: a progress bar on a terminal, plain log lines in a pipe."""

import logging
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Protocol

from .outcome import Outcome

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from .report import QuantumReport

__all__ = ["LogObserver", "Observer", "SilentObserver", "TerminalObserver", "watching"]


class Observer(Protocol):
    """What a run tells while it goes on. All calls come from the thread that called `run_pipeline`."""

    def task_started(self, label: str) -> None:
        """Hear that a task starts."""

    def task_finished(self, report: "QuantumReport") -> None:
        """Hear that a task has finished, failed, or been passed over."""

    def progress(self, label: str, done: float, total: float | None, description: str) -> None:
        """Hear that a task has done ``done`` of ``total`` (None: not known) of what the description names."""


class SilentObserver:
    """Hears everything and says nothing."""

    def task_started(self, label: str) -> None:
        """Say nothing."""

    def task_finished(self, report: "QuantumReport") -> None:
        """Say nothing."""

    def progress(self, label: str, done: float, total: float | None, description: str) -> None:
        """Say nothing."""


@dataclass
class _Line:
    """When the last line on a loop was written, and how far it was then."""

    started: float
    written: float
    steps: int


class LogObserver:
    """Writes plain log lines: start and end of each task, and in between one every few seconds.

    Parameters
    ----------
    logger : logging.Logger
        Where to.
    every_seconds : float
        A line is due after this time,
    every_fraction : float
        or after this part of the whole, but then not before a tenth of ``every_seconds`` has gone by.
    clock : callable
        Seconds, for tests.
    """

    def __init__(
        self,
        logger: logging.Logger | None = None,
        *,
        every_seconds: float = 5.0,
        every_fraction: float = 0.1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = logger or logging.getLogger("meas_deblend.progress")
        self._every_seconds = every_seconds
        self._every_fraction = every_fraction
        self._clock = clock
        self._lines: dict[tuple[str, str], _Line] = {}

    def task_started(self, label: str) -> None:
        """Write that a task starts."""
        self._lines = {}
        self._log.info("%s: started", label)

    def task_finished(self, report: "QuantumReport") -> None:
        """Write outcome, time and counts of a task; what went wrong is a warning."""
        level = logging.INFO if report.outcome in (Outcome.OK, Outcome.NO_WORK) else logging.WARNING
        line = _closing_line(report)
        self._log.log(logging.DEBUG if line is None else level, "%s", line or report.summary())

    def progress(self, label: str, done: float, total: float | None, description: str) -> None:
        """Write a line when one is due."""
        now = self._clock()
        line = self._lines.setdefault((label, description), _Line(now, now, 0))
        # Whole steps, so that lines stand at 10 %, 20 % ...; 0.3 / 0.1 is a little less than 3.
        steps = math.floor(done / total / self._every_fraction + 1e-9) if total else 0
        waited = now - line.written
        far = steps > line.steps and waited >= self._every_seconds / 10
        if waited < self._every_seconds and not far:
            return
        line.written, line.steps = now, steps
        self._log.info("%s: %s", label, _progress_text(done, total, description, now - line.started))


class TerminalObserver:
    """Shows one bar per loop; made by `watching`.

    Parameters
    ----------
    bars : rich.progress.Progress
        Started and stopped by the caller.
    """

    def __init__(self, bars: "Progress") -> None:
        self._bars = bars
        self._ids: dict[tuple[str, str], TaskID] = {}

    def task_started(self, label: str) -> None:
        """Show that a task starts."""
        self._ids = {(label, ""): self._bars.add_task(label, total=None)}

    def task_finished(self, report: "QuantumReport") -> None:
        """Replace the task's bars by a line that stays."""
        for bar in self._ids.values():
            self._bars.remove_task(bar)
        self._ids = {}
        line = _closing_line(report)
        if line is not None:
            self._bars.console.print(line, markup=False, highlight=False)

    def progress(self, label: str, done: float, total: float | None, description: str) -> None:
        """Move a bar."""
        key = (label, description)
        if key not in self._ids:
            self._ids[key] = self._bars.add_task(f"{label} {description}".strip(), total=total)
        self._bars.update(self._ids[key], completed=done, total=total)


@contextmanager
def watching(stream: IO[str] | None = None) -> Iterator[Observer]:
    """Give the observer that suits a stream: bars on a terminal, log lines elsewhere.

    Parameters
    ----------
    stream : text stream, optional
        Where progress is shown; standard error when it is left out.

    Yields
    ------
    Observer
        For `run_pipeline`.
    """
    out = sys.stderr if stream is None else stream
    if not out.isatty():
        yield LogObserver()
        return
    # rich takes longer to import than the rest of the framework, and a pipe does not need it
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=out), transient=True) as bars:
        yield TerminalObserver(bars)


def _closing_line(report: "QuantumReport") -> str | None:
    """Return what is shown of a task at its end; None for nothing.

    Why a task failed is said once, and last, by whoever asked for the run: it is raised there. What was passed over
    because of it is no news.
    """
    if report.passed_over:
        return None
    return report.ending() if report.outcome is Outcome.FAILED else report.summary()


def _progress_text(done: float, total: float | None, description: str, seconds: float) -> str:
    what = f" {description}" if description else ""
    if not total:
        return f"{done:g}{what}, {seconds:.0f} s"
    left = f", about {seconds * (total - done) / done:.0f} s left" if done else ""
    return f"{100 * done / total:.0f} % ({done:g} of {total:g}{what}), {seconds:.0f} s{left}"
