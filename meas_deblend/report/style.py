"""One look for all figures: colours, sizes and axes. Nothing here changes matplotlib's global settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .bands import band_letter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

__all__ = [
    "BAND_COLORS",
    "INK",
    "OUTCOME_COLORS",
    "PALETTE",
    "band_color",
    "dress_axes",
    "new_figure",
    "sky_axes",
]

# Okabe & Ito (2008): distinguishable with every common form of colour blindness, and in grey.
PALETTE = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "purple": "#CC79A7",
}
INK = "#1F2430"
FAINT_INK = "#6B7280"
TITLE_SIZE = 10.5
TEXT_SIZE = 8.5

BAND_COLORS = {
    "u": "#785EF0",
    "g": PALETTE["blue"],
    "r": PALETTE["green"],
    "i": PALETTE["orange"],
    "z": PALETTE["vermilion"],
    "y": "#882255",
}
"""Colours of curves per band, from blue to red."""

OUTCOME_COLORS = {"ok": "#FFFFFF", "degraded": PALETTE["orange"], "failed": "#FF5C39", "isolated": "#9AA5B1"}
"""Colours of a parent's outline by what became of it."""


def band_color(band: str, bands: Sequence[str]) -> str:
    """Colour of ``band``; names other than u g r i z y take turns in the palette."""
    letters = [band_letter(b) for b in bands]
    own = band_letter(band)
    if own in BAND_COLORS and letters.count(own) == 1:
        return BAND_COLORS[own]
    turns = list(PALETTE.values())[1:]
    return turns[list(bands).index(band) % len(turns)]


def dress_axes(axes: Any, title: str, xlabel: str = "", ylabel: str = "") -> None:
    """Give a plot of curves its title, labels and light frame."""
    axes.set_title(title, fontsize=TITLE_SIZE, color=INK, loc="left")
    axes.set_xlabel(xlabel, fontsize=TEXT_SIZE, color=INK)
    axes.set_ylabel(ylabel, fontsize=TEXT_SIZE, color=INK)
    axes.tick_params(which="both", labelsize=TEXT_SIZE - 1, colors=FAINT_INK, length=3, width=0.6)
    for side, spine in axes.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(FAINT_INK)
        spine.set_linewidth(0.6)
    axes.grid(visible=True, color="#E5E7EB", linewidth=0.6)
    axes.set_axisbelow(True)


def sky_axes(axes: Any, title: str, *, ticks: bool = True) -> None:
    """Give a picture of the sky its title and few, small pixel ticks."""
    axes.set_title(title, fontsize=TITLE_SIZE, color=INK, loc="left")
    axes.tick_params(labelsize=TEXT_SIZE - 1.5, colors=FAINT_INK, length=2.5, width=0.6, direction="out")
    axes.locator_params(nbins=5, integer=True)
    if not ticks:
        axes.set_xticks([])
        axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(FAINT_INK)
        spine.set_linewidth(0.6)


def new_figure(width: float, height: float) -> Figure:
    """Empty figure of ``width`` × ``height`` inches that arranges its panels itself and needs no display."""
    # A Figure of its own, never pyplot: nothing is kept alive, no display is needed, and threads do not meet.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - only loaded to draw
    from matplotlib.figure import Figure  # noqa: PLC0415 - only loaded to draw

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure
