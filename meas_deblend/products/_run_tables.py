"""Declarations of the tables that a run of many patches has beside those of its patches."""

from __future__ import annotations

from .columns import Column, TableDeclaration

__all__ = ["OWNERSHIP", "QUANTA"]

_NEW = "1.3.0"

OWNERSHIP = TableDeclaration(
    name="ownership",
    meaning="One row per object of all patches: which of those that overlap owns it. Patches that overlap show the "
    "same sky, and each deblends all of it; the rows with detect_isPrimary are a set without duplicates.",
    key=("objectId",),
    columns=(
        Column("objectId", "int64", "", "Identifier of the object.", "run", since=_NEW),
        Column("tract", "int64", "", "Tract of the patch that it was deblended in.", "run", since=_NEW),
        Column("patch", "string", "", "Name of the patch that it was deblended in.", "run", since=_NEW),
        Column("ownerTract", "int64", "", "Tract of the patch whose inner region its peak lies in.", "run", since=_NEW),
        Column("ownerPatch", "string", "", "Name of the patch whose inner region its peak lies in.", "run", since=_NEW),
        Column(
            "detect_isPatchInner",
            "bool",
            "",
            "The peak lies in the inner region of its own patch, among the patches of its tract.",
            "run",
            since=_NEW,
        ),
        Column(
            "detect_isTractInner",
            "bool",
            "",
            "The peak lies in the inner region of a patch of its own tract, among all patches.",
            "run",
            since=_NEW,
        ),
        Column(
            "detect_isPrimary",
            "bool",
            "",
            "Its patch owns it, and it is no sky object: choose these for a set without duplicates.",
            "run",
            since=_NEW,
        ),
        Column(
            "deblend_parentCutAtSeam",
            "bool",
            "",
            "Its parent reaches a border of its patch behind which another patch goes on: whoever shows more would "
            "deblend it otherwise.",
            "run",
            since=_NEW,
        ),
    ),
)

QUANTA = TableDeclaration(
    name="quanta",
    meaning="One row per quantum, a task at a patch: what became of it. Two runs never agree here, so no comparison of "
    "products includes it.",
    key=("tract", "patch", "label"),
    columns=(
        Column("tract", "int64", "", "Tract.", "run", since=_NEW),
        Column("patch", "string", "", "Name of the patch.", "run", since=_NEW),
        Column("label", "string", "", "Label of the task; read and write for what is around them.", "run", since=_NEW),
        Column("outcome", "string", "", "ok, no_work, degraded, partial or failed.", "run", since=_NEW),
        Column("reason", "string", "", "Why, in one word: see QUANTUM_REASONS.", "run", since=_NEW),
        Column("error", "string", "", "What went wrong, in words.", "run", since=_NEW),
        Column("seconds", "float64", "s", "Elapsed time.", "run", since=_NEW),
        Column("cpu_seconds", "float64", "s", "Processor time.", "run", since=_NEW),
        Column("peak_memory_mb", "float64", "Mbyte", "Largest memory of the process up to its end.", "run", since=_NEW),
        Column("attempt", "int32", "", "How many times the patch was started.", "run", since=_NEW),
    ),
)
