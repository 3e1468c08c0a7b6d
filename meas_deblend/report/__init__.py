"""Figures: colour pictures of data, model and residual, the sources of a blend, convergence and flux ledgers.

Importing this package does not load matplotlib: that happens when the first figure is drawn. No function uses
pyplot or changes matplotlib's settings, so figures can be drawn without a display, in threads and in notebooks
that have a style of their own.
"""

from .bands import band_letter, display_order
from .curves import ledger_figure, loss_figure
from .figures import band_figure, blend_figure, field_figure
from .injection import injection_figure
from .ladder import ladder_figure
from .rgb import MASKED_GREY, AsinhStretch, channel_map, to_rgb
from .save import save_figure
from .scene import Mark, Outline, Scene, SourceView

__all__ = [
    "MASKED_GREY",
    "AsinhStretch",
    "Mark",
    "Outline",
    "Scene",
    "SourceView",
    "band_figure",
    "band_letter",
    "blend_figure",
    "channel_map",
    "display_order",
    "field_figure",
    "injection_figure",
    "ladder_figure",
    "ledger_figure",
    "loss_figure",
    "save_figure",
    "to_rgb",
]
