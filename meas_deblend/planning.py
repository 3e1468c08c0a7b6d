"""What a run will do, before it starts: the rung of every blend, and what it is predicted to take."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .arguments import datasets_of, layers_of, selection_of
from .exceptions import ConfigError, NoWorkFoundError
from .framework import Outcome, load_pipeline, run_pipeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from .arguments import Settings
    from .deblenders import MultiBandOptions, PlannedPart
    from .detect import Edits
    from .framework import Observer, Pipeline, WiredTask
    from .geometry import Box, Parent
    from .image import MultibandExposure

__all__ = ["ParentPlan", "Plan", "plan"]

MEGABYTE = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class ParentPlan:
    """What is tried on one parent first, and what that is predicted to take.

    Parameters
    ----------
    id : int
        parentObjectId.
    peaks : int
    area : int
        Pixels of the footprint.
    box : Box
    blends : int
        Blends into which the deconvolved image divides it.
    parts : tuple of PlannedPart
        What is modelled at a time: blends, or parts of those that are over a budget.
    ladder : tuple of str
        Rungs, top to bottom.
    """

    id: int
    peaks: int
    area: int
    box: Box
    blends: int
    parts: tuple[PlannedPart, ...]
    ladder: tuple[str, ...]

    @property
    def rung(self) -> str:
        """The lowest rung of its parts."""
        return max((part.rung for part in self.parts), key=self.ladder.index)

    @property
    def rungs(self) -> dict[str, int]:
        """Peaks by rung, top to bottom."""
        return _by_rung(self.parts, self.ladder)

    @property
    def reason(self) -> str:
        """Why that is not the first rung, or why a blend is split; "" if neither."""
        lowest = [part.reason for part in self.parts if part.rung == self.rung]
        return next((reason for reason in (*lowest, *(part.reason for part in self.parts)) if reason), "")

    @property
    def messages(self) -> tuple[str, ...]:
        """Details of the reasons, for people."""
        return tuple(dict.fromkeys(part.message for part in self.parts if part.message))

    @property
    def seconds(self) -> float:
        """Predicted processor time of one core."""
        return sum(part.cost.seconds for part in self.parts)

    @property
    def memory(self) -> float:
        """Largest predicted memory in Mbyte, beyond the exposure."""
        return max(part.cost.memory for part in self.parts) / MEGABYTE

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        (y0, x0), (height, width) = self.box.origin, self.box.shape
        return {
            "id": self.id,
            "peaks": self.peaks,
            "area": self.area,
            "bbox": {"x": [x0, x0 + width], "y": [y0, y0 + height]},
            "blends": self.blends,
            "parts": len(self.parts),
            "rung": self.rung,
            "rungs": self.rungs,
            "reason": self.reason,
            "messages": list(self.messages),
            "seconds": self.seconds,
            "memory_mb": self.memory,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What a run will do.

    Parameters
    ----------
    parents : tuple of ParentPlan
        Those that are selected, the most costly first.
    left_out : int
        Parents that are not selected.
    sky : int
        Selected sky objects, which are never deblended.
    options : MultiBandOptions
        With the ladder and the budgets.
    """

    parents: tuple[ParentPlan, ...]
    left_out: int
    sky: int
    options: MultiBandOptions

    @property
    def rungs(self) -> dict[str, int]:
        """Number of parents by their lowest rung, top to bottom."""
        found = Counter(parent.rung for parent in self.parents)
        return {rung: found[rung] for rung in self.options.ladder if found[rung]}

    @property
    def peaks(self) -> dict[str, int]:
        """Number of peaks by rung, top to bottom."""
        return _by_rung([part for parent in self.parents for part in parent.parts], self.options.ladder)

    @property
    def reasons(self) -> dict[str, int]:
        """Number of parents by reason, the most frequent first; those without one are left out."""
        return dict(Counter(parent.reason for parent in self.parents if parent.reason).most_common())

    @property
    def seconds(self) -> float:
        """Predicted processor time of all parents."""
        return sum(parent.seconds for parent in self.parents)

    @property
    def memory(self) -> float:
        """Largest predicted memory of a parent in Mbyte, beyond the exposure."""
        return max((parent.memory for parent in self.parents), default=0.0)

    def elapsed(self, jobs: int) -> float:
        """Predicted time in seconds with so many processes, each taking the most costly parent that is left."""
        busy = [0.0] * jobs
        for parent in self.parents:
            heapq.heapreplace(busy, busy[0] + parent.seconds)
        return max(busy)

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "parents": [parent.as_dict() for parent in self.parents],
            "not_selected": self.left_out,
            "sky_objects": self.sky,
            "total": {
                "parents": len(self.parents),
                "peaks": sum(parent.peaks for parent in self.parents),
                "parents_by_rung": self.rungs,
                "peaks_by_rung": self.peaks,
                "parents_by_reason": self.reasons,
                "seconds": self.seconds,
                "memory_mb": self.memory,
            },
            "budgets": {"cost_budget": self.options.cost_budget, "memory_budget": self.options.memory_budget},
        }


def plan(
    coadds: MultibandExposure,
    survey: str | Path = "generic",
    config: Settings | Sequence[Settings] | None = None,
    sources: Any = None,
    *,
    pipeline: str | Path = "multiband",
    frame: str | None = None,
    only: int | Iterable[int] = (),
    bbox: str | Box | None = None,
    edits: str | Path | Edits | None = None,
    observer: Observer | None = None,
) -> Plan:
    """Say what `deblend` will do with the same arguments; only detection and deconvolution are run.

    Each blend is put on its rung by the function that a run puts it there with (`deblenders.plan_parent`).

    Parameters
    ----------
    coadds, survey, config, sources, pipeline, frame, only, bbox, edits, observer
        As for `deblend`.

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        As `deblend` does; also if a limit names a mask plane that the coadds do not have.
    ConfigError
        If a setting is unknown or out of range, or the pipeline has no step with a ladder.
    NoWorkFoundError
        If there is no parent.
    PipelineError
        If a step failed.
    """
    from .deblenders import plan_parent  # noqa: PLC0415 - loads the numerics
    from .detect import is_sky  # noqa: PLC0415

    loaded = load_pipeline(pipeline, survey=survey, layers=layers_of(config))
    task, options = _with_ladder(loaded)
    inputs = datasets_of(coadds, sources, frame, selection_of(only, bbox), edits)
    before = loaded.only(_makers(loaded, task))
    result = run_pipeline(before, inputs, observer=observer)
    result.raise_failures()
    for report in result.reports:
        if report.outcome is Outcome.NO_WORK:
            raise NoWorkFoundError(report.error)
    name = next(item.dataset for item in task.inputs if item.name == "split_parents")
    parents: tuple[Parent, ...] = result.datasets[name]  # type: ignore[assignment]  # datasets are kept as objects
    selected = [parent for parent in parents if parent.selected]
    chosen = [parent for parent in selected if not is_sky(parent)]
    plans = (_parent_plan(parent, plan_parent(coadds, parent, options), options) for parent in chosen)
    ordered = sorted(plans, key=lambda one: (-one.seconds, -one.peaks, one.id))
    return Plan(tuple(ordered), len(parents) - len(selected), len(selected) - len(chosen), options)


def _parent_plan(parent: Parent, parts: tuple[PlannedPart, ...], options: MultiBandOptions) -> ParentPlan:
    footprint = parent.footprint
    blends = len({part.blend for part in parts})
    return ParentPlan(
        parent.id, len(footprint.peaks), footprint.area, footprint.box, blends, parts, tuple(options.ladder)
    )


def _by_rung(parts: Sequence[PlannedPart], ladder: tuple[str, ...]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for part in parts:
        found[part.rung] += len(part.footprint.peaks)
    return {rung: found[rung] for rung in ladder if found[rung]}


def _with_ladder(pipeline: Pipeline) -> tuple[WiredTask, MultiBandOptions]:
    from .deblenders import MultiBandOptions  # noqa: PLC0415 - loads the numerics

    for task in pipeline.tasks:
        if isinstance(task.resolved.config, MultiBandOptions):
            return task, task.resolved.config
    raise ConfigError(
        f"the pipeline '{pipeline.name}' has no step with a ladder of deblenders, so there is nothing to plan; "
        "'multiband' has one"
    )


def _makers(pipeline: Pipeline, task: WiredTask) -> list[str]:
    """Labels of the tasks that make what ``task`` cannot do without, and what those need in turn."""
    made_by = {item.dataset: one for one in pipeline.tasks for item in one.outputs}
    found: list[str] = []
    waiting = [task]
    while waiting:
        needed = [item.dataset for item in waiting.pop().inputs if not item.optional and item.dataset in made_by]
        new = [made_by[dataset] for dataset in needed if made_by[dataset].label not in found]
        found += [one.label for one in new]
        waiting += new
    return list(dict.fromkeys(found))
