"""The columns of the objects table: identity, position, deblending, then what is measured per band."""

from __future__ import annotations

from dataclasses import replace

from ._measured_columns import BAND_MEASUREMENTS, OBJECT_MEASUREMENTS
from ._quality_columns import BLEND_SCORE, CONTAMINATION_COLUMNS, score_columns
from .columns import Column

__all__ = ["FORCED_COLUMNS", "MODEL_FLAGS", "OBJECT_COLUMNS", "on_border", "outcome_columns"]

_NEW = "1.2.0"
_NEWEST = "1.3.0"


def outcome_columns(parent: str, blend: str, rung: str) -> tuple[Column, ...]:
    """Columns that tell how the deblending of a parent went.

    Parameters
    ----------
    parent : str
        What the table calls it.
    blend : str
        The same for what the reason is about.
    rung : str
        Which rung is meant.
    """
    return (
        Column("deblend_outcome", "string", "", f"What became of {parent}: one of the outcomes.", "persist"),
        Column(
            "deblend_reason",
            "string",
            "",
            f"Why {blend} is not on the first rung, or what else was done to it: one of the reasons; else empty.",
            "persist",
        ),
        Column("deblend_rung", "string", "", f"{rung}: one of the rungs.", "persist", since="1.3.0"),
        Column(
            "deblend_deblender", "string", "", f"Name of the deblender that made the models of {parent}.", "persist"
        ),
        Column(
            "deblend_skipped",
            "bool",
            "",
            f"What was asked for was not tried on {blend}, or not in all its bands or on all its peaks: the reason "
            "names the limit, the budget, or what was missing.",
            "persist",
        ),
        Column(
            "deblend_failed",
            "bool",
            "",
            f"What was asked for was tried on {blend} and failed, if only in a band or on a peak.",
            "persist",
        ),
    )


def on_border(parent: str) -> Column:
    """Column that tells whether a parent, called like this, reaches the border of the image."""
    return Column(
        "deblend_parentOnBorder",
        "bool",
        "",
        f"{parent} reaches the outermost rows or columns of the image: what lies beyond of it is not known.",
        "detect",
        since=_NEWEST,
    )


_IDENTITY = (
    Column("objectId", "int64", "", "Identifier of the object, unique over a survey.", "detect"),
    Column(
        "parentObjectId", "int64", "", "Identifier of the parent that it was deblended from; 0 if isolated.", "detect"
    ),
    Column("sourceName", "string", "", "Name in the list of sources that was given; else empty.", "detect"),
    Column("x", "float64", "pix", "Column of the position at which its fluxes are measured.", "measure"),
    Column("y", "float64", "pix", "Row of the position at which its fluxes are measured.", "measure"),
    Column("coord_ra", "float64", "deg", "Right ascension (ICRS) of x, y; NaN without WCS.", "measure", nullable=True),
    Column("coord_dec", "float64", "deg", "Declination (ICRS) of x, y; NaN without WCS.", "measure", nullable=True),
)

_TREE = (
    Column("deblend_peak_center_x", "int32", "pix", "Column of the detected peak.", "detect"),
    Column("deblend_peak_center_y", "int32", "pix", "Row of the detected peak.", "detect"),
    Column("deblend_peakId", "int32", "", "Number of the peak in the parent's list.", "detect"),
    Column("deblend_parentNPeaks", "int32", "", "Peaks in the parent; 1 if isolated.", "detect"),
    Column(
        "deblend_parentNChild",
        "int32",
        "",
        "Objects whose parent is the same, itself included; 0 if isolated.",
        "persist",
        since=_NEWEST,
    ),
    Column("deblend_blendId", "int64", "", "Identifier of the blend that it was fitted in.", "persist"),
    Column(
        "deblend_blendNChild",
        "int32",
        "",
        "Sources that were fitted together with it, itself included.",
        "persist",
    ),
    Column("deblend_nComponents", "int32", "", "Components of its model.", "persist"),
)


_OUTCOME = (
    *outcome_columns("its parent", "its blend", "Rung of the ladder on which its model was made"),
    Column(
        "deblend_iterations", "int32", "", "Iterations of the fit of its blend; 0 where nothing was fitted.", "persist"
    ),
    Column(
        "deblend_stopReason", "string", "", "Why the fit of its blend ended; empty where nothing was fitted.", "persist"
    ),
    Column(
        "deblend_blendConvergenceFailedFlag",
        "bool",
        "",
        "The fit of its blend did not converge. False also where nothing was fitted.",
        "persist",
    ),
    Column(
        "deblend_logL",
        "float64",
        "",
        "−½ Σ w (model − data)² of its blend; NaN where nothing was fitted.",
        "persist",
        nullable=True,
    ),
    Column(
        "deblend_chi2",
        "float32",
        "",
        "Mean of (data − joint model)² / variance over the usable pixels and bands where it is itself above 0.",
        "apportion",
        nullable=True,
    ),
    Column(
        "deblend_nBands",
        "int32",
        "",
        "Bands in which its blend has a model: those that were used, with a PSF and usable pixels in the blend.",
        "persist",
        since=_NEWEST,
    ),
    Column(
        "deblend_edgePixels",
        "bool",
        "",
        "Some of its pixels lie at the edge of the image, or have the mask plane EDGE set in any band.",
        "apportion",
        since=_NEWEST,
    ),
    on_border("Its parent's footprint"),
    *score_columns("deblend_residualScore", "usable pixels and bands"),
    BLEND_SCORE,
)

MODEL_FLAGS = (
    Column("deblend_noModel", "bool", "", "It has no model component, so it received no flux.", "persist"),
    Column("deblend_deblendedAsPsf", "bool", "", "In at least one band the PSF is its template.", "single_band"),
    Column(
        "deblend_rampedTemplate",
        "bool",
        "",
        "In at least one band its template was ramped down at the parent's edge.",
        "single_band",
    ),
    Column(
        "deblend_patchedTemplate",
        "bool",
        "",
        "In at least one band its template took over the data at the edge of the exposure.",
        "single_band",
        since="1.1.0",
    ),
    Column(
        "deblend_hasStrayFlux",
        "bool",
        "",
        "It was given flux that no template covered, in at least one band.",
        "single_band",
        since="1.1.0",
    ),
    Column(
        "deblend_hasMergedPeaks",
        "bool",
        "",
        "Peaks that its structure explains (arms, clumps, noise) were merged into it: rows of merged_peaks.",
        "detect",
        since=_NEWEST,
    ),
    Column(
        "deblend_hasStructure",
        "bool",
        "",
        "Its profile has small profiles on top, because the residual demanded them.",
        "persist",
        since=_NEWEST,
    ),
    Column(
        "deblend_hasUnlistedNeighbor",
        "bool",
        "",
        "The residual demanded a source that nobody listed where it is the brightest of the listed ones.",
        "persist",
        since=_NEWEST,
    ),
    Column(
        "deblend_mergedSource",
        "bool",
        "",
        "Another source of the list explains its light, and has it: it has no model.",
        "persist",
        since=_NEWEST,
    ),
    Column("merge_peak_sky", "bool", "", "It is a sky object: nothing was detected there.", "detect", since="1.3.0"),
)

_POINT_SOURCE = (
    Column(
        "{band}_deblend_deblendedAsPsf",
        "bool",
        "",
        "The PSF is its template in {band}.",
        "single_band",
        since="1.1.0",
    ),
    *(
        Column(
            f"{{band}}_deblend_psfCenter_{axis}",
            "float64",
            "pix",
            f"{what} of the PSF that is its template in {{band}}; NaN where it is not the PSF.",
            "single_band",
            nullable=True,
            since="1.1.0",
        )
        for axis, what in (("x", "Column"), ("y", "Row"))
    ),
    Column(
        "{band}_deblend_psf_instFlux",
        "float64",
        "image",
        "Flux of the PSF that is its template in {band}, as fitted; NaN where it is not the PSF.",
        "single_band",
        nullable=True,
        since="1.1.0",
    ),
)

_BANDS = (
    Column("merge_peak_{band}", "bool", "", "Its peak was seen in {band} on its own.", "detect"),
    Column("merge_footprint_{band}", "bool", "", "Its parent was detected in {band}.", "detect"),
    Column(
        "{band}_modelFlux",
        "float32",
        "flux",
        "Sum of its model in {band}, before convolution; NaN without a model.",
        "persist",
        nullable=True,
    ),
    Column("{band}_zeroFlux", "bool", "", "It received no flux in {band}.", "apportion"),
    Column(
        "{band}_maskedFraction",
        "float32",
        "",
        "Fraction of its pixels that carry no usable flux in {band}; NaN if it has no pixels.",
        "measure",
        nullable=True,
    ),
    Column(
        "{band}_deblend_dataCoverage",
        "float32",
        "",
        "Fraction of its pixels that have data in {band}, usable or not: without the mask plane NO_DATA, with a "
        "finite value and a variance above 0; 0 if it has no pixels.",
        "apportion",
        since=_NEWEST,
    ),
    Column(
        "{band}_deblend_instFlux",
        "float64",
        "image",
        "Sum of the pixels that it received in {band}: its part of what its parent's ledger gives to the children.",
        "apportion",
        since=_NEWEST,
    ),
    Column(
        "{band}_deblend_peak_instFlux",
        "float64",
        "image",
        "What it received of the pixel of its peak in {band}; NaN if that is nothing.",
        "apportion",
        nullable=True,
        since=_NEWEST,
    ),
)

OBJECT_COLUMNS: tuple[Column, ...] = (
    *_IDENTITY,
    *_TREE,
    *_OUTCOME,
    *MODEL_FLAGS,
    *_POINT_SOURCE,
    *_BANDS,
    *CONTAMINATION_COLUMNS,
    *BAND_MEASUREMENTS,
    *OBJECT_MEASUREMENTS,
)

FORCED_COLUMNS: tuple[Column, ...] = (
    Column("forcedId", "int64", "", "Row of the catalog of positions that was given, from 1.", "measure", since=_NEW),
    Column("sourceName", "string", "", "Its name in that catalog; else its row.", "measure", since=_NEW),
    Column(
        "objectId",
        "int64",
        "",
        "Object on whose pixels it was measured; 0 where none was near: then all objects were replaced by noise.",
        "measure",
        since=_NEW,
    ),
    Column(
        "objectDistance",
        "float64",
        "pix",
        "Distance to the nearest object; NaN where there are none.",
        "measure",
        nullable=True,
        since=_NEW,
    ),
    *(replace(column, since=_NEW) for column in _IDENTITY if column.name in ("x", "y", "coord_ra", "coord_dec")),
    *(replace(column, since=_NEW) for column in _BANDS if column.name.endswith("_maskedFraction")),
    *(replace(column, since=_NEW) for column in (*BAND_MEASUREMENTS, *OBJECT_MEASUREMENTS)),
)
"""Columns of positions at which objects were measured on request."""
