"""Parents → profiles: one joint fit over the patch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from meas_deblend.deblenders import HybridOptions, JointProfilesOptions, deblend_profiles
from meas_deblend.framework import Config, Connections, PipelineTask

from .datasets import COADDS, DETECTIONS, PARENT_MODELS
from .deblend import DeblendOutputs
from .identifiers import with_unique_ids

if TYPE_CHECKING:
    import logging

    from meas_deblend.detect import Detections
    from meas_deblend.image import MultibandExposure
    from meas_deblend.models import ParentModel

__all__ = ["HybridConfig", "HybridTask", "JointProfilesConfig", "JointProfilesTask"]


class JointProfilesConfig(JointProfilesOptions, Config):
    """The joint fit of profiles."""


class HybridConfig(HybridOptions, Config):
    """The joint fit of profiles with structure on top."""


class JointProfilesTask(PipelineTask[JointProfilesConfig]):
    """Fit discs, bulges and points to all sources of a patch together."""

    connections: ClassVar[Connections] = Connections(inputs=(COADDS, DETECTIONS), outputs=(PARENT_MODELS,))

    def run(self, coadds: MultibandExposure, detections: Detections) -> DeblendOutputs:
        """Fit all parents: wings of one reach into others."""
        return _outputs(deblend_profiles(coadds, detections.parents, self.config), self.log)


class HybridTask(PipelineTask[HybridConfig]):
    """Fit discs, bulges, points and the structure that they leave over to all sources of a patch together."""

    connections: ClassVar[Connections] = Connections(inputs=(COADDS, DETECTIONS), outputs=(PARENT_MODELS,))

    def run(self, coadds: MultibandExposure, detections: Detections) -> DeblendOutputs:
        """Fit all parents: wings of one reach into others."""
        return _outputs(deblend_profiles(coadds, detections.parents, self.config), self.log)


def _outputs(models: tuple[ParentModel, ...], log: logging.Logger) -> DeblendOutputs:
    failed = sum(model.outcome == "failed" and model.reason != "not_selected" for model in models)
    if failed:
        log.warning("%d of %d parents have no profiles", failed, len(models))
    return DeblendOutputs(with_unique_ids(models))
