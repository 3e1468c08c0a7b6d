"""Facts about one row of a catalog, as plain values that JSON can hold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .._phrases import together
from ..products import REASONS, RUNGS, aperture_name, declaration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..products import CatalogLayout, Column

__all__ = ["Facts", "fit_facts", "flag_facts", "outcome_facts", "plain"]

Facts = dict[str, Any]

_TOLD_ELSEWHERE = ("merge_peak_{band}", "merge_footprint_{band}", "deblend_isolatedParent")


def plain(row: Any, name: str) -> Any:
    """Value of a column as Python has it; None if the table lacks it, or the value is not finite."""
    if name not in row.colnames:
        return None
    value = row[name]
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def outcome_facts(row: Any) -> Facts:
    """How the deblending went: rung, deblender, outcome, reason and what they mean, details where there are any."""
    reason, rung = (str(plain(row, name) or "") for name in ("deblend_reason", "deblend_rung"))
    known = REASONS.get(reason)
    return {
        "rung": rung,
        "rung_meaning": RUNGS.get(rung, "") if rung else "",
        "deblender": plain(row, "deblend_deblender"),
        "outcome": plain(row, "deblend_outcome"),
        "reason": reason,
        "reason_meaning": known.meaning if known is not None else "",
        "message": plain(row, "deblend_message") or "",
    }


def fit_facts(row: Any) -> Facts:
    """How the fit went; ``converged`` is None where nothing was fitted."""
    iterations = plain(row, "deblend_iterations") or 0
    failed = plain(row, "deblend_blendConvergenceFailedFlag")
    return {
        "iterations": iterations,
        "stop_reason": plain(row, "deblend_stopReason") or "",
        "converged": not failed if iterations else None,
        "chi2": plain(row, "deblend_chi2"),
        "components": plain(row, "deblend_nComponents"),
    }


def flag_facts(table: str, row: Any, layout: CatalogLayout) -> list[Facts]:
    """List the flags that are set: name, the bands in which they are (none for those of the whole row), meaning."""
    columns = (*declaration(table).columns, *layout.extra)
    flags = (column for column in columns if column.is_flag and column.name not in _TOLD_ELSEWHERE)
    return [fact for column in flags for fact in _set(column, row, layout)]


def _set(column: Column, row: Any, layout: CatalogLayout) -> Iterator[Facts]:
    """One fact per aperture in which a flag is set; bands are put together."""
    radii: tuple[float | None, ...] = layout.aperture_radii if column.per_aperture else (None,)
    members = layout.unfold(column)
    for k, radius in enumerate(radii):
        names = members[k :: len(radii)]
        if any(plain(row, one.name) for one in names):
            bands = [band for band, one in zip(layout.bands, names) if plain(row, one.name)] if column.per_band else []
            # What is said of one band is said of several: columns are called without the band then.
            name, meaning = (
                text.replace("{band}_", "")
                .replace("{band}", together(bands))
                .replace("{aperture}", "" if radius is None else aperture_name(radius))
                for text in (column.name, column.meaning)
            )
            yield {"name": name, "bands": bands, "meaning": meaning}
