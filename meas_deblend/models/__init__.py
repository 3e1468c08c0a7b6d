"""What a deblender returns and a store keeps: components, sources, blends and parents as frozen values."""

from .flux import model_flux, model_fluxes
from .values import (
    AnyComponent,
    BlendModel,
    Component,
    FactorizedComponent,
    ParentModel,
    PointComponent,
    PointSourceFit,
    ProfileComponent,
    SourceModel,
    TemplateComponent,
)

__all__ = [
    "AnyComponent",
    "BlendModel",
    "Component",
    "FactorizedComponent",
    "ParentModel",
    "PointComponent",
    "PointSourceFit",
    "ProfileComponent",
    "SourceModel",
    "TemplateComponent",
    "model_flux",
    "model_fluxes",
]
