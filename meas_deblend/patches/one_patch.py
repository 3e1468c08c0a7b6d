"""Deblends one patch of a run of many: in a folder of its own, which takes its place when it is complete."""

from __future__ import annotations

import logging
import shutil
import uuid
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from .._interrupt import raise_interrupt
from ..api import deblend
from ..exceptions import InputError
from ..framework import layer_from_dict, load_pipeline
from ..image import plane_spec, read_coadds
from ..output import RunContext, write_run
from ..products import Frame, read_manifests
from ..run_identity import settings_identity
from ..run_inputs import describe_inputs
from .child import Child, in_main_thread
from .inputs import options_for
from .job import LOG, MANIFESTS, PatchResult
from .progress import kept_progress
from .recorder import QuantumFailedError, Recorder, kept_log

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..api import DeblendResult
    from ..framework import Layer, Pipeline
    from ..image import MultibandExposure
    from .job import PatchJob, RunSettings

__all__ = ["bury_patch", "deblend_patch", "labels_of", "remove_stages", "stages_beneath", "stages_of"]

_READ, _WRITE = "read", "write"
_DATA_ID = ("tract", "patch")

_child = Child()


def deblend_patch(job: PatchJob) -> PatchResult:
    """Read, deblend, measure and write a patch; it can be called again, in any process, at any time.

    What is wrong with the patch is in the manifests, not raised. Products and manifests are written to a folder
    beside, which takes the place of the patch's at once: what is there is complete. Parents that an earlier call had
    done when its process ended are not done again.

    Parameters
    ----------
    job : PatchJob

    Returns
    -------
    PatchResult
        Also where nothing could be written, because the disk is full.

    Raises
    ------
    WorkerDiedError
        In a worker that is a thread: if the process that it keeps for this was ended.
    """
    if not in_main_thread():
        result: PatchResult = _child.call(deblend_patch, job)
        return result
    stage = job.folder.with_name(f".{job.folder.name}.{uuid.uuid4().hex[:8]}.tmp")
    stage.mkdir(parents=True)
    with kept_log(stage) as lines, kept_progress(job.folder) as checkpoint:
        pipeline = _pipeline(job.settings)
        recorder = _recorder(job, pipeline, stage, lines)
        try:
            _deblend(job, _layers(job, pipeline), recorder, checkpoint)
        except QuantumFailedError:
            _remove_products(stage)
    _publish(stage, job.folder, recorder)
    return PatchResult(job.entry, tuple(recorder.manifests))


def labels_of(pipeline: Pipeline) -> tuple[str, ...]:
    """Labels of the quanta of a patch: reading, the tasks, writing."""
    return (_READ, *pipeline.labels, _WRITE)


def bury_patch(job: PatchJob, error: Exception) -> PatchResult:
    """Record that a patch ended with its process: what it was at has failed, what it had done is told.

    Parameters
    ----------
    job : PatchJob
        Its workers are gone.
    error : Exception
        What is known of it.
    """
    pipeline = _pipeline(job.settings)
    labels = labels_of(pipeline)
    left = {stage: read_manifests(stage / MANIFESTS, labels) for stage in stages_of(job.folder)}
    stage = max(left, key=lambda one: len(left[one]), default=job.folder.with_name(f".{job.folder.name}.died.tmp"))
    stage.mkdir(parents=True, exist_ok=True)
    _remove_products(stage)
    with kept_log(stage) as lines:
        recorder = _recorder(job, pipeline, stage, lines)
        recorder.manifests += left.get(stage, ())
        recorder.inputs = recorder.manifests[-1].inputs if recorder.manifests else {}
        done = {manifest.label for manifest in recorder.manifests}
        recorder.fail(next(label for label in labels if label not in done), error)
    _publish(stage, job.folder, recorder)
    remove_stages(job.folder)
    return PatchResult(job.entry, tuple(recorder.manifests))


def stages_of(folder: Path) -> list[Path]:
    """Folders beside a patch's in which it is being worked on, or was when a process ended."""
    return sorted(path for path in folder.parent.glob(f".{folder.name}.*.tmp") if path.is_dir())


def stages_beneath(root: Path) -> dict[Path, list[Path]]:
    """All such folders of a run, by that of their patch: one look at the disk for thousands of patches."""
    found: dict[Path, list[Path]] = {}
    for stage in sorted(root.glob("*/.*.tmp")):
        found.setdefault(stage.with_name(stage.name[1:].rsplit(".", 2)[0]), []).append(stage)
    return found


def remove_stages(folder: Path) -> None:
    """Remove what is left of attempts at a patch that nobody works on."""
    for stage in stages_of(folder):
        shutil.rmtree(stage, ignore_errors=True)


def _deblend(job: PatchJob, layers: Sequence[Layer], recorder: Recorder, checkpoint: Path | None) -> None:
    """Write products and manifests of a patch.

    Raises
    ------
    QuantumFailedError
        If anything failed.
    """
    settings, given = job.settings, {band: plane_spec(planes) for band, planes in job.entry.inputs.items()}
    options = options_for(given, settings.read_options)
    with recorder.quantum(_READ) as about:
        coadds = read_coadds(given, **options)
        files = describe_inputs(coadds, given, options)
        recorder.inputs = {one.path: one.sha256 for one in files.inputs} | files.checksums
        about["frame"] = _frame(coadds)
    through = partial(
        deblend, coadds, options["survey"], layers, pipeline=settings.pipeline, observer=recorder, checkpoint=checkpoint
    )
    try:
        result = _gone_on_with(through, checkpoint)
    except Exception as error:
        raise_interrupt(error)
        if not recorder.failed:
            # Before the first task, or between two: the next one is what did not run.
            done = {manifest.label for manifest in recorder.manifests}
            recorder.fail(next(label for label in recorder.hashes if label not in done), error)
        raise QuantumFailedError from error
    with recorder.quantum(_WRITE) as about:
        context = RunContext(settings.command, given, options, figures=settings.figures)
        about["counts"] = write_run(result, coadds, recorder.folder, context).counts


def _gone_on_with(through: Callable[..., DeblendResult], checkpoint: Path | None) -> DeblendResult:
    """Go on with what is kept; begin anew where it was made of other pixels, or cannot be read."""
    if checkpoint is None or not checkpoint.exists():
        return through()
    log = logging.getLogger("meas_deblend.patches")
    try:
        log.info("going on with what an earlier attempt has done")
        return through(resume=True)
    except InputError as error:
        log.warning("begun anew: what an earlier attempt has done cannot be used (%s)", error)
        return through()


def _frame(coadds: MultibandExposure) -> Frame:
    wcs = "" if coadds.wcs is None else coadds.wcs.to_header_string(relax=True)
    return Frame(shape=coadds.box.shape, wcs=wcs)


def _pipeline(settings: RunSettings) -> Pipeline:
    return load_pipeline(settings.pipeline, survey=settings.read_options["survey"], layers=settings.layers)


def _layers(job: PatchJob, pipeline: Pipeline) -> tuple[Layer, ...]:
    """Add the data ID to the settings, in every task that has fields for it."""
    values = {"tract": job.entry.tract, "patch": job.entry.number}
    asking = [task.label for task in pipeline.tasks if set(_DATA_ID) <= set(type(task.resolved.config).model_fields)]
    return (*job.settings.layers, layer_from_dict({label: dict(values) for label in asking}, "data ID"))


def _recorder(job: PatchJob, pipeline: Pipeline, stage: Path, lines: list[str]) -> Recorder:
    settings = job.settings
    identity = settings_identity(pipeline)
    hashes = {_READ: _digest([str(sorted(settings.read_options.items(), key=str))])}
    for label in pipeline.labels:
        own = (f"class of {label}", f"setting {label}:")
        hashes[label] = _digest([f"{name} = {value}" for name, value in identity.items() if name.startswith(own)])
    hashes[_WRITE] = _digest([f"figures = {settings.figures}"])
    classes = {task.label: identity[f"class of {task.label}"] for task in pipeline.tasks}
    return Recorder(job.entry, stage, lines, hashes, classes, job.attempt)


def _digest(lines: Sequence[str]) -> str:
    return blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()


def _remove_products(stage: Path) -> None:
    """Leave only manifests and log: nothing of a patch that failed may be taken for a product."""
    for path in stage.iterdir():
        if path.name in (MANIFESTS, LOG):
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _publish(stage: Path, folder: Path, recorder: Recorder) -> None:
    """Let the folder take its place; one of an earlier attempt is gone before, so that none is a mixture.

    Where the manifests cannot be written, nothing is left: the patch counts as not done.
    """
    try:
        recorder.write_missing()
    except OSError as error:
        if not recorder.failed:
            recorder.manifests.pop()
            recorder.fail(_WRITE, error)
        shutil.rmtree(stage)
        return
    if folder.exists():
        old = folder.with_name(f".{folder.name}.old.tmp")
        folder.rename(old)
        stage.rename(folder)
        shutil.rmtree(old)
    else:
        stage.rename(folder)
