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
    seeds_from_models,
)
from meas_deblend.framework import Config, Connections, Outcome, PipelineTask, TaskOutputs, progress

from .datasets import COADDS, DETECTIONS, PARENT_MODELS, SEED_MODELS, SPLIT_PARENTS
from .identifiers import with_unique_ids

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meas_deblend.detect import Detections
    from meas_deblend.geometry import Parent
    from meas_deblend.image import MultibandExposure
    from meas_deblend.models import ParentModel

__all__ = [
    "DeblendOutputs",
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


class SingleBandTask(PipelineTask[SingleBandConfig]):
    """Make symmetric and PSF templates of every peak, band by band."""

    connections: ClassVar[Connections] = Connections(inputs=(COADDS, DETECTIONS), outputs=(PARENT_MODELS,))

    def run(self, coadds: MultibandExposure, detections: Detections) -> DeblendOutputs:
        """Deblend all parents."""
        return _deblend_all("single_band", coadds, detections.parents, self.config)


class NoDeblendingTask(PipelineTask[NoDeblendingConfig]):
    """Leave every parent whole: what others are compared with."""

    connections: ClassVar[Connections] = Connections(inputs=(COADDS, DETECTIONS), outputs=(PARENT_MODELS,))

    def run(self, coadds: MultibandExposure, detections: Detections) -> DeblendOutputs:
        """Give each parent's pixels to its brightest peak."""
        return _deblend_all("none", coadds, detections.parents, self.config)


class MultiBandTask(PipelineTask[MultiBandConfig]):
    """Fit all bands of every blend jointly; with ``init: templates`` the fit starts from other models."""

    connections: ClassVar[Connections] = Connections(
        inputs=(COADDS, SPLIT_PARENTS, SEED_MODELS), outputs=(PARENT_MODELS,)
    )

    def run(
        self,
        coadds: MultibandExposure,
        split_parents: tuple[Parent, ...],
        seed_models: tuple[ParentModel, ...] | None = None,
    ) -> DeblendOutputs:
        """Deblend all parents."""
        parents = split_parents if seed_models is None else seeds_from_models(split_parents, seed_models)
        return _deblend_all("multi_band", coadds, parents, self.config)


def _deblend_all(
    name: str, coadds: MultibandExposure, parents: tuple[Parent, ...], options: BaseModel
) -> DeblendOutputs:
    """Deblend one parent after the other; identifiers are given at the end, by the order of the parents."""
    deblender = get_deblender(name)
    models = [deblender(coadds, parent, options) for parent in progress(parents, description="parents")]
    return DeblendOutputs(with_unique_ids(models))
