"""A run's folder: catalogs, models, settings, figures, and ``run.json`` as the last."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .framework import atomic_write, dump_yaml, versions
from .products import RunRecord, write_run_record, write_table
from .run_inputs import describe_inputs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .api import DeblendResult
    from .framework import Pipeline
    from .image import MultibandExposure, PlaneSpec

__all__ = ["RunContext", "write_run"]

_TABLES = (
    *("objects", "parents", "ledger", "patch_ledger", "flux_covariance", "noise_correlation", "merged_peaks"),
    "timings",
)


@dataclass(frozen=True, slots=True)
class RunContext:
    """What a run's folder says of how it came about.

    Parameters
    ----------
    command : tuple of str
        The command line; empty for a run from Python.
    planes : mapping of str to PlaneSpec
        Files that were read, by band; empty for arrays that came from no file.
    read_options : mapping of str to JSON value
        Keyword arguments of `read_coadds` by which the same exposure is read again.
    figures : bool
        Whether figures are drawn.
    """

    command: tuple[str, ...] = ()
    planes: Mapping[str, PlaneSpec] = field(default_factory=dict)
    read_options: Mapping[str, Any] = field(default_factory=dict)
    figures: bool = True


def write_run(result: DeblendResult, coadds: MultibandExposure, folder: Path, context: RunContext) -> RunRecord:
    """Write everything that a run leaves behind; each file appears whole or not at all, ``run.json`` last.

    Parameters
    ----------
    result : DeblendResult
    coadds : MultibandExposure
        What was deblended.
    folder : Path
        Exists, and holds nothing that must be kept (`framework.prepare_output`).
    context : RunContext

    Returns
    -------
    RunRecord
        Content of ``run.json``.
    """
    files = [_write_table(result, name, folder) for name in _TABLES]
    if result.models is not None:
        files.append(folder / "models.parquet")
        result.models.write(files[-1])
    files += _write_marks(result, folder)
    files += _write_settings(result.pipeline, folder / "config")
    if context.figures and result.models is not None and len(result.objects):
        from .pictures import write_figures  # noqa: PLC0415 - matplotlib takes its time

        files += write_figures(result, coadds, folder / "figures")
    names = tuple(str(path.relative_to(folder)) for path in files)
    record = _record(result, coadds, context, names)
    write_run_record(folder / "run.json", record)
    return record


def _write_table(result: DeblendResult, name: str, folder: Path) -> Path:
    table = getattr(result, name)
    path = folder / f"{name}.parquet"
    write_table(path, name, table, table.meta["layout"], versions())
    return path


def _write_marks(result: DeblendResult, folder: Path) -> list[Path]:
    """Mask planes of the blends that are not what was asked for."""
    settings = [task.resolved.config for task in result.pipeline.tasks]
    names = [getattr(one, field, None) for field in ("degraded_mask", "not_deblended_mask") for one in settings]
    marked = result.marked_coadds
    planes = [] if marked is None else [name for name in dict.fromkeys(names) if name in marked.mask_planes.bits]
    if marked is None or not planes:
        return []
    from .image import write_mask  # noqa: PLC0415 - astropy takes its time

    return [write_mask(folder / "deblend_mask.fits.gz", marked, [name for name in planes if name is not None])]


def _write_settings(pipeline: Pipeline, folder: Path) -> list[Path]:
    folder.mkdir(exist_ok=True)
    files = []
    for task in pipeline.tasks:
        files.append(folder / f"{task.label}.yaml")
        with atomic_write(files[-1], "w") as stream:
            stream.write(dump_yaml(task.resolved))
    return files


def _record(result: DeblendResult, coadds: MultibandExposure, context: RunContext, names: tuple[str, ...]) -> RunRecord:
    files = describe_inputs(coadds, context.planes, context.read_options)
    outcomes = [str(value) for value in result.parents["deblend_outcome"]]
    counts = {
        "parents": len(result.parents),
        "objects": len(result.objects),
        "isolated": int((result.objects["parentObjectId"] == 0).sum()),
        **{outcome: outcomes.count(outcome) for outcome in ("ok", "degraded", "failed")},
    }
    return RunRecord(
        created=datetime.now(UTC),
        command=context.command,
        versions=versions(),
        inputs=files.inputs,
        read_options=files.read_options,
        checksums=files.checksums,
        outcome=result.outcome.value,
        counts=counts,
        config="config",
        files=names,
    )
