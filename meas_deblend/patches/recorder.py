"""Writes the manifests of a patch while it is worked on: one per quantum, as each ends."""

from __future__ import annotations

import errno
import logging
import os
import socket
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .._interrupt import raise_interrupt
from .._resident import peak_memory_mb
from ..exceptions import ConfigError, InputError, InputWarning, NoWorkFoundError, WorkerDiedError
from ..framework import Outcome, versions
from ..products import QuantumManifest, write_manifest
from .job import LOG, MANIFESTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ..framework import QuantumReport
    from ..products import Frame, PatchEntry

__all__ = ["QuantumFailedError", "Recorder", "kept_log", "reason_of"]

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_BY_TYPE: dict[type[BaseException], str] = {
    NoWorkFoundError: "no_work",
    InputError: "bad_input",
    ConfigError: "bad_config",
    WorkerDiedError: "worker_died",
    MemoryError: "out_of_memory",
}
_BY_OUTCOME = {Outcome.OK: "ok", Outcome.DEGRADED: "degraded", Outcome.PARTIAL: "partial", Outcome.NO_WORK: "no_work"}


class QuantumFailedError(Exception):
    """A quantum failed, and its manifest says why."""


def reason_of(error: BaseException) -> str:
    """Return the word of `products.QUANTUM_REASONS` for what was raised."""
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return "disk_full"
    return next((reason for kind, reason in _BY_TYPE.items() if isinstance(error, kind)), "error")


def _reason_of_report(report: QuantumReport) -> str:
    """Reason of a task: its report has the error as text, with the type's name in front."""
    if report.passed_over:
        return "not_run"
    if report.outcome is not Outcome.FAILED:
        return _BY_OUTCOME[report.outcome]
    text = report.error or ""
    names = {kind.__name__: reason for kind, reason in _BY_TYPE.items()}
    if text.startswith("OSError: ") and any(f"[Errno {number}]" in text for number in _NO_ROOM):
        return "disk_full"
    return names.get(text.partition(":")[0], "error")


@contextmanager
def kept_log(folder: Path) -> Iterator[list[str]]:
    """Send what the package logs, and what it warns of, to a file and a list inside the block.

    Parameters
    ----------
    folder : Path
        The file ``log.txt`` is written there.

    Yields
    ------
    list of str
        Grows as lines come.
    """
    log = logging.getLogger("meas_deblend")
    before = log.handlers, log.level, log.propagate
    handler = _Keeper(folder / LOG)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    log.handlers, log.propagate = [handler], False
    log.setLevel(logging.INFO)

    def _log(message: Warning | str, *_: object, **__: object) -> None:
        for line in str(message).splitlines():
            logging.getLogger("meas_deblend.warnings").warning("%s", line)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", InputWarning)
            warnings.showwarning = _log
            yield handler.lines
    finally:
        log.handlers, log.level, log.propagate = before
        handler.close()


class _Keeper(logging.FileHandler):
    """Writes to a file, and keeps the lines."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8", delay=True)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record; a disk that is full must not stop what is logged of it."""
        self.lines.append(self.format(record))
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - its name in the standard library
        """Say nothing: the line is kept in memory."""


@dataclass(slots=True, eq=False)
class Recorder:
    """Observer of `framework.run_pipeline` that writes a manifest when a task has finished.

    Parameters
    ----------
    entry : PatchEntry
        Data ID.
    folder : Path
        Of the patch; manifests go to ``manifest`` beneath.
    lines : list of str
        The log, which grows.
    hashes : mapping of str to str
        Digest of the settings by label.
    classes : mapping of str to str
        Class by label.
    attempt : int
    """

    entry: PatchEntry
    folder: Path
    lines: list[str]
    hashes: Mapping[str, str]
    classes: Mapping[str, str]
    attempt: int
    inputs: dict[str, str] = field(default_factory=dict)
    manifests: list[QuantumManifest] = field(default_factory=list)
    _told: int = 0

    def task_started(self, label: str) -> None:
        """Nothing: what is running is what has no manifest yet."""

    def progress(self, label: str, done: float, total: float | None, description: str) -> None:
        """Nothing: the log has no room for every parent of every patch."""

    def task_finished(self, report: QuantumReport) -> None:
        """Write the manifest of a task."""
        log = logging.getLogger("meas_deblend.progress")
        # One error is one warning: what is not run because of it is no other.
        quiet = report.outcome is Outcome.OK or report.passed_over
        log.log(logging.INFO if quiet else logging.WARNING, "%s", report.summary())
        self.write(
            report.label,
            report.outcome,
            _reason_of_report(report),
            report.error or "",
            seconds=report.seconds,
            cpu_seconds=report.cpu_seconds,
            counts=report.counts,
        )

    @property
    def failed(self) -> bool:
        """Whether a quantum has failed."""
        return any(manifest.outcome == Outcome.FAILED for manifest in self.manifests)

    @contextmanager
    def quantum(self, label: str) -> Iterator[dict[str, Any]]:
        """Write a manifest of what is done in the block, of its error too.

        Yields
        ------
        dict
            Fields of the manifest that the block may add: ``counts``, ``frame``.

        Raises
        ------
        QuantumFailedError
            Instead of any error of the block.
        """
        start, cpu_start = time.perf_counter(), time.process_time()
        about: dict[str, Any] = {}
        try:
            yield about
        except Exception as error:
            raise_interrupt(error)
            self.fail(label, error, time.perf_counter() - start, time.process_time() - cpu_start)
            raise QuantumFailedError from error
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
        self.write(label, Outcome.OK, "ok", seconds=seconds, cpu_seconds=cpu_seconds, **about)

    def fail(self, label: str, error: BaseException, seconds: float = 0.0, cpu_seconds: float = 0.0) -> None:
        """Write that a quantum raised an error: no work, or a failure."""
        reason = reason_of(error)
        outcome = Outcome.NO_WORK if reason == "no_work" else Outcome.FAILED
        text = str(error) if reason in ("no_work", "bad_input", "bad_config") else f"{type(error).__name__}: {error}"
        trace = None if reason in ("no_work", "bad_input", "bad_config", "disk_full") else error
        logging.getLogger("meas_deblend.patches").error("%s: %s", label, text, exc_info=trace)
        self.write(label, outcome, reason, text, seconds=seconds, cpu_seconds=cpu_seconds)

    def write(
        self,
        label: str,
        outcome: Outcome,
        reason: str,
        error: str = "",
        *,
        seconds: float = 0.0,
        cpu_seconds: float = 0.0,
        counts: Mapping[str, int] | None = None,
        frame: Frame | None = None,
    ) -> None:
        """Write a manifest, and keep it."""
        lines, self._told = tuple(self.lines[self._told :]), len(self.lines)
        manifest = QuantumManifest(
            label=label,
            task_class=self.classes.get(label, ""),
            tract=self.entry.tract,
            patch=self.entry.patch,
            config_hash=self.hashes[label],
            inputs=self.inputs,
            versions=versions(),
            ended=datetime.now(UTC),
            host=socket.gethostname(),
            process=os.getpid(),
            attempt=self.attempt,
            outcome=outcome.value,
            reason=reason,
            error=error,
            seconds=seconds,
            cpu_seconds=max(0.0, cpu_seconds),
            peak_memory_mb=peak_memory_mb(),
            counts=dict(counts or {}),
            frame=frame,
            log=lines,
        )
        self.manifests.append(manifest)
        try:
            write_manifest(self.folder / MANIFESTS, manifest)
        except OSError as failure:
            # It is kept in memory, and written again when the patch is complete: see `write_missing`.
            logging.getLogger("meas_deblend.patches").warning("the manifest of %s was not written: %s", label, failure)

    def write_missing(self) -> None:
        """Write the manifests that could not be written.

        Raises
        ------
        OSError
            If they still cannot.
        """
        for manifest in self.manifests:
            if not (self.folder / MANIFESTS / f"{manifest.label}.json").is_file():
                write_manifest(self.folder / MANIFESTS, manifest)
