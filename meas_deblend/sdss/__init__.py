"""The single-band deblender: point-source and symmetric templates, one band at a time."""

from .arguments import ParentInput
from .config import SingleBandConfig, TemplateConfig
from .deblend import deblend_parent
from .parent import PeakTemplate, PointSource
from .result import SingleBandChild, SingleBandResult
from .templates import build_templates

__all__ = [
    "ParentInput",
    "PeakTemplate",
    "PointSource",
    "SingleBandChild",
    "SingleBandConfig",
    "SingleBandResult",
    "TemplateConfig",
    "build_templates",
    "deblend_parent",
]
