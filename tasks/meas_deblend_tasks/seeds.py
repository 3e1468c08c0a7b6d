"""Templates of single bands for whoever asks for them: most runs of the multi-band chain never do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from meas_deblend.framework import Connections, OnDemand, PipelineTask, TaskOutputs

from .datasets import COADDS, DETECTIONS, PARENT_MODELS
from .deblend import SingleBandConfig, SingleBandWork

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meas_deblend.detect import Detections
    from meas_deblend.geometry import Parent
    from meas_deblend.image import MultibandExposure
    from meas_deblend.models import ParentModel

__all__ = ["SeedOutputs", "SingleBandSeedsTask"]


@dataclass(frozen=True)
class SeedOutputs(TaskOutputs):
    """What `SingleBandSeedsTask` returns."""

    parent_models: Sequence[ParentModel]

    @property
    def counts(self) -> Mapping[str, int]:
        """Parents that get templates when another step asks for them."""
        return {"parents on demand": len(self.parent_models)}


class SingleBandSeedsTask(PipelineTask[SingleBandConfig]):
    """Make templates of every peak, band by band, when another step asks for those of a parent.

    In the multi-band chain that is the joint fit with ``init: templates``; otherwise nothing is done here. Nothing is
    kept either: a parent's templates are made in the process that fits it.
    """

    connections: ClassVar[Connections] = Connections(inputs=(COADDS, DETECTIONS), outputs=(PARENT_MODELS,))

    def run(self, coadds: MultibandExposure, detections: Detections) -> SeedOutputs:
        """Return the models of all parents, each to be made when it is asked for.

        Raises
        ------
        InputError
            If ``use_ci_limits`` is set and no parent has a number of peaks in the range.
        """
        work = SingleBandWork.on(detections.parents, self.config)
        self.log.info("%d parents get templates of single bands if another step asks for them", len(work.chosen))
        return SeedOutputs(OnDemand(_made, detections.parents, (coadds, work)))


def _made(shared: tuple[MultibandExposure, SingleBandWork], parent: Parent) -> ParentModel:
    coadds, work = shared
    return work(coadds, parent)
