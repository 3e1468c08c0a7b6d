"""What became of the objects of a run, counted by rung and reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._phrases import counted
from ..products import REASONS, RUNGS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["RunSummary", "SummaryRow"]

_SHOWN = 6


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """Objects on one rung, for one reason.

    Parameters
    ----------
    rung : str
        One of products.RUNGS; "" for a deblender without a ladder.
    reason : str
        One of products.REASONS; "" if nothing went wrong.
    objects : int
        How many there are.
    parents : tuple of int
        Identifiers of their parents, the parent with most of them first.
    """

    rung: str
    reason: str
    objects: int
    parents: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RunSummary:
    """How many objects are on which rung, and why.

    Parameters
    ----------
    rows : tuple of SummaryRow
        By rung, top to bottom, then by reason; the rows' objects add up to all objects.
    """

    rows: tuple[SummaryRow, ...]

    @classmethod
    def of_objects(cls, objects: Any) -> RunSummary:
        """Count the rows of an objects table."""
        # Runs of before there were ladders do not have the column.
        known = "deblend_rung" in objects.colnames
        rungs = np.asarray(objects["deblend_rung"] if known else [""] * len(objects))
        reasons = np.asarray(objects["deblend_reason"])
        parents = np.asarray(objects["parentObjectId"])
        parents = np.where(parents == 0, np.asarray(objects["objectId"]), parents)
        order = {name: k for k, name in enumerate(RUNGS)}
        found = sorted(
            {(str(rung), str(reason)) for rung, reason in zip(rungs, reasons, strict=True)},
            key=lambda pair: (order.get(pair[0], len(order)), pair[0], pair[1]),
        )
        return cls(tuple(_row(rung, reason, parents[(rungs == rung) & (reasons == reason)]) for rung, reason in found))

    def with_reason(self, reason: str) -> tuple[SummaryRow, ...]:
        """Return the rows with one reason."""
        return tuple(row for row in self.rows if row.reason == reason)

    def lines(self) -> list[str]:
        """Return a table for people, and below it what each reason means."""
        if not self.rows:
            return []
        if len(self.rows) == 1 and not self.rows[0].reason:
            return [f"all objects on the rung {self.rows[0].rung}"] if self.rows[0].rung else []
        with_rungs = any(row.rung for row in self.rows)
        head = ("objects", "parents", *(("rung",) if with_rungs else ()), "reason", "of parents")
        cells = [
            (str(row.objects), str(len(row.parents)), *((row.rung or "-",) if with_rungs else ()), row.reason or "-",
             _some(row.parents) if row.reason else "")
            for row in self.rows
        ]  # fmt: skip
        reasons = dict.fromkeys(row.reason for row in self.rows if row.reason)
        meanings = [f"{name}: {REASONS[name].meaning}" for name in reasons if name in REASONS]
        return [*_aligned([head, *cells]), *meanings]


def _row(rung: str, reason: str, parents: Any) -> SummaryRow:
    numbers, counts = np.unique(parents, return_counts=True)
    order = np.lexsort((numbers, -counts))
    return SummaryRow(rung, reason, len(parents), tuple(int(number) for number in numbers[order]))


def _some(parents: Sequence[int]) -> str:
    rest = len(parents) - _SHOWN
    more = f" and {counted(rest, 'other')}" if rest > 0 else ""
    return " ".join(map(str, parents[:_SHOWN])) + more


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns of text, of which the first two are numbers."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.rjust(w) if k < 2 else cell.ljust(w) for k, (cell, w) in enumerate(zip(row, widths))).rstrip()
        for row in rows
    ]
