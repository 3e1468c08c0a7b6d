"""Parents → blends: what is separate in the deconvolved image is fitted apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from meas_deblend.detect import DeconvolveConfig, Detections, HierarchyConfig, deconvolve_exposure, split_parents
from meas_deblend.framework import Config, Connections, PipelineTask

from .datasets import COADDS, DETECTIONS, SPLIT_PARENTS

if TYPE_CHECKING:
    from meas_deblend.geometry import Parent
    from meas_deblend.image import MultibandExposure

__all__ = ["DeconvolveOutputs", "DeconvolveTask", "DeconvolveTaskConfig"]


class DeconvolveTaskConfig(Config):
    """How the image is sharpened, and how parents are split on it."""

    deconvolution: DeconvolveConfig = Field(DeconvolveConfig(), description="Iterations and the model PSF.")
    hierarchy: HierarchyConfig = Field(HierarchyConfig(), description="How parents are split into blends.")


@dataclass(frozen=True)
class DeconvolveOutputs:
    """What `DeconvolveTask` returns."""

    split_parents: tuple[Parent, ...]


class DeconvolveTask(PipelineTask[DeconvolveTaskConfig]):
    """Deconvolve every band to the model PSF, and split parents into blends on the sum."""

    connections: ClassVar[Connections] = Connections(inputs=(COADDS, DETECTIONS), outputs=(SPLIT_PARENTS,))

    def run(self, coadds: MultibandExposure, detections: Detections) -> DeconvolveOutputs:
        """Split the parents."""
        deconvolved = deconvolve_exposure(coadds, detections.parents, self.config.deconvolution)
        for told in deconvolved.warnings:
            self.log.warning("%s", told)
        self.log.info("%s", deconvolved.match)
        parents = split_parents(detections.parents, deconvolved, self.config.hierarchy)
        self.log.info("%d parents in %d blends", len(parents), sum(len(parent.blends) for parent in parents))
        return DeconvolveOutputs(parents)
