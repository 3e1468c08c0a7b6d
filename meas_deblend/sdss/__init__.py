"""The single-band deblender: point-source and symmetric templates, one band at a time."""

from .config import SingleBandConfig
from .deblend import deblend_parent
from .parent import ParentInput, PeakTemplate, PointSource
from .result import SingleBandChild, SingleBandResult
from .templates import build_templates

__all__ = [
    "ParentInput",
    "PeakTemplate",
    "PointSource",
    "SingleBandChild",
    "SingleBandConfig",
    "SingleBandResult",
    "build_templates",
    "deblend_parent",
]
