"""Parents → blends: what is separate in the deconvolved image is fitted apart."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from meas_deblend.detect import DeconvolveConfig, Detections, HierarchyConfig, deconvolve_exposure, split_parents
from meas_deblend.framework import Config, Connections, Loop, PipelineTask, iterate_units, once

from .datasets import COADDS, DETECTIONS, SPLIT_PARENTS
from .parent_files import ParentFiles

if TYPE_CHECKING:
    from meas_deblend.geometry import Parent
    from meas_deblend.image import MultibandExposure

__all__ = ["DeconvolveOutputs", "DeconvolveTask", "DeconvolveTaskConfig"]

_PLANES = 6
"""Planes of single precision that the deconvolution of a band holds at a time."""


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
        parents = once(partial(self._split, coadds, detections), ParentFiles())
        self.log.info("%d parents in %d blends", len(parents), sum(len(parent.blends) for parent in parents))
        return DeconvolveOutputs(parents)

    def _split(self, coadds: MultibandExposure, detections: Detections) -> tuple[Parent, ...]:
        each = partial(iterate_units, description="bands", loop=_of_bands(coadds))
        deconvolved = deconvolve_exposure(coadds, detections.parents, self.config.deconvolution, each)
        for told in deconvolved.warnings:
            self.log.warning("%s", told)
        self.log.info("%s", deconvolved.match)
        return split_parents(detections.parents, deconvolved, self.config.hierarchy)


def _of_bands(coadds: MultibandExposure) -> Loop[int, Any]:
    """How the loop over bands is run: at the same time only as many as take no more memory than the images do."""
    planes = (coadds.images, coadds.variance, coadds.mask)
    return Loop(
        name=lambda k: f"band {coadds.bands[k]}",
        memory=lambda k: _PLANES * 4.0 * coadds.images[k].size,
        memory_budget=float(sum(cube.nbytes for cube in planes)),
        ahead=False,
    )
