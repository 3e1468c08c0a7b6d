"""Deblending with templates from each band on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from ..models import BlendModel, ParentModel, SourceModel
from ..sdss.config import SingleBandConfig
from .psfs import parent_psfs
from .templates import parent_templates

if TYPE_CHECKING:
    from ..geometry import Parent
    from ..image import MultibandExposure

__all__ = ["SingleBand", "SingleBandOptions"]


class SingleBandOptions(BaseModel):
    """How templates are made band by band."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    templates: SingleBandConfig = Field(SingleBandConfig(), description="Point-source and symmetric templates.")
    catch_failures: bool = Field(
        True, description="Go on without a band whose templates raised an error, instead of raising it."
    )


class SingleBand:
    """Point-source and symmetric templates (Lupton et al. 2001, ASP Conf. 238, 269), independent in every band.

    A peak for which no band has a template gets the PSF, scaled to its pixel; without flux there it has no model.
    """

    name: ClassVar[str] = "single_band"
    Options: ClassVar[type[BaseModel]] = SingleBandOptions

    def __call__(self, exposure: MultibandExposure, parent: Parent, options: SingleBandOptions) -> ParentModel:
        """Return the model; see `Deblender`.

        Outcome "degraded" with reason "template_failed" if a band raised an error or a peak has no template of its
        own, "failed" if no peak has any model ("no_data" where no pixel is usable).
        """
        psfs = parent_psfs(exposure, parent)
        peaks = parent.footprint.peaks
        made = parent_templates(exposure, parent, psfs, options.templates, catch=options.catch_failures)
        sources = tuple(SourceModel(p.id, p, m.components, m.flags) for p, m in zip(peaks, made.peaks, strict=True))
        lacking = [str(p.id) for p, m in zip(peaks, made.peaks, strict=True) if not m.own]
        messages = [*made.problems, *([f"no template of their own: peaks {', '.join(lacking)}"] if lacking else [])]
        outcome, reason = ("degraded", "template_failed") if messages else ("ok", "")
        if peaks and not any(s.components for s in sources):
            outcome, reason = "failed", "template_failed" if made.has_data else "no_data"
        return ParentModel(
            parent.id,
            parent.footprint,
            (BlendModel(0, parent.footprint.box, sources),),
            psfs.stamps,
            deblender=self.name,
            outcome=outcome,
            reason=reason,
            message="; ".join(messages),
            warnings=psfs.warnings + made.warnings,
        )
