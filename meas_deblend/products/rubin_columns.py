"""The columns of the tables of Rubin's deblender, and what they are called here."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RUBIN_COLUMNS", "RubinColumn", "rubin_columns_markdown"]


@dataclass(frozen=True, slots=True)
class RubinColumn:
    """A column of Rubin's tables.

    Parameters
    ----------
    name : str
        As it stands there.
    tables : tuple of str
        The tables here that have it; none if it is left out.
    ours : str
        What it is called here, if otherwise; "" for the same name.
    why : str
        What is different, or why it is left out; "" where nothing is.
    """

    name: str
    tables: tuple[str, ...]
    ours: str = ""
    why: str = ""

    @property
    def declared(self) -> str:
        """Name here."""
        return self.ours or self.name


_O, _P, _BOTH = ("objects",), ("parents",), ("objects", "parents")

RUBIN_COLUMNS: tuple[RubinColumn, ...] = (
    RubinColumn("deblend_peak_center_x", _O),
    RubinColumn("deblend_peak_center_y", _O),
    RubinColumn("deblend_peakId", _O),
    RubinColumn("deblend_blendId", _O, why="An isolated object has a blend too, of its own."),
    RubinColumn("deblend_blendNChild", _O, why="1 for an isolated object."),
    RubinColumn("deblend_parentNPeaks", _O, why="1 for an isolated object."),
    RubinColumn("deblend_parentNChild", _O),
    RubinColumn("deblend_nPeaks", _P),
    RubinColumn("deblend_nChild", _P, why="Objects have none: there it would always be 0."),
    RubinColumn("deblend_nComponents", _BOTH),
    RubinColumn("deblend_chi2", _BOTH, why="1 for a right model; there 1 over the number of bands."),
    RubinColumn("deblend_iterations", _BOTH),
    RubinColumn("deblend_blendConvergenceFailedFlag", _BOTH, why="True if a fit failed to converge; there inverted."),
    RubinColumn("deblend_skipped", _BOTH),
    RubinColumn("deblend_skipped_isolatedParent", _P, "deblend_isolatedParent", "Isolated objects are fitted too."),
    RubinColumn("deblend_skipped_isPseudo", _P, "deblend_isPseudo"),
    RubinColumn("deblend_skipped_tooManyPeaks", _P, "deblend_tooManyPeaks"),
    RubinColumn("deblend_skipped_parentTooBig", _P, "deblend_parentTooBig"),
    RubinColumn("deblend_skipped_masked", _P, "deblend_masked"),
    RubinColumn("deblend_failed", _BOTH),
    RubinColumn("deblend_childFailed", _P, "deblend_failed", "True also if only one of the blends failed."),
    RubinColumn("deblend_error", _P, "deblend_message", "The exception's name and text; deblend_reason is the kind."),
    RubinColumn("deblend_incompleteData", _P, why="There it is never set."),
    RubinColumn("deblend_edgePixels", _O, why="There it is never set."),
    RubinColumn("deblend_dataCoverage", _O, "{band}_deblend_dataCoverage"),
    RubinColumn("deblend_peak_instFlux", _O, "{band}_deblend_peak_instFlux"),
    RubinColumn("deblend_zeroFlux", _O, "{band}_zeroFlux"),
    RubinColumn("deblend_scarletFlux", _O, "{band}_modelFlux", "Any deblender's model has it, in the unit of fluxes."),
    RubinColumn("deblend_maxOverlap", _O, "{band}_deblend_maxOverlap", "There it is worked out and not written."),
    RubinColumn("deblend_fluxOverlap", _O, "{band}_deblend_fluxOverlap", "There it is worked out and not written."),
    RubinColumn(
        "deblend_fluxOverlapFraction",
        _O,
        "{band}_deblend_fluxOverlapFraction",
        "There it is worked out and not written.",
    ),
    RubinColumn("deblend_blendedness", _O, "{band}_deblend_blendedness", "Over all bands: deblend_blendedness."),
    RubinColumn("merge_footprint_<band>", _O, "merge_footprint_{band}"),
    RubinColumn("merge_peak_<band>", _O, "merge_peak_{band}", "Each child's own; there those of its parent's first."),
    RubinColumn("merge_peak_sky", _O),
    RubinColumn(
        "deblend_spectrumInitFlag",
        (),
        why="Left out: whatever a fit starts from, its spectra are solved for at its end.",
    ),
    RubinColumn(
        "deblend_runtime", (), why="Left out: times differ from run to run; timings.parquet has those of each step."
    ),
)


def rubin_columns_markdown() -> str:
    """Write the page's table: name there, where it is here, what it is called, what is different."""
    lines = ["| Rubin's name | table | name here | note |", "| --- | --- | --- | --- |"]
    for column in RUBIN_COLUMNS:
        ours = f"`{column.declared}`" if column.tables else "—"
        lines.append(f"| `{column.name}` | {', '.join(column.tables) or '—'} | {ours} | {column.why} |")
    return "\n".join(lines) + "\n"
