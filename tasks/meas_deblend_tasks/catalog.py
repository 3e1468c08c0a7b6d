"""From models and measurements to the columns of the catalogs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from meas_deblend.models import BlendModel, ParentModel, SourceModel, model_flux
from meas_deblend.products import OBJECT_FLAGS, REASON_FLAGS, REASONS, RUNGS, CatalogLayout, declaration, flux_factor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meas_deblend.apportion import Child, LedgerRow
    from meas_deblend.image import MultibandExposure

__all__ = ["CatalogInputs", "Row", "ledger_columns", "object_rows", "parent_row", "rows_of"]

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class CatalogInputs:
    """What the rows of one parent are made from.

    Parameters
    ----------
    model : ParentModel
        The deblended parent.
    footprint_bands : tuple of str
        Bands that detected something in the parent.
    chi2 : float
        Reduced χ² of the joint model over the parent; NaN where there is no model.
    source_chi2 : tuple of float
        The same over the pixels of each source's own model.
    children : tuple of Child
        Re-apportioned pixels of each source.
    """

    model: ParentModel
    footprint_bands: tuple[str, ...]
    chi2: float
    source_chi2: tuple[float, ...]
    children: tuple[Child, ...]


def rows_of(table: str, rows: Sequence[Row], layout: CatalogLayout) -> dict[str, list[Any]]:
    """Turn rows into the declared columns of a table; also right for no row at all."""
    return {column.name: [row[column.name] for row in rows] for column in declaration(table).unfold(layout)}


def parent_row(given: CatalogInputs) -> Row:
    """Row of the parents table."""
    model = given.model
    fits = [blend for blend in model.blends if np.isfinite(blend.log_likelihood)]
    isolated = len(model.footprint.peaks) == 1
    return {
        "parentObjectId": model.id,
        "bbox_min_x": model.footprint.box.origin[1],
        "bbox_min_y": model.footprint.box.origin[0],
        "bbox_width": model.footprint.box.shape[1],
        "bbox_height": model.footprint.box.shape[0],
        "footprintArea": model.footprint.area,
        "deblend_nPeaks": len(model.footprint.peaks),
        "deblend_isolatedParent": isolated,
        "deblend_nBlends": len(model.blends),
        "deblend_nChild": 0 if isolated else len(model.sources),
        "deblend_nComponents": sum(len(source.components) for source in model.sources),
        **_outcome(model),
        **{flag: model.reason == reason for flag, reason in REASON_FLAGS.items()},
        "deblend_message": model.message,
        "deblend_incompleteData": bool(np.isnan(model.psfs).all(axis=(1, 2)).any()),
        "deblend_iterations": sum(blend.iterations for blend in model.blends),
        "deblend_blendConvergenceFailedFlag": any(_failed_to_converge(blend) for blend in fits),
        "deblend_logL": sum(blend.log_likelihood for blend in fits) if fits else np.nan,
        "deblend_chi2": given.chi2,
    }


def object_rows(given: CatalogInputs, exposure: MultibandExposure) -> list[Row]:
    """Rows of the objects table: one per source, in the order of the parent's peaks."""
    model = given.model
    blend_of = {source.id: blend for blend in model.blends for source in blend.sources}
    rows = []
    for source, chi2, child in zip(model.sources, given.source_chi2, given.children, strict=True):
        row = _identity(model, source) | _outcome(model) | _fit(blend_of[source.id], source)
        row |= {"deblend_chi2": chi2, "deblend_noModel": not source.components}
        row |= {flag: flag in source.flags for flag in OBJECT_FLAGS if flag not in row}
        for k, band in enumerate(exposure.bands):
            row |= _per_band(source, band, k, flux_factor(exposure.zeropoints[k]))
            row[f"merge_footprint_{band}"] = band in given.footprint_bands
            row[f"{band}_zeroFlux"] = not bool((child.share[k] > 0).any())
        rows.append(row)
    return rows


def ledger_columns(ledger: Sequence[LedgerRow]) -> dict[str, list[Any]]:
    """Columns of the ledger, in image units."""
    names = ("band", "data", "children", "unassigned", "masked", "outside", "not_finite")
    columns = {name: [getattr(row, name) for row in ledger] for name in names}
    return {"parentObjectId": [row.parent_id for row in ledger], **columns}


def _outcome(model: ParentModel) -> Row:
    kind = REASONS[model.reason].kind
    return {
        "deblend_outcome": model.outcome,
        "deblend_reason": model.reason,
        "deblend_rung": max((source.rung for source in model.sources), key=list(RUNGS).index, default=""),
        "deblend_deblender": model.deblender,
        "deblend_skipped": kind == "skipped",
        "deblend_failed": kind == "failed",
    }


def _identity(model: ParentModel, source: SourceModel) -> Row:
    n_peaks = len(model.footprint.peaks)
    return {
        "objectId": source.id,
        "parentObjectId": 0 if n_peaks == 1 else model.id,
        "sourceName": source.peak.name,
        "deblend_peak_center_x": source.peak.x,
        "deblend_peak_center_y": source.peak.y,
        "deblend_peakId": source.peak.id,
        "deblend_parentNPeaks": n_peaks,
    }


def _fit(blend: BlendModel, source: SourceModel) -> Row:
    return {
        "deblend_blendId": blend.id,
        "deblend_blendNChild": len(blend.sources),
        "deblend_nComponents": len(source.components),
        "deblend_iterations": blend.iterations,
        "deblend_stopReason": blend.stop_reason,
        "deblend_blendConvergenceFailedFlag": _failed_to_converge(blend),
        "deblend_logL": blend.log_likelihood,
        **_own_outcome(source),
    }


def _own_outcome(source: SourceModel) -> Row:
    """Rung and reason of one source; where there is no ladder, the reason is its parent's."""
    if not source.rung:
        return {"deblend_rung": ""}
    kind = REASONS[source.reason].kind
    return {
        "deblend_rung": source.rung,
        "deblend_reason": source.reason,
        "deblend_skipped": kind == "skipped",
        "deblend_failed": kind == "failed",
    }


def _failed_to_converge(blend: BlendModel) -> bool:
    return bool(blend.stop_reason) and blend.stop_reason != "converged"


def _per_band(source: SourceModel, band: str, k: int, factor: float) -> Row:
    fit = source.psf_fits[k] if source.psf_fits else None
    is_psf = fit is not None and fit.is_psf
    y, x = fit.center if fit is not None and is_psf else (np.nan, np.nan)
    return {
        f"{band}_deblend_deblendedAsPsf": is_psf,
        f"{band}_deblend_psfCenter_x": x,
        f"{band}_deblend_psfCenter_y": y,
        f"{band}_deblend_psf_instFlux": fit.flux if fit is not None and is_psf else np.nan,
        f"merge_peak_{band}": band in source.peak.bands,
        f"{band}_modelFlux": model_flux(source, k) * factor,
    }
