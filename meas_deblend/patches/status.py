"""How far a run of many patches is, from its folder alone: while it runs, and after."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .._phrases import by_count, counted, duration
from ..framework import Outcome
from ..products import read_manifests, read_patch_index
from .job import MANIFESTS, PatchResult
from .lock import who_locks
from .one_patch import stages_beneath
from .seams import OWNERSHIP_FILE, SeamCount, read_seams

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..products import PatchEntry, PatchIndex

__all__ = ["PatchState", "RunStatus", "outcome_table", "read_results", "read_status"]

_SHOWN = 40


@dataclass(frozen=True, slots=True)
class PatchState:
    """Where a patch is.

    Parameters
    ----------
    entry : PatchEntry
    result : PatchResult or None
        What became of it; None as long as it is not finished.
    running : str
        Label of the quantum that it is at, or was when its run ended; empty if it was not begun.
    since : float
        Seconds since it was started; 0 if nobody works on it.
    interrupted : bool
        Whether its run ended in the middle of it.
    """

    entry: PatchEntry
    result: PatchResult | None = None
    running: str = ""
    since: float = 0.0
    interrupted: bool = False

    @property
    def state(self) -> str:
        """One word: an outcome, "running", "interrupted" or "waiting"."""
        if self.result is not None:
            return self.result.outcome.value
        if self.interrupted:
            return "interrupted"
        return "running" if self.running else "waiting"


@dataclass(frozen=True, slots=True)
class RunStatus:
    """Where a run is.

    Parameters
    ----------
    folder : Path
    states : tuple of PatchState
        By tract and number.
    writer : str
        Which process writes to the folder; empty if none does.
    seams : SeamCount or None
        How many objects have a parent that is cut at a seam; None until the run is complete.
    """

    folder: Path
    states: tuple[PatchState, ...]
    writer: str
    seams: SeamCount | None = None

    def lines(self) -> list[str]:
        """Tell it: a table, and the sums below."""
        rows = [_row(state) for state in self.states]
        shown = [row for row, state in zip(rows, self.states, strict=True) if state.state not in ("ok", "waiting")]
        chosen = rows if len(rows) <= _SHOWN else shown[:_SHOWN]
        lines = _table(_HEAD, chosen)
        if len(chosen) < len(rows):
            lines.append(
                f"({counted(len(rows) - len(chosen), 'patch', 'patches')} more: ok, waiting, or too many to list)"
            )
        cut = [] if self.seams is None else self.seams.lines()
        return [*lines, self.summary(), *cut, self._end()]

    def summary(self) -> str:
        """Count patches by state, and objects."""
        counts: dict[str, int] = {}
        for state in self.states:
            counts[state.state] = counts.get(state.state, 0) + 1
        objects = sum(state.result.counts.get("objects", 0) for state in self.states if state.result is not None)
        return f"{counted(len(self.states), 'patch', 'patches')}: {by_count(counts)}; {counted(objects, 'object')}"

    def _end(self) -> str:
        left = [state for state in self.states if state.result is None]
        if self.writer:
            return f"running ({self.writer}){self._remaining(left)}"
        if not left:
            return "complete"
        many = counted(len(left), "patch is", "patches are")
        return f"stopped: {many} not done; run it again with --resume"

    def _remaining(self, left: Sequence[PatchState]) -> str:
        """About how much processing is left, from what the others took."""
        took = [state.result.seconds for state in self.states if state.result is not None]
        running = [state for state in left if state.running]
        if not took or not left:
            return ""
        mean = sum(took) / len(took)
        seconds = mean * len(left) - sum(min(mean, state.since) for state in running)
        return f", about {duration(seconds / max(1, len(running)))} left"


_HEAD = ("patch", "state", "reason", "at", "objects", "seconds")


def read_status(folder: Path) -> RunStatus:
    """Read where a run of many patches is; it may be running.

    Raises
    ------
    ModelError
        If the folder is none of such a run, or a file in it is damaged.
    """
    index = read_patch_index(folder)
    writer = who_locks(folder)
    stages = stages_beneath(folder)
    states = tuple(_state(folder, entry, index, stages.get(folder / entry.folder, [])) for entry in index.patches)
    if not writer:
        # What a run leaves that was killed looks like what one is at.
        states = tuple(replace(state, since=0.0, interrupted=True) if state.running else state for state in states)
    # As long as a patch is missing, the table of owners is of an earlier start.
    complete = not writer and all(state.result is not None for state in states)
    seams = read_seams(folder) if complete and (folder / OWNERSHIP_FILE).is_file() else None
    return RunStatus(folder, states, writer, seams)


def read_results(folder: Path, index: PatchIndex) -> dict[str, PatchResult]:
    """Read what became of the patches that are done, by name."""
    found = {entry.name: _result(folder, entry, index) for entry in index.patches}
    return {name: result for name, result in found.items() if result is not None}


def outcome_table(results: Sequence[PatchResult]) -> list[str]:
    """Lines of a table with one row per patch; of many, those alone that are not ok."""
    chosen = list(results) if len(results) <= _SHOWN else [one for one in results if one.outcome is not Outcome.OK]
    return _table(_HEAD, [_row(PatchState(one.entry, one)) for one in chosen]) if chosen else []


def _result(folder: Path, entry: PatchEntry, index: PatchIndex) -> PatchResult | None:
    manifests = read_manifests(folder / entry.folder / MANIFESTS, index.labels)
    return PatchResult(entry, manifests) if manifests else None


def _state(folder: Path, entry: PatchEntry, index: PatchIndex, stages: Sequence[Path]) -> PatchState:
    if stages:
        stage = stages[-1]
        done = {path.stem for path in (stage / MANIFESTS).glob("*.json")}
        at = next((label for label in index.labels if label not in done), index.labels[-1])
        try:
            began = stage.stat().st_ctime if not done else min(p.stat().st_mtime for p in (stage / MANIFESTS).iterdir())
        except (OSError, ValueError):
            # It has just taken its place.
            return PatchState(entry, _result(folder, entry, index))
        return PatchState(entry, None, at, max(0.0, time.time() - began))
    return PatchState(entry, _result(folder, entry, index))


def _row(state: PatchState) -> tuple[str, ...]:
    if state.result is None:
        seconds = f"{state.since:.1f}" if state.since else ""
        return state.entry.name, state.state, "", state.running, "", seconds
    decisive = state.result.decisive
    at = decisive.label if state.result.outcome is not Outcome.OK else ""
    objects = state.result.counts.get("objects")
    return (
        state.entry.name,
        state.state,
        decisive.reason,
        at,
        "" if objects is None else str(objects),
        f"{state.result.seconds:.1f}",
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    every = [head, *rows]
    widths = [max(len(row[k]) for row in every) for k in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in every]
