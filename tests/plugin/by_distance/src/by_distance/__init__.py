"""The deblender by_distance."""

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from meas_deblend.deblenders import cut_out, parent_psfs
from meas_deblend.models import BlendModel, ParentModel, SourceModel, TemplateComponent

__all__ = ["ByDistance", "ByDistanceOptions"]


class ByDistanceOptions(BaseModel):
    """How far a source reaches."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scale: float = Field(4.0, gt=0, le=100, description="Distance at which a source's weight is half, in pixels.")


class ByDistance:
    """Shares each pixel between the peaks by their distance: a start, to be replaced by something better."""

    name = "by_distance"
    Options = ByDistanceOptions

    def __call__(self, exposure, parent, options):
        """Return one source per peak, with a template (band, y, x) of at least 0."""
        footprint = parent.footprint
        pixels = cut_out(exposure, footprint.box)  # finite: unusable pixels are interpolated
        y, x = np.indices(pixels.box.shape) + np.reshape(pixels.box.origin, (2, 1, 1))
        distances = [np.hypot(y - peak.center[0], x - peak.center[1]) for peak in footprint.peaks]
        weights = [1 / (1 + (distance / options.scale) ** 4) for distance in distances]
        light = np.maximum(pixels.images, 0) * footprint.on(pixels.box)
        sources = []
        for peak, weight in zip(footprint.peaks, weights, strict=True):
            cube = (light * weight / sum(weights)).astype(np.float32)
            sources.append(SourceModel(peak.id, peak, (TemplateComponent(pixels.box, cube),)))
        blend = BlendModel(0, pixels.box, tuple(sources))
        psfs = parent_psfs(exposure, parent).stamps
        return ParentModel(parent.id, footprint, (blend,), psfs, deblender=self.name)
