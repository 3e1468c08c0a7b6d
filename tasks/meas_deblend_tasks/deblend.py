"""Parents → models: one Task per deblender, around the same loop."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel

from meas_deblend.deblenders import (
    MultiBandOptions,
    NoneOptions,
    SingleBandOptions,
    get_deblender,
    parent_without_models,
    seeds_from_models,
)
from meas_deblend.exceptions import InputError
from meas_deblend.framework import Config, Connections, Outcome, PipelineTask, TaskOutputs, progress
from meas_deblend.products import REASONS

from .datasets import COADDS, DETECTIONS, MARKED_COADDS, PARENT_MODELS, SEED_MODELS, SPLIT_PARENTS
from .identifiers import with_unique_ids
from .marks import degraded_blends, mark, undeblended_blends

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
        """Parents by outcome, and sources."""
        outcomes = Counter(model.outcome for model in self.parent_models)
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
        parents = detections.parents
        chosen = self._chosen(parents) if self.config.use_ci_limits else {parent.id for parent in parents}
        deblender = get_deblender("single_band")
        models = []
        for parent in progress(parents, description="parents"):
            if parent.id in chosen:
                models.append(deblender(coadds, parent, self.config))
            else:
                why = f"use_ci_limits deblends {len(chosen)} of {len(parents)} parents"
                models.append(parent_without_models(coadds, parent, deblender.name, why, "not_selected"))
        skipped = [model for model in models if model.outcome == "failed" and REASONS[model.reason].kind == "skipped"]
        for model in skipped:
            self.log.warning("parent %d was not deblended: %s", model.id, model.message or model.reason)
        marked = mark(coadds, {self.config.not_deblended_mask: [model.footprint for model in skipped]})
        return MarkingOutputs(with_unique_ids(models), marked)

    def _chosen(self, parents: tuple[Parent, ...]) -> set[int]:
        """Isolated parents, and the first few others with a number of peaks in the range, by id."""
        fewest, most = self.config.ci_deblend_child_range
        counts = {parent.id: len(parent.footprint.peaks) for parent in parents}
        others = [identifier for identifier, n in counts.items() if n != 1 and fewest <= n <= most]
        if not others:
            raise InputError(
                f"use_ci_limits is set, but none of {len(parents)} parents has {fewest} to {most} peaks "
                "(ci_deblend_child_range)"
            )
        isolated = {identifier for identifier, n in counts.items() if n == 1}
        return isolated | set(others[: self.config.ci_num_parents_to_deblend])


class NoDeblendingTask(PipelineTask[NoDeblendingConfig]):
    """Leave every parent whole: what others are compared with."""

    connections: ClassVar[Connections] = Connections(inputs=(COADDS, DETECTIONS), outputs=(PARENT_MODELS,))

    def run(self, coadds: MultibandExposure, detections: Detections) -> DeblendOutputs:
        """Give each parent's pixels to its brightest peak."""
        return _deblend_all("none", coadds, detections.parents, self.config)


class MultiBandTask(PipelineTask[MultiBandConfig]):
    """Fit all bands of every blend jointly; with ``init: templates`` the fit starts from other models."""

    connections: ClassVar[Connections] = Connections(
        inputs=(COADDS, SPLIT_PARENTS, SEED_MODELS), outputs=(PARENT_MODELS, MARKED_COADDS)
    )

    def run(
        self,
        coadds: MultibandExposure,
        split_parents: tuple[Parent, ...],
        seed_models: tuple[ParentModel, ...] | None = None,
    ) -> MarkingOutputs:
        """Deblend all parents, and mark the blends that came to a lower rung of the ladder, or to none."""
        parents = split_parents if seed_models is None else seeds_from_models(split_parents, seed_models)
        models = _deblend_all("multi_band", coadds, parents, self.config).parent_models
        self._tell(models)
        regions = {
            self.config.degraded_mask: degraded_blends(parents, models),
            self.config.not_deblended_mask: undeblended_blends(parents, models),
        }
        return MarkingOutputs(models, mark(coadds, regions))

    def _tell(self, models: Sequence[ParentModel]) -> None:
        """Log how many objects are not what was asked for, by rung and reason."""
        labels = Counter((source.rung, source.reason) for model in models for source in model.sources)
        for (rung, reason), count in sorted(labels.items()):
            if reason:
                self.log.warning("%d objects on the rung %s: %s", count, rung, REASONS[reason].meaning)


def _deblend_all(
    name: str, coadds: MultibandExposure, parents: tuple[Parent, ...], options: BaseModel
) -> DeblendOutputs:
    """Deblend one parent after the other; identifiers are given at the end, by the order of the parents."""
    deblender = get_deblender(name)
    models = [deblender(coadds, parent, options) for parent in progress(parents, description="parents")]
    return DeblendOutputs(with_unique_ids(models))
