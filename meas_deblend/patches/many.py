"""Runs many patches: what is to do, who does it, and what became of it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exceptions import InputError
from ..framework import versions
from ..image import load_survey
from ..products import (
    CatalogLayout,
    PatchIndex,
    to_table,
    write_patch_index,
    write_table,
)
from .beginning import begun, continued, index_of
from .executors import open_workers, work_through
from .job import MANIFESTS, PatchJob, PatchResult, RunSettings
from .lock import locked
from .one_patch import bury_patch, deblend_patch, remove_stages, stages_beneath
from .ownership import ownership_of
from .progress import forget_progress, is_worth_keeping
from .seams import OWNERSHIP_FILE, SeamCount, count_seams
from .status import read_results
from .where import FIELDS, parse_where

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .executors import Done
    from .inputs import PatchFiles

__all__ = ["ManyResult", "Running", "run_patches"]

_PATIENCE = 20.0
"""Seconds for what a worker that is gone has started to come to its end."""


@dataclass(frozen=True, slots=True)
class Running:
    """How patches are worked on; products do not depend on any of it.

    Parameters
    ----------
    jobs : int
        Number of processes.
    executor : str, optional
        "processes", "dask" or "dask://HOST:PORT"; default: this process for one job, else processes.
    resume : bool
        Go on with a run that was stopped: patches that are done are left as they are, and of others the parents that
        were done are not done again.
    rerun : str, optional
        Go on, and do the patches again of which a quantum fulfils this condition (`where.parse_where`).
    fail_fast : bool
        Start no more patches once one has failed.
    overwrite : bool
        Whether products of an earlier run may be replaced.
    """

    jobs: int = 1
    executor: str | None = None
    resume: bool = False
    rerun: str | None = None
    fail_fast: bool = False
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class ManyResult:
    """What became of a run of many patches.

    Parameters
    ----------
    folder : Path
    results : tuple of PatchResult
        By tract and number; those of earlier starts too.
    not_done : tuple of str
        Names of the patches that were not started, or whose outcome could not be written.
    objects : int
        Objects of all patches.
    seams : SeamCount
        How many of them are owned, and how many of these have a parent that is cut at a seam.
    """

    folder: Path
    results: tuple[PatchResult, ...]
    not_done: tuple[str, ...]
    objects: int
    seams: SeamCount

    @property
    def failed(self) -> tuple[PatchResult, ...]:
        """Patches that failed."""
        return tuple(result for result in self.results if result.failed)


def run_patches(
    patches: Sequence[PatchFiles],
    folder: Path,
    settings: RunSettings,
    running: Running | None = None,
    tell: Callable[[PatchResult, int, int], None] | None = None,
) -> ManyResult:
    """Deblend patches, each into a folder of its own, laid out as that of a run on one patch.

    One patch that fails costs nobody else anything. When all are through, tables of all patches are written: who owns
    which object, and what became of each quantum.

    Parameters
    ----------
    patches : sequence of PatchFiles
        From `inputs.read_patches`.
    folder : Path
        Of the run; that of a patch is ``TRACT/PATCH`` beneath.
    settings : RunSettings
    running : Running, optional
        Default: one after the other in this process.
    tell : callable, optional
        Called with the result of each patch that was worked on, how many are done, and how many there are to do.

    Returns
    -------
    ManyResult

    Raises
    ------
    InputError
        If the folder is in use, another run writes to it, it is that of a run with other settings, versions or files
        (the message says what differs), or the options cannot be used.
    ConfigError, PipelineError
        If settings or pipeline cannot be used.
    OSError
        If the tables of all patches cannot be written.
    """
    how = running or Running()
    condition = None if how.rerun is None else parse_where(how.rerun)
    go_on = how.resume or condition is not None
    index = index_of(patches, settings)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: this is a file; a folder is needed for the output")
    with open_workers(how.executor, how.jobs) as workers:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            index = continued(folder, index) if go_on else begun(folder, index, how.overwrite)
            write_patch_index(folder, index)
            for stages in stages_beneath(folder).values():
                for stage in stages:
                    shutil.rmtree(stage, ignore_errors=True)
            before = read_results(folder, index)
            for one in before.values():
                if not is_worth_keeping(one):
                    forget_progress(folder / one.entry.folder)
            jobs = _jobs(folder, index, before, settings, condition)
            made: list[PatchResult] = []

            def wanted() -> bool:
                """Tell whether more patches are to be started."""
                return not (how.fail_fast and any(one.failed for one in made))

            for done in work_through(deblend_patch, jobs, workers, wanted):
                made.append(_settled(done))
                if tell is not None:
                    tell(made[-1], len(made), len(jobs))
            for one in made:
                if not is_worth_keeping(one):
                    # A cluster's worker that was given up may have had it when its patch was done elsewhere.
                    forget_progress(folder / one.entry.folder, _PATIENCE)
            return _finished(folder, index, before | {one.entry.name: one for one in made})


def _jobs(
    folder: Path,
    index: PatchIndex,
    before: dict[str, PatchResult],
    settings: RunSettings,
    condition: Callable[[Any], bool] | None,
) -> list[PatchJob]:
    """Patches that are to do; those of earlier starts that are done again are taken out of ``before``."""
    for name, result in list(before.items()):
        if condition is not None and any(condition(_row(manifest)) for manifest in result.manifests):
            before.pop(name)
    earlier = read_results(folder, index)
    attempts = {name: max(manifest.attempt for manifest in result.manifests) for name, result in earlier.items()}
    root = str(folder.absolute())
    return [
        PatchJob(root, entry, settings, attempts.get(entry.name, 0) + 1)
        for entry in index.patches
        if entry.name not in before
    ]


def _row(manifest: Any) -> dict[str, Any]:
    return {name: getattr(manifest, name) for name in FIELDS}


def _settled(done: Done[PatchJob, PatchResult]) -> PatchResult:
    """Return what became of a patch, also of one whose process is gone."""
    if done.result is not None:
        remove_stages(done.job.folder)
        result = done.result
    else:
        result = bury_patch(done.job, done.error or RuntimeError("it ended without a result"))
    if not is_worth_keeping(result):
        forget_progress(done.job.folder)
    return result


def _finished(folder: Path, index: PatchIndex, results: dict[str, PatchResult]) -> ManyResult:
    """Write the tables of all patches."""
    bands = tuple(dict.fromkeys(band for entry in index.patches for band in entry.inputs))
    bands = load_survey(index.read_options["survey"]).sort_bands(bands)  # type: ignore[arg-type] # a text
    ordered = [results[entry.name] for entry in index.patches if entry.name in results]
    frames = [(one.entry, one.manifests[0].frame) for one in ordered]
    ownership = ownership_of(folder, [(entry, frame) for entry, frame in frames if frame is not None], bands)
    layout = CatalogLayout(bands)
    columns = {name: [getattr(m, name) for one in ordered for m in one.manifests] for name in _quanta_columns()}
    write_table(folder / OWNERSHIP_FILE, "ownership", ownership, layout, versions())
    write_table(folder / "quanta.parquet", "quanta", to_table("quanta", columns, layout), layout, versions())
    not_done = [entry.name for entry in index.patches if not (folder / entry.folder / MANIFESTS).is_dir()]
    return ManyResult(folder, tuple(ordered), tuple(not_done), len(ownership), count_seams(ownership))


def _quanta_columns() -> tuple[str, ...]:
    return ("tract", "patch", "label", "outcome", "reason", "error", "seconds", "cpu_seconds", "peak_memory_mb",
            "attempt")  # fmt: skip
