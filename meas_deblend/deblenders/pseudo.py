"""Sky objects: measured, but never deblended."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..detect import is_sky
from .none import NoDeblending, NoneOptions

if TYPE_CHECKING:
    from ..geometry import Parent
    from ..image import MultibandExposure
    from ..models import ParentModel
    from .protocol import Deblender

__all__ = ["deblend_unless_sky", "sky_model"]


def sky_model(exposure: MultibandExposure, parent: Parent) -> ParentModel:
    """Model of a sky object: its source has all pixels, and carries the flag ``merge_peak_sky``."""
    whole = NoDeblending()(exposure, parent, NoneOptions())
    (blend,) = whole.blends
    sources = tuple(replace(source, flags=source.flags | {"merge_peak_sky"}) for source in blend.sources)
    return replace(whole, blends=(replace(blend, sources=sources),), reason="pseudo")


def deblend_unless_sky(deblender: Deblender, exposure: MultibandExposure, parent: Parent, options: Any) -> ParentModel:
    """Return what a deblender makes of a parent, or the model of a sky object."""
    return sky_model(exposure, parent) if is_sky(parent) else deblender(exposure, parent, options)
