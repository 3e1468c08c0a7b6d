"""What a deblender returns and a store keeps: components, sources, blends and parents as frozen values."""

from .values import BlendModel, Component, FactorizedComponent, ParentModel, SourceModel, TemplateComponent

__all__ = [
    "BlendModel",
    "Component",
    "FactorizedComponent",
    "ParentModel",
    "SourceModel",
    "TemplateComponent",
]
