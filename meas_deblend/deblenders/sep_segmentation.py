"""Segmentation in the manner of SExtractor: every pixel belongs to one object, the baseline of many catalogs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ..geometry import Image
from ..models import BlendModel, ParentModel, SourceModel, TemplateComponent
from .cutout import cut_out
from .psfs import parent_psfs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import Footprint, Parent
    from ..image import MultibandExposure
    from .cutout import Cutout

__all__ = ["SepOptions", "SepSegmentation"]


class SepOptions(BaseModel):
    """How the segments are found; the names and defaults are SExtractor's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    thresh: float = Field(1.5, gt=0, description="Threshold on the sum over bands of image / noise, in its noise (σ).")
    minarea: int = Field(5, ge=1, description="Smallest number of pixels of an object.")
    deblend_nthresh: int = Field(32, ge=1, le=1024, description="Number of thresholds at which branches are sought.")
    deblend_cont: float = Field(
        0.005, ge=0, le=1, description="Share of the flux from which a branch is an object of its own."
    )


class SepSegmentation:
    """Multi-threshold segmentation (Bertin & Arnouts 1996, A&AS 117, 393) with sep (Barbary 2016, JOSS 1, 58).

    Objects are sought on the sum over bands of image / noise, within the parent's footprint, and every pixel of a
    segment goes to one peak: the one that it holds, or the nearest to the segment's centroid of several.  A peak that
    has no segment of its own has no model.  Templates are the segment's own pixels, at least 0.
    """

    name: ClassVar[str] = "sep"
    Options: ClassVar[type[BaseModel]] = SepOptions

    def __call__(self, exposure: MultibandExposure, parent: Parent, options: SepOptions) -> ParentModel:
        """Return the model; see `Deblender`.

        Outcome "degraded" with reason "template_failed" if a peak has no segment, "failed" if none has.
        """
        cutout = cut_out(exposure, parent.footprint.box)
        peaks = parent.footprint.peaks
        segments = _segments(cutout, parent.footprint, options)
        sources = []
        for peak, segment in zip(peaks, segments, strict=True):
            components = () if segment is None else (_template(cutout, segment),)
            flags = frozenset() if components else frozenset({"deblend_noModel"})
            sources.append(SourceModel(peak.id, peak, components, flags))
        lacking = [str(peak.id) for peak, segment in zip(peaks, segments, strict=True) if segment is None]
        outcome = "ok" if not lacking else "failed" if len(lacking) == len(peaks) else "degraded"
        psfs = parent_psfs(exposure, parent)
        return ParentModel(
            parent.id,
            parent.footprint,
            (BlendModel(0, parent.footprint.box, tuple(sources)),),
            psfs.stamps,
            deblender=self.name,
            outcome=outcome,
            reason="template_failed" if lacking else "",
            message=f"no segment of their own: peaks {', '.join(lacking)}" if lacking else "",
            warnings=psfs.warnings,
        )


def _segments(cutout: Cutout, footprint: Footprint, options: SepOptions) -> list[Image | None]:
    """Pixels (y, x) of each peak's segment as 1, on a box; None for a peak without one."""
    labels, centroids = _label(cutout, footprint, options)
    y0, x0 = cutout.box.origin
    owner: dict[int, tuple[float, int]] = {}
    for k, peak in enumerate(footprint.peaks):
        if not cutout.box.contains(peak.y, peak.x):
            continue
        label = int(labels[peak.y - y0, peak.x - x0])
        if label:
            cy, cx = centroids[label - 1]
            distance = (peak.center[0] - y0 - cy) ** 2 + (peak.center[1] - x0 - cx) ** 2
            owner[label] = min(owner.get(label, (np.inf, -1)), (distance, k))
    found: list[Image | None] = [None] * len(footprint.peaks)
    for label, (_, k) in owner.items():
        found[k] = Image((labels == label).astype(np.float32), cutout.box)
    return found


def _label(cutout: Cutout, footprint: Footprint, options: SepOptions) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Labels (y, x), 0 for no object, and the objects' centroids (object, 2) as (y, x), on the cut-out."""
    import sep  # noqa: PLC0415 - keeps the library out of the import of the registry

    rms = cutout.noise_rms
    seen = np.isfinite(rms) & (rms > 0)
    if not seen.any():
        return np.zeros(cutout.box.shape, dtype=np.int32), np.zeros((0, 2))
    significance = (cutout.images[seen] / rms[seen, None, None]).sum(axis=0) / np.sqrt(seen.sum())
    objects, labels = sep.extract(
        np.ascontiguousarray(significance, dtype=np.float32),
        options.thresh,
        err=1.0,
        mask=~footprint.on(cutout.box),
        minarea=options.minarea,
        deblend_nthresh=options.deblend_nthresh,
        deblend_cont=options.deblend_cont,
        segmentation_map=True,
    )
    return labels, np.stack([objects["y"], objects["x"]], axis=1)


def _template(cutout: Cutout, segment: Image) -> TemplateComponent:
    """Observed pixels of a segment; where none is positive, 1e-3 of the noise, so that they are the child's still."""
    rms = np.where(np.isfinite(cutout.noise_rms), cutout.noise_rms, 1.0)
    cube = np.maximum(cutout.images, 1e-3 * rms[:, None, None]) * segment.array
    return TemplateComponent(cutout.box, cube.astype(np.float32))
