"""What a deblender returns and a store keeps: components, sources, blends and parents as frozen values."""

from .flux import model_flux
from .values import (
    BlendModel,
    Component,
    FactorizedComponent,
    ParentModel,
    PointSourceFit,
    SourceModel,
    TemplateComponent,
)

__all__ = [
    "BlendModel",
    "Component",
    "FactorizedComponent",
    "ParentModel",
    "PointSourceFit",
    "SourceModel",
    "TemplateComponent",
    "model_flux",
]
