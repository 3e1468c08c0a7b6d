"""The ladder at work: which objects are on which rung, on the sky and counted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from .overlays import MAX_NUMBERS, draw_outlines, draw_scale_bar
from .panels import show_colour
from .style import FAINT_INK, INK, PALETTE, TEXT_SIZE, TITLE_SIZE, dress_axes, new_figure, sky_axes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from .scene import Scene

__all__ = ["ladder_figure"]

_PANEL = 6.2  # inches, longer side of the picture
_COUNTS = 3.4  # inches, width of the bars
# From a calm blue at the top to red at the bottom.
_COLORS = (PALETTE["sky"], PALETTE["green"], PALETTE["yellow"], PALETTE["orange"], PALETTE["vermilion"], "#882255")


def ladder_figure(
    scene: Scene, rungs: Sequence[str], reasons: Sequence[str], ladder: Sequence[str], title: str = ""
) -> Figure:
    """Draw every object in the colour of its rung, and count objects by rung and reason.

    Parameters
    ----------
    scene : Scene
        Data and marks; its model is not looked at.
    rungs, reasons : sequence of str
        Of the objects that the scene's marks stand for, in their order.
    ladder : sequence of str
        Rungs, top to bottom: their order, and their colours. Others come behind them.
    title : str
        Line above the panels.

    Returns
    -------
    matplotlib Figure
        The picture of the data, and bars.

    Raises
    ------
    ValueError
        If there is not one rung and one reason per mark.
    """
    if not len(scene.marks) == len(rungs) == len(reasons):
        raise ValueError(f"{len(scene.marks)} marks, {len(rungs)} rungs and {len(reasons)} reasons: give one for each")
    order = [rung for rung in ladder if rung in rungs] + sorted(set(rungs) - set(ladder))
    colors = {rung: _COLORS[min(_place(rung, ladder), len(_COLORS) - 1)] for rung in order}
    h, w = scene.box.shape
    scale = _PANEL / max(h, w)
    height, width = max(h * scale, 2.4), max(w * scale, 2.4)
    figure = new_figure(width + _COUNTS + 1.6, height + 0.8)
    left, right = figure.subplots(1, 2, width_ratios=[width, _COUNTS])
    _draw_sky(left, scene, rungs, colors, max(h, w) / (_PANEL * 72))
    _draw_counts(right, rungs, reasons, colors)
    if title:
        figure.suptitle(title, fontsize=TITLE_SIZE + 1.5, color=INK, fontweight="bold")
    return figure


def _place(rung: str, ladder: Sequence[str]) -> int:
    return list(ladder).index(rung) if rung in ladder else len(ladder)


def _draw_sky(axes: Any, scene: Scene, rungs: Sequence[str], colors: dict[str, str], pixels_per_point: float) -> None:
    colour = scene.sorted_by_wavelength()
    show_colour(axes, colour.images, scene.box, colour.stretch(), colour.bad)
    sky_axes(axes, f"data ({' '.join(colour.bands)}), objects by rung")
    draw_outlines(axes, scene.outlines, pixels_per_point)
    places = np.array([(mark.y, mark.x) for mark in scene.marks]).reshape(-1, 2)
    size = 4.5 if len(scene.marks) <= MAX_NUMBERS else 2.0
    for rung, color in colors.items():
        own = places[[one == rung for one in rungs]]
        axes.plot(own[:, 1], own[:, 0], "o", ms=size, mfc=color, mec="black", mew=0.5, ls="none")
    if scene.pixel_scale is not None:
        draw_scale_bar(axes, scene.box, scene.pixel_scale, scene.marks)


def _draw_counts(axes: Any, rungs: Sequence[str], reasons: Sequence[str], colors: dict[str, str]) -> None:
    """One bar per rung and reason, in the order of the rungs."""
    found = Counter(zip(rungs, reasons, strict=True))
    rows = sorted(found, key=lambda pair: (list(colors).index(pair[0]), pair[1]))
    position = np.arange(len(rows))
    counts = [found[row] for row in rows]
    axes.barh(position, counts, color=[colors[rung] for rung, _ in rows], height=0.6, edgecolor=FAINT_INK, lw=0.5)
    labels = [(rung or "no ladder") + (f"\n{reason}" if reason else "") for rung, reason in rows]
    axes.set_yticks(position, labels)
    axes.invert_yaxis()
    for y, count in zip(position, counts, strict=True):
        axes.annotate(f" {count}", (count, y), va="center", fontsize=TEXT_SIZE, color=INK)
    dress_axes(axes, "objects", xlabel="number")
    axes.margins(x=0.15)
    axes.grid(visible=False, axis="y")
