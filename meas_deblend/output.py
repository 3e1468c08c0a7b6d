"""A run's folder: catalogs, models, settings, figures, and ``run.json`` as the last."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .framework import Loop, atomic_write, dump_yaml, map_units, versions
from .products import RunRecord, write_run_record, write_table
from .run_inputs import describe_inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from matplotlib.figure import Figure

    from .api import DeblendResult
    from .framework import Pipeline
    from .image import MultibandExposure, PlaneSpec

__all__ = ["RunContext", "prepare_figures", "write_run"]

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

    Files are written, and figures drawn, in as many processes as `framework.working` says.

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
    parts = [_table(result, name, folder) for name in _TABLES]
    if result.models is not None:
        cost = _PER_OBJECT * len(result.objects)
        parts.append(_Part((folder / "models.parquet",), result.models.write, cost))
    parts += _marks(result, folder)
    settings = tuple(folder / "config" / f"{task.label}.yaml" for task in result.pipeline.tasks)
    parts.append(_Part(settings, partial(_write_settings, result.pipeline)))
    if context.figures and result.models is not None and len(result.objects):
        from .pictures import figures_of  # noqa: PLC0415 - matplotlib takes its time

        parts += [
            _Part((folder / "figures" / name,), partial(_draw, draw), _FIGURE)
            for name, draw in figures_of(result, coadds)
        ]
    for each in {path.parent for part in parts for path in part.files}:
        each.mkdir(exist_ok=True)
    map_units(
        _write,
        parts,
        None,
        description="files",
        loop=Loop(cost=lambda part: part.cost, name=lambda part: part.files[0].name, ahead=False),
    )
    names = tuple(str(path.relative_to(folder)) for part in parts for path in part.files)
    record = _record(result, coadds, context, names)
    write_run_record(folder / "run.json", record)
    return record


def prepare_figures() -> None:
    """Load what draws figures: processes that are started later have it, and need not load it each."""
    from .report.style import new_figure  # noqa: PLC0415 - matplotlib takes its time

    new_figure(1.0, 1.0)


_PER_CELL, _PER_OBJECT, _PER_PIXEL, _FIGURE = 1e-7, 1.7e-4, 2.5e-8, 1.0
"""Seconds, about: of a number in a table, the model of an object, a pixel of a packed mask, a figure."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Files that are written together.

    Parameters
    ----------
    files : tuple of Path
    write : callable
        Takes the files.
    cost : float
        Seconds, about.
    """

    files: tuple[Path, ...]
    write: Callable[..., object]
    cost: float = 0.01


def _write(_: None, part: _Part) -> None:
    part.write(*part.files)


def _table(result: DeblendResult, name: str, folder: Path) -> _Part:
    table = getattr(result, name)
    cost = _PER_CELL * len(table) * len(table.columns)
    return _Part((folder / f"{name}.parquet",), partial(_write_table, result, name), cost)


def _draw(draw: Callable[[], Figure], path: Path) -> None:
    from .report import save_figure  # noqa: PLC0415 - matplotlib takes its time

    save_figure(draw(), path)


def _write_table(result: DeblendResult, name: str, path: Path) -> None:
    table = getattr(result, name)
    write_table(path, name, table, table.meta["layout"], versions())


def _marks(result: DeblendResult, folder: Path) -> list[_Part]:
    """Mask planes of the blends that are not what was asked for."""
    settings = [task.resolved.config for task in result.pipeline.tasks]
    names = [getattr(one, field, None) for field in ("degraded_mask", "not_deblended_mask") for one in settings]
    marked = result.marked_coadds
    planes = [] if marked is None else [name for name in dict.fromkeys(names) if name in marked.mask_planes.bits]
    if marked is None or not planes:
        return []
    from .image import write_mask  # noqa: PLC0415 - astropy takes its time

    shown = [name for name in planes if name is not None]
    cost = _PER_PIXEL * marked.box.area
    return [_Part((folder / "deblend_mask.fits.gz",), lambda path: write_mask(path, marked, shown), cost)]


def _write_settings(pipeline: Pipeline, *files: Path) -> None:
    for task, path in zip(pipeline.tasks, files, strict=True):
        with atomic_write(path, "w") as stream:
            stream.write(dump_yaml(task.resolved))


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
