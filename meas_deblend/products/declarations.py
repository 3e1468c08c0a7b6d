"""Every table, column and flag that the package writes, declared once.

Names follow Rubin's public tables where they have one. Positions are 0-based pixels of the coadds, the centre of
the first pixel being (0, 0). A flag's meaning is what ``True`` says.
"""

from __future__ import annotations

from ._object_columns import FORCED_COLUMNS, OBJECT_COLUMNS, on_border, outcome_columns
from ._run_tables import OWNERSHIP, QUANTA
from .columns import Column, TableDeclaration
from .vocabulary import REASON_FLAGS, REASONS

__all__ = ["OBJECT_FLAGS", "TABLES"]

_NEW = "1.3.0"

_PARENTS = TableDeclaration(
    name="parents",
    meaning="One row per detected parent, isolated ones included, whatever became of it.",
    key=("parentObjectId",),
    columns=(
        Column(
            "parentObjectId",
            "int64",
            "",
            "Identifier of the parent, unique over a survey; its only object, when isolated, has the same.",
            "detect",
        ),
        Column("bbox_min_x", "int32", "pix", "First column of the footprint's bounding box.", "detect"),
        Column("bbox_min_y", "int32", "pix", "First row of the footprint's bounding box.", "detect"),
        Column("bbox_width", "int32", "pix", "Columns of the footprint's bounding box.", "detect"),
        Column("bbox_height", "int32", "pix", "Rows of the footprint's bounding box.", "detect"),
        Column("footprintArea", "int32", "pix2", "Number of pixels of the detected footprint.", "detect"),
        Column("deblend_nPeaks", "int32", "", "Peaks in the footprint.", "detect"),
        Column(
            "deblend_isolatedParent", "bool", "", "The footprint holds one peak: there was nothing to share.", "detect"
        ),
        on_border("The footprint"),
        Column(
            "deblend_nBlends",
            "int32",
            "",
            "Blends into which it was split: groups of peaks fitted together.",
            "persist",
        ),
        Column(
            "deblend_nChild",
            "int32",
            "",
            "Children with a row in objects whose parent it is: 0 when isolated.",
            "persist",
        ),
        Column("deblend_nComponents", "int32", "", "Model components of all its sources.", "persist"),
        *outcome_columns("the parent", "the parent or one of its blends", "Lowest rung of the models of its objects"),
        *(
            Column(
                flag,
                "bool",
                "",
                f"The reason is {reason}. {REASONS[reason].meaning}",
                "persist",
                since="1.3.0" if reason == "pseudo" else "1.1.0",
            )
            for flag, reason in REASON_FLAGS.items()
        ),
        Column("deblend_message", "string", "", "Details of the reason, for people.", "persist"),
        Column("deblend_incompleteData", "bool", "", "At least one band has no usable PSF at the parent.", "persist"),
        Column("deblend_iterations", "int32", "", "Iterations of its fits, summed over its blends.", "persist"),
        Column(
            "deblend_blendConvergenceFailedFlag",
            "bool",
            "",
            "At least one of its fits did not converge. False also where nothing was fitted.",
            "persist",
        ),
        Column(
            "deblend_logL",
            "float64",
            "",
            "−½ Σ w (model − data)² of the returned models, summed over its blends; NaN where none was fitted.",
            "persist",
            nullable=True,
        ),
        Column(
            "deblend_chi2",
            "float32",
            "",
            "Mean of (data − model)² / variance over the usable pixels and bands where any source is above 0.",
            "apportion",
            nullable=True,
        ),
        Column(
            "{band}_deblend_chi2",
            "float32",
            "",
            "Mean of (data − model)² / variance over the usable pixels of {band} where any source is above 0.",
            "apportion",
            nullable=True,
            since=_NEW,
        ),
    ),
)

_LEDGER = TableDeclaration(
    name="ledger",
    meaning="One row per parent and band: data = children + unassigned + masked over the detected footprint.",
    key=("parentObjectId", "band"),
    columns=(
        Column("parentObjectId", "int64", "", "Identifier of the parent.", "apportion"),
        Column("band", "string", "", "Band.", "apportion"),
        Column("data", "float64", "image", "Sum of the finite pixels of the detected footprint.", "apportion"),
        Column("children", "float64", "image", "Sum of what the children received of them.", "apportion"),
        Column("unassigned", "float64", "image", "Sum of usable pixels that no child claims.", "apportion"),
        Column("masked", "float64", "image", "Sum of finite pixels that carry no usable flux.", "apportion"),
        Column(
            "outside",
            "float64",
            "image",
            "Flux that the children hold outside the footprint; not part of the sum.",
            "apportion",
        ),
        Column("not_finite", "int32", "pix", "Pixels of the footprint without a finite value.", "apportion"),
    ),
)

_PATCH_LEDGER = TableDeclaration(
    name="patch_ledger",
    meaning="One row per band: image = parents + isolated + sky + masked over the whole image.",
    key=("band",),
    columns=(
        Column("band", "string", "", "Band.", "measure", since=_NEW),
        Column("image", "float64", "image", "Sum of the finite pixels of the image.", "measure", since=_NEW),
        Column(
            "parents",
            "float64",
            "image",
            "Sum of the usable pixels of parents with several peaks: what their children received and what no child "
            "claims.",
            "measure",
            since=_NEW,
        ),
        Column(
            "isolated",
            "float64",
            "image",
            "Sum of the usable pixels of parents with one peak, sky objects included.",
            "measure",
            since=_NEW,
        ),
        Column("sky", "float64", "image", "Sum of the usable pixels outside all parents.", "measure", since=_NEW),
        Column(
            "masked",
            "float64",
            "image",
            "Sum of finite pixels that carry no usable flux, wherever they lie.",
            "measure",
            since=_NEW,
        ),
        Column(
            "absolute",
            "float64",
            "image",
            "Sum of the absolute values of the finite pixels: what an imbalance is judged by.",
            "measure",
            since=_NEW,
        ),
        Column("not_finite", "int32", "pix", "Pixels of the image without a finite value.", "measure", since=_NEW),
    ),
)

_MERGED = TableDeclaration(
    name="merged_peaks",
    meaning="One row per detected peak that is no object but part of a large source, which has its light.",
    key=("parentObjectId", "deblend_peak_center_x", "deblend_peak_center_y"),
    columns=(
        Column(
            "objectId",
            "int64",
            "",
            "Object that it was merged into; 0 if a person dropped that object.",
            "detect",
            since=_NEW,
        ),
        Column(
            "parentObjectId", "int64", "", "Identifier of the parent, an isolated object's own.", "detect", since=_NEW
        ),
        Column("x", "float64", "pix", "Column of the peak.", "detect", since=_NEW),
        Column("y", "float64", "pix", "Row of the peak.", "detect", since=_NEW),
        Column("deblend_peak_center_x", "int32", "pix", "Column of its pixel.", "detect", since=_NEW),
        Column("deblend_peak_center_y", "int32", "pix", "Row of its pixel.", "detect", since=_NEW),
        Column(
            "peakSignificance",
            "float32",
            "",
            "Signal-to-noise ratio of a point source there, with all the light on it, in its best band.",
            "detect",
            since=_NEW,
        ),
        Column(
            "structureContrast",
            "float32",
            "",
            "Its light above the smooth light of the object, over that light, all bands together.",
            "detect",
            since=_NEW,
        ),
        Column(
            "structureColorChi2",
            "float32",
            "",
            "Reduced χ² of its having the colour of the object's smooth light; 0 with a single band.",
            "detect",
            since=_NEW,
        ),
        Column(
            "structureDistance",
            "float32",
            "",
            "Distance along the isophotes of the object, in its half-light radii.",
            "detect",
            since=_NEW,
        ),
        Column("merge_peak_{band}", "bool", "", "It was seen in {band} on its own.", "detect", since=_NEW),
    ),
)

_TIMINGS = TableDeclaration(
    name="timings",
    meaning="What each step took; two runs never agree here, so no comparison of products includes it.",
    key=("label",),
    columns=(
        Column("label", "string", "", "Label of the step.", "run"),
        Column("seconds", "float64", "s", "Elapsed time.", "run"),
        Column("cpu_seconds", "float64", "s", "Processor time of all threads.", "run"),
        Column("peak_memory_mb", "float64", "Mbyte", "Largest memory of the process up to the step's end.", "run"),
    ),
)

_OBJECTS = TableDeclaration(
    name="objects",
    meaning="One row per object, deblended or isolated: a set without duplicates.",
    key=("objectId",),
    columns=OBJECT_COLUMNS,
    has_plugins=True,
)

_FORCED = TableDeclaration(
    name="forced",
    meaning="One row per position that was given, measured there and nowhere else.",
    key=("forcedId",),
    columns=FORCED_COLUMNS,
    has_plugins=True,
)

_COVARIANCE = TableDeclaration(
    name="flux_covariance",
    meaning="Covariance of the fluxes of two objects of a parent in a band, each pair once, a not after b; pairs that "
    "share no pixel are left out.",
    key=("parent", "band", "a", "b"),
    columns=(
        Column("parent", "int64", "", "Identifier of the parent, an isolated object's own.", "measure", since="1.2.0"),
        Column("band", "string", "", "Band.", "measure", since="1.2.0"),
        Column("a", "int64", "", "objectId of one.", "measure", since="1.2.0"),
        Column("b", "int64", "", "objectId of the other; the same for a variance.", "measure", since="1.2.0"),
        Column(
            "cov",
            "float64",
            "",
            "Covariance of {band}_psfFlux of a and b, in the square of its unit.",
            "measure",
            nullable=True,
            since="1.2.0",
            reference="Σ a_i ρ_i N a_j ρ_j with what the templates add in first order",
        ),
        Column(
            "modelCov",
            "float64",
            "",
            "Covariance of {band}_modelFlux of a and b, in the square of its unit; NaN without models.",
            "measure",
            nullable=True,
            since="1.2.0",
        ),
    ),
)

_NOISE = TableDeclaration(
    name="noise_correlation",
    meaning="Autocorrelation of the noise of each band, measured on the sky between the parents.",
    key=("band", "dy", "dx"),
    columns=(
        Column("band", "string", "", "Band.", "measure", since="1.2.0"),
        Column("dy", "int32", "pix", "Lag in rows.", "measure", since="1.2.0"),
        Column("dx", "int32", "pix", "Lag in columns.", "measure", since="1.2.0"),
        Column(
            "xi",
            "float64",
            "",
            "Correlation ξ of the noise of two pixels at this lag: 1 at (0, 0), 0 where none is significant.",
            "measure",
            since="1.2.0",
            reference="Casertano et al. 2000, AJ 120, 2747, appendix A",
        ),
        Column(
            "variance_ratio",
            "float64",
            "",
            "Variance of the sky's pixels over what the variance plane says; told, not applied.",
            "measure",
            since="1.2.0",
        ),
        Column("pixels", "int64", "", "Pixels of sky; 0: too few, noise counts as white.", "measure", since="1.2.0"),
    ),
)

TABLES: dict[str, TableDeclaration] = {
    table.name: table
    for table in (
        _OBJECTS,
        _PARENTS,
        _LEDGER,
        _PATCH_LEDGER,
        _TIMINGS,
        _FORCED,
        _COVARIANCE,
        _NOISE,
        _MERGED,
        OWNERSHIP,
        QUANTA,
    )
}

OBJECT_FLAGS: frozenset[str] = frozenset(
    column.name for column in OBJECT_COLUMNS if column.is_flag and not column.per_band
)
