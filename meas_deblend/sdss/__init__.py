"""The single-band deblender: point-source and symmetric templates, one band at a time."""

from .config import SingleBandConfig
from .deblend import deblend_parent
from .parent import PeakTemplate, PointSource
from .result import SingleBandChild, SingleBandResult
from .templates import build_templates

__all__ = [
    "PeakTemplate",
    "PointSource",
    "SingleBandChild",
    "SingleBandConfig",
    "SingleBandResult",
    "build_templates",
    "deblend_parent",
]
