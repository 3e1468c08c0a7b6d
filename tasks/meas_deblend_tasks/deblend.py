"""Parents → models: one Task per deblender, around the same loop."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from meas_deblend.deblenders import (
    MultiBandOptions,
    NoneOptions,
    SingleBandOptions,
    blend_footprints,
    deblend_if_selected,
    get_deblender,
    parent_without_models,
    seeds_from_models,
)
from meas_deblend.exceptions import InputError
from meas_deblend.framework import Config, Connections, OnDemand, Outcome, PipelineTask, TaskOutputs
from meas_deblend.products import REASONS

from .datasets import COADDS, DETECTIONS, MARKED_COADDS, PARENT_MODELS, SEED_MODELS, SPLIT_PARENTS
from .loops import Prediction, deblend_parents
from .marks import degraded_blends, mark, undeblended_blends
from .sample import sample_blend

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meas_deblend.deblenders.cost_model import Cost
    from meas_deblend.detect import Detections
    from meas_deblend.geometry import Parent
    from meas_deblend.image import MultibandExposure
    from meas_deblend.models import ParentModel

__all__ = [
    "DeblendOutputs",
    "MarkingOutputs",
    "MultiBandConfig",
    "MultiBandTask",
    "NoDeblendingConfig",
    "NoDeblendingTask",
    "SingleBandConfig",
    "SingleBandTask",
    "SingleBandWork",
]


class SingleBandConfig(SingleBandOptions, Config):
    """Templates from each band on its own."""


class MultiBandConfig(MultiBandOptions, Config):
    """The joint fit of all bands."""


class NoDeblendingConfig(NoneOptions, Config):
    """Parents kept whole."""


@dataclass(frozen=True)
class DeblendOutputs(TaskOutputs):
    """What the deblending Tasks return."""

    parent_models: tuple[ParentModel, ...]

    @property
    def outcome(self) -> Outcome:
        """Degraded if a parent is not what was asked for, partial if one has no model at all."""
        found = {model.outcome for model in self.parent_models}
        return Outcome.PARTIAL if "failed" in found else Outcome.DEGRADED if "degraded" in found else Outcome.OK

    @property
    def counts(self) -> Mapping[str, int]:
        """Parents by outcome, those that were not to be deblended apart, and sources."""
        outcomes = Counter(m.reason if m.reason == "not_selected" else m.outcome for m in self.parent_models)
        return {**outcomes, "sources": sum(len(model.sources) for model in self.parent_models)}


@dataclass(frozen=True)
class MarkingOutputs(DeblendOutputs):
    """What Tasks return that mark what was not deblended, or not as it was asked for."""

    marked_coadds: MultibandExposure


class SingleBandTask(PipelineTask[SingleBandConfig]):
    """Make symmetric and PSF templates of every peak, band by band."""

    connections: ClassVar[Connections] = Connections(
        inputs=(COADDS, DETECTIONS), outputs=(PARENT_MODELS, MARKED_COADDS)
    )

    def run(self, coadds: MultibandExposure, detections: Detections) -> MarkingOutputs:
        """Deblend all parents.

        Raises
        ------
        InputError
            If ``use_ci_limits`` is set and no parent has a number of peaks in the range.
        """
        work = SingleBandWork.on(detections.parents, self.config)
        models = deblend_parents(work, coadds, detections.parents, "single_band")
        skipped = [model for model in models if model.outcome == "failed" and REASONS[model.reason].kind == "skipped"]
        for model in (model for model in skipped if model.reason != "not_selected"):
            self.log.warning("parent %d was not deblended: %s", model.id, model.message or model.reason)
        marked = mark(coadds, {self.config.not_deblended_mask: [model.footprint for model in skipped]})
        return MarkingOutputs(models, marked)


@dataclass(frozen=True, slots=True)
class SingleBandWork:
    """Deblends parents band by band, if they are of those that are chosen.

    Parameters
    ----------
    options : SingleBandOptions
    chosen : frozenset of int
        Identifiers of the parents that are deblended.
    total : int
        Number of all parents.
    """

    options: SingleBandOptions
    chosen: frozenset[int]
    total: int

    @classmethod
    def on(cls, parents: Sequence[Parent], options: SingleBandOptions) -> SingleBandWork:
        """Choose parents: with ``use_ci_limits`` only isolated ones, and a few with a number of peaks in the range.

        Raises
        ------
        InputError
            If ``use_ci_limits`` is set and no parent has a number of peaks in the range.
        """
        if not options.use_ci_limits:
            return cls(options, frozenset(parent.id for parent in parents), len(parents))
        fewest, most = options.ci_deblend_child_range
        counts = {parent.id: len(parent.footprint.peaks) for parent in parents}
        others = [identifier for identifier, n in counts.items() if n != 1 and fewest <= n <= most]
        if not others:
            raise InputError(
                f"use_ci_limits is set, but none of {len(parents)} parents has {fewest} to {most} peaks "
                "(ci_deblend_child_range)"
            )
        isolated = {identifier for identifier, n in counts.items() if n == 1}
        return cls(options, frozenset(isolated | set(others[: options.ci_num_parents_to_deblend])), len(parents))

    def __call__(self, coadds: MultibandExposure, parent: Parent) -> ParentModel:
        """Return the model of a parent."""
        deblender = get_deblender("single_band")
        if parent.id in self.chosen:
            return deblend_if_selected(deblender, coadds, parent, self.options)
        why = f"use_ci_limits deblends {len(self.chosen)} of {self.total} parents"
        return parent_without_models(coadds, parent, deblender.name, why, "not_selected")


class NoDeblendingTask(PipelineTask[NoDeblendingConfig]):
    """Leave every parent whole: what others are compared with."""

    connections: ClassVar[Connections] = Connections(inputs=(COADDS, DETECTIONS), outputs=(PARENT_MODELS,))

    def run(self, coadds: MultibandExposure, detections: Detections) -> DeblendOutputs:
        """Give each parent's pixels to its brightest peak."""
        options = self.config
        return DeblendOutputs(deblend_parents(partial(_no_deblending, options), coadds, detections.parents, "none"))


def _no_deblending(options: NoneOptions, coadds: MultibandExposure, parent: Parent) -> ParentModel:
    return deblend_if_selected(get_deblender("none"), coadds, parent, options)


class MultiBandTask(PipelineTask[MultiBandConfig]):
    """Fit all bands of every blend jointly; with ``init: templates`` the fit starts from other models."""

    connections: ClassVar[Connections] = Connections(
        inputs=(COADDS, SPLIT_PARENTS, SEED_MODELS), outputs=(PARENT_MODELS, MARKED_COADDS)
    )

    def prepare(self) -> None:
        """Load the compiled fit."""
        get_deblender("multi_band")(*sample_blend(), MultiBandOptions())

    def run(
        self,
        coadds: MultibandExposure,
        split_parents: tuple[Parent, ...],
        seed_models: Sequence[ParentModel] | None = None,
    ) -> MarkingOutputs:
        """Deblend all parents, and mark the blends that came to a lower rung of the ladder, or to none."""
        work = _MultiBand(self.config, seed_models if self.config.init == "templates" else None)
        models = deblend_parents(work, coadds, split_parents, "multi_band", work.prediction(len(coadds.bands)))
        self._tell(models)
        regions = {
            self.config.degraded_mask: degraded_blends(split_parents, models),
            self.config.not_deblended_mask: undeblended_blends(split_parents, models),
        }
        return MarkingOutputs(models, mark(coadds, regions))

    def _tell(self, models: Sequence[ParentModel]) -> None:
        """Log how many objects are not what was asked for, by rung and reason."""
        labels = Counter((source.rung, source.reason) for model in models for source in model.sources)
        for (rung, reason), count in sorted(labels.items()):
            if reason:
                self.log.warning("%d objects on the rung %s: %s", count, rung, REASONS[reason].meaning)


class _MultiBand:
    """The joint fit of one parent, with the models that it starts from where it does."""

    def __init__(self, options: MultiBandOptions, seeds: Sequence[ParentModel] | None) -> None:
        self._options, self._seeds = options, seeds
        # Of seeds that are made on demand, only those of the parent at hand are.
        given = seeds.units if isinstance(seeds, OnDemand) else seeds or ()
        self._places = {one.id: place for place, one in enumerate(given)}

    def __call__(self, coadds: MultibandExposure, parent: Parent) -> ParentModel:
        if self._seeds is not None:
            place = self._places.get(parent.id)
            (parent,) = seeds_from_models([parent], [] if place is None else [self._seeds[place]])
        return deblend_if_selected(get_deblender("multi_band"), coadds, parent, self._options)

    def prediction(self, bands: int) -> Prediction:
        """Costs of parents on the first rung, within the budgets beyond which they are not on it."""
        options = self._options
        known: dict[int, list[Cost]] = {}

        def costs(parent: Parent) -> list[Cost]:
            # Time and memory are both asked for, of every parent, while workers wait.
            if parent.id not in known:
                blends = blend_footprints(parent)
                known[parent.id] = [options.predict(options.ladder[0], b.peaks, b.box, bands) for b in blends]
            return known[parent.id]

        return Prediction(
            seconds=lambda parent: sum(min(cost.seconds, options.cost_budget) for cost in costs(parent)),
            memory=lambda parent: min(max(cost.memory for cost in costs(parent)), options.memory_bytes),
            memory_budget=options.memory_bytes,
        )
