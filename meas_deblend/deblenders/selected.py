"""Parents of a patch that are not to be deblended keep their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .failed import parent_without_models
from .pseudo import deblend_unless_sky

if TYPE_CHECKING:
    from pydantic import BaseModel

    from ..geometry import Parent
    from ..image import MultibandExposure
    from ..models import ParentModel
    from .protocol import Deblender

__all__ = ["deblend_if_selected"]

_WHY = "only some parents of the patch were to be deblended"


def deblend_if_selected(
    deblender: Deblender, exposure: MultibandExposure, parent: Parent, options: BaseModel | None
) -> ParentModel:
    """Deblend a parent; one that is not selected gets a source without model per peak, and the reason not_selected.

    Parameters
    ----------
    deblender : Deblender
    exposure : MultibandExposure
    parent : Parent
    options : instance of ``deblender.Options``
    """
    if parent.selected:
        return deblend_unless_sky(deblender, exposure, parent, options)
    return parent_without_models(exposure, parent, deblender.name, _WHY, "not_selected")
