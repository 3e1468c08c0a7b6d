"""What stands for a parent that was not deblended, or on which its deblender raised an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..models import BlendModel, ParentModel, SourceModel
from .psfs import parent_psfs

if TYPE_CHECKING:
    from ..geometry import Parent
    from ..image import MultibandExposure

__all__ = ["parent_without_models"]


def parent_without_models(
    exposure: MultibandExposure, parent: Parent, deblender: str, message: str, reason: str = "fit_failed"
) -> ParentModel:
    """Parent model in which every peak has a source, and no source a component.

    Parameters
    ----------
    exposure : MultibandExposure
    parent : Parent
    deblender : str
        Name of the deblender that was asked for.
    message : str
        What it raised, or which limit the parent exceeds.
    reason : str
        One of the reasons of the catalog.

    Returns
    -------
    ParentModel
        Outcome "failed".
    """
    psfs = parent_psfs(exposure, parent)
    nothing = frozenset({"deblend_noModel"})
    sources = tuple(SourceModel(peak.id, peak, (), nothing) for peak in parent.footprint.peaks)
    return ParentModel(
        parent.id,
        parent.footprint,
        (BlendModel(0, parent.footprint.box, sources),),
        psfs.stamps,
        deblender=deblender,
        outcome="failed",
        reason=reason,
        message=message,
        warnings=psfs.warnings,
    )
