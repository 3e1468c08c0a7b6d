"""The doors of the package for Python: read coadds, deblend them, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arguments import datasets_of, layers_of, selection_of
from .framework import (
    Checkpoint,
    Loop,
    Observer,
    Outcome,
    Pipeline,
    QuantumReport,
    Workplace,
    load_pipeline,
    map_units,
    run_pipeline,
    working,
)
from .run_identity import run_identity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .access import Models
    from .apportion import Apportioned
    from .arguments import Settings
    from .detect import Edits
    from .geometry import Box
    from .image import MultibandExposure
    from .models import ParentModel
    from .products import CatalogLayout

__all__ = ["DeblendResult", "deblend", "prepare_result"]

_MADE = ("objects", "parents", "ledger", "patch_ledger", "flux_covariance", "noise_correlation", "merged_peaks")


@dataclass(frozen=True)
class DeblendResult:
    """What `deblend` returns.

    Parameters
    ----------
    objects, parents, ledger, patch_ledger, flux_covariance, noise_correlation, merged_peaks, timings : Table
        Catalogs (astropy) with units; their columns are described in the reference.
    models : access.Models
        Every model: ``.source(id)``, ``.blend(id)``, ``.write(path)``.
    parent_models : tuple of ParentModel
        The models by parent, as the deblender returned them.
    children : sequence of Apportioned
        Per parent the re-apportioned pixels that were measured; they are made anew when they are asked for.
    pipeline : Pipeline
        What ran, with the resolved settings.
    reports : tuple of QuantumReport
        What became of each step.
    marked_coadds : MultibandExposure or None
        The coadds with mask planes on the pixels of blends that are not what was asked for; None where the deblender
        marks none.
    """

    objects: Any
    parents: Any
    ledger: Any
    patch_ledger: Any
    flux_covariance: Any
    noise_correlation: Any
    merged_peaks: Any
    timings: Any
    models: Models | None
    parent_models: tuple[ParentModel, ...]
    children: Sequence[Apportioned]
    pipeline: Pipeline
    reports: tuple[QuantumReport, ...]
    marked_coadds: MultibandExposure | None = None

    @property
    def outcome(self) -> Outcome:
        """The worst outcome of a step."""
        order = (Outcome.FAILED, Outcome.NO_WORK, Outcome.PARTIAL, Outcome.DEGRADED)
        found = {report.outcome for report in self.reports}
        return next((outcome for outcome in order if outcome in found), Outcome.OK)

    @property
    def reason(self) -> str:
        """Why there are no objects, where there are none; else empty."""
        return next((r.error for r in self.reports if r.outcome is Outcome.NO_WORK and r.error), "")


def deblend(
    coadds: MultibandExposure,
    survey: str | Path = "generic",
    config: Settings | Sequence[Settings] | None = None,
    sources: Any = None,
    *,
    pipeline: str | Path = "multiband",
    frame: str | None = None,
    only: int | Iterable[int] = (),
    bbox: str | Box | None = None,
    edits: str | Path | Edits | None = None,
    observer: Observer | None = None,
    jobs: int = 1,
    checkpoint: str | Path | None = None,
    resume: bool = False,
) -> DeblendResult:
    """Detect, deblend and measure everything on a set of coadds.

    Parameters
    ----------
    coadds : MultibandExposure
        From `read_coadds`, or made from arrays.
    survey : str or Path
        Whose overrides of settings apply: a shipped survey, or a folder.
    config : mapping, path, or a sequence of them, optional
        Settings by label, e.g. ``{"multi_band": {"fit": {"max_iter": 50}}}``, or YAML files of such; later ones
        win.
    sources : table or path, optional
        Positions to deblend instead of detected peaks: columns ``x y`` (pixels, 0-based) or ``ra dec`` (degrees).
    pipeline : str or Path
        Definition, by name or as a file.
    frame : str, optional
        Frame of ``ra dec``; default: ICRS.
    only : int or iterable of int
        Identifiers of the parents to deblend, as they stand in ``parents``; default: all. The others are detected too
        and keep their rows, with the reason ``not_selected``: identifiers, models and measurements of those that are
        deblended are those of a run on everything.
    bbox : str or Box, optional
        Deblend only parents with a pixel in this box: ``"X0:X1,Y0:Y1"`` in pixels, 0-based, X1 and Y1 not included, or
        a `geometry.Box`. With ``only``, both must hold.
    edits : path or Edits, optional
        What is changed by hand between detection and deblending; see `edit_file.read_edits` for the file.
    observer : Observer, optional
        Is told of progress.
    jobs : int
        Number of processes; results are the same for any.
    checkpoint : path, optional
        Folder in which finished parents are kept while the run goes on; it stays until the caller removes it. What is
        in it is lost unless the run is resumed.
    resume : bool
        Whether to go on with the parents of the checkpoint, if there is one.

    Returns
    -------
    DeblendResult
        With empty catalogs, and `DeblendResult.reason`, where there was nothing to detect.

    Raises
    ------
    InputError
        If the sources cannot be used, there is no parent of an identifier in ``only``, no parent is selected, there
        cannot be so many processes, or the checkpoint is that of other inputs, settings or versions; the message names
        what differs.
    ConfigError
        If a setting is unknown or out of range; the message says where it was set.
    PipelineError
        If a step failed; single parents that fail do not raise, they are flagged.
    """
    loaded = load_pipeline(pipeline, survey=survey, layers=layers_of(config))
    inputs = datasets_of(coadds, sources, frame, selection_of(only, bbox), edits)
    kept = None
    if checkpoint is not None:
        given: tuple[Any, Any, Any] = (inputs.get("source_list"), inputs.get("selection"), inputs.get("edits"))
        with working(Workplace(jobs)):
            identity = run_identity(coadds, loaded, *given, each=partial(map_units, loop=Loop(ahead=False)))
        kept = Checkpoint.open(Path(checkpoint), identity, resume=resume)
    result = run_pipeline(loaded, inputs, observer=observer, workplace=Workplace(jobs, kept))
    result.raise_failures()
    return _collect(coadds, loaded, result.datasets, result.reports)


def prepare_result() -> None:
    """Load what `deblend` returns its result in: a run does it while processes are at work."""
    from . import access  # noqa: PLC0415 - loads the numerics

    access.Models  # noqa: B018 - loaded when it is asked for


def _collect(
    coadds: MultibandExposure, pipeline: Pipeline, datasets: Mapping[str, Any], reports: tuple[QuantumReport, ...]
) -> DeblendResult:
    from .access import Models  # noqa: PLC0415 - loads the numerics

    layout = _layout(coadds, pipeline, datasets)
    tables = {name: datasets.get(name, None) for name in _MADE}
    tables = {name: _empty(name, layout) if table is None else table for name, table in tables.items()}
    store = datasets.get("models")
    return DeblendResult(
        **tables,
        timings=_timings(reports, layout),
        models=None if store is None else Models(store),
        parent_models=tuple(datasets.get("parent_models", ())),
        children=datasets.get("children", ()),
        pipeline=pipeline,
        reports=reports,
        marked_coadds=datasets.get("marked_coadds"),
    )


def _layout(coadds: MultibandExposure, pipeline: Pipeline, datasets: Mapping[str, Any]) -> CatalogLayout:
    """Layout of the catalogs: that of the objects, or what it would have been had there been any."""
    from .products import CatalogLayout  # noqa: PLC0415

    made = datasets.get("objects")
    if made is not None:
        layout: CatalogLayout = made.meta["layout"]
        return layout
    measurements = (getattr(task.resolved.config, "measurement", None) for task in pipeline.tasks)
    radii = next((m.aperture_radii for m in measurements if m is not None), ())
    return CatalogLayout.of_bands(coadds.bands, coadds.zeropoints, radii, coadds.units)


def _empty(name: str, layout: CatalogLayout) -> Any:
    from .products import declaration, to_table  # noqa: PLC0415

    return to_table(name, {column.name: [] for column in declaration(name).unfold(layout)}, layout)


def _timings(reports: Sequence[QuantumReport], layout: CatalogLayout) -> Any:
    from .products import to_table  # noqa: PLC0415

    columns = {
        "label": [report.label for report in reports],
        "seconds": [report.seconds for report in reports],
        "cpu_seconds": [report.cpu_seconds for report in reports],
        "peak_memory_mb": [report.peak_memory_mb for report in reports],
    }
    return to_table("timings", columns, layout)
