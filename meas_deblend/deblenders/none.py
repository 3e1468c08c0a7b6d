"""No deblending: the baseline that the others are compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from ..models import BlendModel, ParentModel, SourceModel, TemplateComponent
from .cutout import cut_out
from .psfs import parent_psfs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import Parent
    from ..image import MultibandExposure
    from .cutout import Cutout

__all__ = ["NoDeblending", "NoneOptions"]


class NoneOptions(BaseModel):
    """There is nothing to choose."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NoDeblending:
    """Leaves each parent whole: its brightest peak's child has all pixels of the footprint, the others have none.

    Were every child given all pixels, the shares would cut the flux into equal parts that no measurement means;
    so the flux is counted once, with the object that a catalog without deblending would list.
    """

    name: ClassVar[str] = "none"
    Options: ClassVar[type[BaseModel]] = NoneOptions

    def __call__(
        self,
        exposure: MultibandExposure,
        parent: Parent,
        options: NoneOptions,  # noqa: ARG002 - every deblender is called with its options
    ) -> ParentModel:
        """Return the model; see `Deblender`. Outcome is always "ok"."""
        peaks = parent.footprint.peaks
        cutout = cut_out(exposure, parent.footprint.box)
        whole = _whole_template(cutout, parent)
        brightest = _brightest(cutout, parent)
        sources = tuple(
            SourceModel(peak.id, peak, (whole,))
            if k == brightest
            else SourceModel(peak.id, peak, (), frozenset({"deblend_noModel"}))
            for k, peak in enumerate(peaks)
        )
        psfs = parent_psfs(exposure, parent)
        blend = BlendModel(0, parent.footprint.box, sources)
        return ParentModel(
            parent.id, parent.footprint, (blend,), psfs.stamps, deblender=self.name, warnings=psfs.warnings
        )


def _whole_template(cutout: Cutout, parent: Parent) -> TemplateComponent:
    """Observed footprint pixels, raised where they are not positive so that the child's share is 1 everywhere."""
    # Far below the noise: it decides who gets the pixel, and adds nothing to the template's flux.
    floor = 1e-3 * _noise(cutout)
    cube = np.maximum(cutout.images, floor) * parent.footprint.on(cutout.box)
    return TemplateComponent(cutout.box, cube.astype(np.float32))


def _brightest(cutout: Cutout, parent: Parent) -> int:
    """Index of the peak with the highest value; given positions have none and are judged by Σ image / noise."""
    peaks = parent.footprint.peaks
    values = [p.value for p in peaks]
    if not np.isfinite(values).all():
        y0, x0 = cutout.box.origin
        heights = (cutout.images / _noise(cutout)).sum(axis=0)
        inside = [cutout.box.contains(p.y, p.x) for p in peaks]
        values = [float(heights[p.y - y0, p.x - x0]) if ok else -np.inf for p, ok in zip(peaks, inside, strict=True)]
    return int(np.argmax(values)) if peaks else -1


def _noise(cutout: Cutout) -> NDArray[np.float64]:
    """Noise (band, 1, 1) of a pixel; 1 for a band without usable pixels, whose image is 0."""
    rms = cutout.noise_rms[:, None, None]
    return np.where(np.isfinite(rms), rms, 1.0)
