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
    lines = RunSummary.of_objects(objects).lines()
    if counts["degraded"] or counts["failed"]:
        lines.append(
            f"{counted(counts['degraded'], 'parent')} degraded, {counts['failed']} failed: see deblend_reason and "
            "deblend_message in parents.parquet, or meas-deblend explain DIR ID"
        )
    return lines
