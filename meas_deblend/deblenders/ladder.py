"""What is tried on each blend, decided before anything is fitted, from predicted costs alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from .cost_model import Cost
from .rungs import FITS, PARENT_ONLY
from .valleys import find_basins, group_basins, landscape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..geometry import Box, Footprint, Parent, Peak
    from ..image import MultibandExposure
    from .multi_band import MultiBandOptions
    from .valleys import Basins

__all__ = ["PASSES", "PlannedPart", "Trouble", "blend_footprints", "plan_parent"]

PASSES = 2
"""How often the parts of a split blend are fitted: those that came first have not seen the others' models."""

_HALVINGS = 5
"""How often parts are halved, at most, until all of them together are within the budget of time."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something else is done than what was asked for.

    Parameters
    ----------
    reason : str
        One of the reasons of the catalog; "" if there is none.
    message : str
        Details for people.
    """

    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class PlannedPart:
    """A blend, or a part of one, and what is tried on it first.

    Parameters
    ----------
    blend : int
        Number of the blend within its parent.
    footprint : Footprint
        Pixels and peaks of the part.
    rung : str
        Rung that is tried.
    reason, message : str
        Why that is not the first rung, or why the blend was split; "" if neither.
    cost : Cost
        As predicted; the time of all passes together.
    passes : int
        How often it is fitted: more than once where its blend was split.
    """

    blend: int
    footprint: Footprint
    rung: str
    reason: str
    message: str
    cost: Cost
    passes: int = 1


def blend_footprints(parent: Parent) -> tuple[Footprint, ...]:
    """Return the parent's blends, or its footprint if it was not split; peaks that are in no blend form one more."""
    if not parent.blends:
        return (parent.footprint,)
    held = {peak.id for blend in parent.blends for peak in blend.peaks}
    rest = tuple(peak for peak in parent.footprint.peaks if peak.id not in held)
    return (*parent.blends, *((parent.footprint.with_peaks(rest),) if rest else ()))


def plan_parent(exposure: MultibandExposure, parent: Parent, options: MultiBandOptions) -> tuple[PlannedPart, ...]:
    """Say on which rung each blend of a parent will be tried, whether it will be split, and what that will cost.

    Nothing is fitted.  What is done differs from the plan only where a rung fails.

    Parameters
    ----------
    exposure : MultibandExposure
    parent : Parent
    options : MultiBandOptions

    Returns
    -------
    tuple of PlannedPart
        By blend; each peak is in one of them.

    Raises
    ------
    InputError
        If a limit names a mask plane that the exposure does not have.
    """
    blends = blend_footprints(parent)
    if not options.fit_isolated and len(parent.footprint.peaks) == 1:
        return (PlannedPart(0, blends[0], PARENT_ONLY, "", "", Cost(0.0, 0.0)),)
    plans = (_Planner(exposure, parent, options, k, blend, len(blends) == 1) for k, blend in enumerate(blends))
    return tuple(part for plan in plans for part in plan.parts())


@dataclass(frozen=True, eq=False)
class _Planner:
    """One blend of a parent, which may be its only one."""

    exposure: MultibandExposure
    parent: Parent
    options: MultiBandOptions
    index: int
    blend: Footprint
    is_only: bool

    def parts(self) -> list[PlannedPart]:
        """Return the parts of the blend."""
        reason, message = self.options.limits.exceeded(self.exposure, self.blend)
        ladder = self.options.rungs
        if reason:
            ladder = tuple(rung for rung in ladder if rung not in FITS)
        return self._descend(self.blend, ladder, Trouble(reason, message))

    def _descend(self, piece: Footprint, ladder: Sequence[str], trouble: Trouble) -> list[PlannedPart]:
        """Find the first rung on which a piece of the blend is within the budgets, whole or split."""
        rung, rest = ladder[0], ladder[1:]
        cost = self._cost(rung, piece.peaks, piece.box, alone=self.is_only and piece is self.blend)
        over = self.options.over_budget(cost)
        if rung == PARENT_ONLY or not over.reason:
            return [PlannedPart(self.index, piece, rung, trouble.reason, trouble.message, cost)]
        if piece is not self.blend:
            return self._descend(piece, rest, over)
        pieces = self._split(rung)
        if not pieces:
            return self._descend(piece, rest, trouble if trouble.reason else over)
        split = Trouble("split", f"{over.message}: split into {len(pieces)} parts")
        parts = []
        for part in pieces:
            each = self._cost(rung, part.peaks, part.box, alone=False)
            if self.options.over_budget(each).reason:
                parts += self._descend(part, rest, self.options.over_budget(each))
                continue
            why = trouble if trouble.reason else split
            total = Cost(PASSES * each.seconds, each.memory)
            parts.append(PlannedPart(self.index, part, rung, why.reason, why.message, total, PASSES))
        return parts

    def _split(self, rung: str) -> tuple[Footprint, ...]:
        """Cut the blend into parts within the budgets; nothing if that does not help."""
        if len(self.blend.peaks) < 2:
            return ()
        seconds = self.options.cost_budget
        for halving in range(_HALVINGS):
            most = Cost(seconds / PASSES / 2**halving, self.options.memory_bytes)

            def fits(peaks: Sequence[Peak], box: Box, most: Cost = most) -> bool:
                cost = self._cost(rung, peaks, box, alone=False)
                return cost.seconds <= most.seconds and cost.memory <= most.memory

            parts = group_basins(self._basins, fits)
            costs = [self._cost(rung, part.peaks, part.box, alone=False) for part in parts]
            within = [cost.seconds for cost in costs if not self.options.over_budget(cost).reason]
            if len(parts) > 1 and within and PASSES * sum(within) <= seconds:
                return parts
        return ()

    def _cost(self, rung: str, peaks: Sequence[Peak], box: Box, *, alone: bool) -> Cost:
        """Cost of one fit; what several put on each other's pixels is kept on the whole parent."""
        bands = len(self.exposure.bands)
        cost = self.options.predict(rung, peaks, box, bands)
        return cost if alone else replace(cost, memory=cost.memory + 4 * bands * self.parent.footprint.box.area)

    @cached_property
    def _basins(self) -> Basins:
        image = self.parent.detect_image
        of_blend = landscape(self.exposure, self.blend) if image is None else image.project(self.blend.box).array
        return find_basins(self.blend, of_blend)
