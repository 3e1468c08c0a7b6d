"""What became of the objects of a run, as its last lines and ``meas-deblend show run`` tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._phrases import counted
from ..access.summary import RunSummary

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["outcome_lines"]


def outcome_lines(objects: Any, counts: Mapping[str, int]) -> list[str]:
    """Count objects by rung and reason, and say where more is told.

    Parameters
    ----------
    objects : Table
        The objects table.
    counts : mapping of str to int
        Of the run's record: parents "degraded" and "failed".
    """
    summary = RunSummary.of_objects(objects)
    lines = summary.lines()
    left_out = {parent for row in summary.with_reason("not_selected") for parent in row.parents}
    degraded, failed = counts["degraded"], counts["failed"] - len(left_out)
    if left_out:
        lines.append(f"{counted(len(left_out), 'parent was', 'parents were')} not to be deblended")
    if degraded or failed:
        lines.append(
            f"{counted(degraded, 'parent')} degraded, {failed} failed: see deblend_reason and deblend_message in "
            "parents.parquet, or meas-deblend explain DIR ID"
        )
    return lines
