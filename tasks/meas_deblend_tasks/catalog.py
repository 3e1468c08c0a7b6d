"""From models and measurements to the columns of the catalogs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from meas_deblend.apportion import handed_on, model_quality
from meas_deblend.measure import blend_scores
from meas_deblend.models import BlendModel, ParentModel, SourceModel, model_fluxes
from meas_deblend.products import OBJECT_FLAGS, REASON_FLAGS, REASONS, RUNGS, CatalogLayout, declaration, flux_factor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meas_deblend.apportion import Child, LedgerRow, ModelOverlap, ModelQuality, ResidualScore
    from meas_deblend.geometry import FloatArray
    from meas_deblend.image import MultibandExposure
    from meas_deblend.measure import ParentMeasurer

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
    children : sequence of Child
        Re-apportioned pixels of each source.
    quality : ModelQuality
        How well the joint model describes the data, over the parent and for each source.
    overlaps : tuple of ModelOverlap
        What neighbours put on the model of each source.
    blend_scores : sequence of float
        How much each source looks like two.
    """

    model: ParentModel
    footprint_bands: tuple[str, ...]
    children: Sequence[Child]
    quality: ModelQuality
    overlaps: tuple[ModelOverlap, ...]
    blend_scores: Sequence[float]

    @classmethod
    def of(cls, model: ParentModel, measurer: ParentMeasurer, footprint_bands: Sequence[str]) -> CatalogInputs:
        """Gather what is told of a parent that is being measured, apart from the measurements.

        Parameters
        ----------
        model : ParentModel
        measurer : ParentMeasurer
            Of that parent.
        footprint_bands : sequence of str
            Bands that detected something in it.
        """
        scene, children = measurer.scene, measurer.shared.children
        # The measurer's parent has its points and profiles drawn already.
        quality = model_quality(
            scene.exposure, measurer.parent, children, measurer.templates, (scene.noise.xi**2).sum(axis=(1, 2))
        )
        return cls(model, tuple(footprint_bands), children, quality, measurer.overlaps, blend_scores(measurer))


def rows_of(table: str, rows: Sequence[Row], layout: CatalogLayout) -> dict[str, list[Any]]:
    """Turn rows into the declared columns of a table; also right for no row at all."""
    return {column.name: [row[column.name] for row in rows] for column in declaration(table).unfold(layout)}


def parent_row(given: CatalogInputs, exposure: MultibandExposure) -> Row:
    """Row of the parents table."""
    model, bands = given.model, exposure.bands
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
        "deblend_parentOnBorder": _on_border(model, exposure),
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
        "deblend_chi2": given.quality.chi2.parent,
        **_in_bands(bands, "deblend_chi2", given.quality.chi2.parent_bands),
    }


def object_rows(given: CatalogInputs, exposure: MultibandExposure) -> list[Row]:
    """Rows of the objects table: one per source, in the order of the parent's peaks."""
    model, bands = given.model, exposure.bands
    factors = np.array([flux_factor(zeropoint) for zeropoint in exposure.zeropoints])
    blend_of = {source.id: blend for blend in model.blends for source in blend.sources}
    n_bands = {blend.id: _bands_with_model(blend, len(bands)) for blend in model.blends}
    chi2, on_border = given.quality.chi2, _on_border(given.model, exposure)
    rows = []
    for n, (source, child) in enumerate(zip(model.sources, given.children, strict=True)):
        blend = blend_of[source.id]
        row = _identity(model, source) | _outcome(model) | _fit(blend, source)
        row |= {"deblend_chi2": chi2.sources[n], "deblend_noModel": not source.components}
        row |= {"deblend_unrecognisedBlendScore": given.blend_scores[n], "deblend_parentOnBorder": on_border}
        row |= {"deblend_nBands": n_bands[blend.id], **_in_bands(bands, "deblend_chi2", chi2.source_bands[n])}
        row |= _contamination(given.overlaps[n], bands, factors) | _residual(given.quality.scores[n], bands)
        row |= _pixels(child, source, exposure)
        row |= {flag: flag in source.flags for flag in OBJECT_FLAGS if flag not in row}
        row |= _in_bands(bands, "modelFlux", model_fluxes(source, len(bands)) * factors)
        for k, band in enumerate(bands):
            row |= _per_band(source, band, k)
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
        "deblend_parentNChild": 0 if n_peaks == 1 else n_peaks,
    }


def _on_border(model: ParentModel, exposure: MultibandExposure) -> bool:
    """Whether the footprint of a parent reaches the outermost rows or columns of an image."""
    box, image = model.footprint.box, exposure.box
    inside = zip(box.origin, image.origin, box.stop, image.stop, strict=True)
    return any(first <= low or last >= high for first, low, last, high in inside)


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


def _bands_with_model(blend: BlendModel, bands: int) -> int:
    """Count the bands in which a source of a blend has flux."""
    flux = np.array([model_fluxes(source, bands) for source in blend.sources]).reshape(-1, bands)
    return int(np.count_nonzero((flux > 0).any(axis=0)))


def _in_bands(bands: Sequence[str], name: str, values: Sequence[float] | FloatArray) -> Row:
    return {f"{band}_{name}": value for band, value in zip(bands, values, strict=True)}


def _contamination(overlap: ModelOverlap, bands: Sequence[str], factors: FloatArray) -> Row:
    row = _in_bands(bands, "deblend_maxOverlap", overlap.maximum * factors)
    row |= _in_bands(bands, "deblend_fluxOverlap", overlap.flux * factors)
    return row | _in_bands(bands, "deblend_fluxOverlapFraction", overlap.fraction)


def _residual(score: ResidualScore, bands: Sequence[str]) -> Row:
    row: Row = {"deblend_residualScore": score.joint, "deblend_residualScoreErr": score.joint_error}
    row |= _in_bands(bands, "deblend_residualScore", score.bands)
    return row | _in_bands(bands, "deblend_residualScoreErr", score.errors)


def _pixels(child: Child, source: SourceModel, exposure: MultibandExposure) -> Row:
    found = handed_on(exposure, child, source.peak)
    row: Row = {"deblend_edgePixels": found.at_edge}
    row |= _in_bands(exposure.bands, "deblend_dataCoverage", found.coverage)
    row |= _in_bands(exposure.bands, "deblend_instFlux", child.flux.sum(axis=(1, 2), dtype=np.float64))
    return row | _in_bands(exposure.bands, "deblend_peak_instFlux", found.peak_flux)


def _failed_to_converge(blend: BlendModel) -> bool:
    return bool(blend.stop_reason) and blend.stop_reason != "converged"


def _per_band(source: SourceModel, band: str, k: int) -> Row:
    fit = source.psf_fits[k] if source.psf_fits else None
    is_psf = fit is not None and fit.is_psf
    y, x = fit.center if fit is not None and is_psf else (np.nan, np.nan)
    return {
        f"{band}_deblend_deblendedAsPsf": is_psf,
        f"{band}_deblend_psfCenter_x": x,
        f"{band}_deblend_psfCenter_y": y,
        f"{band}_deblend_psf_instFlux": fit.flux if fit is not None and is_psf else np.nan,
        f"merge_peak_{band}": band in source.peak.bands,
    }
