"""What is drawn over a picture of the sky: outlines of footprints, numbers that stay legible, a scale bar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .style import OUTCOME_COLORS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..geometry import BoolArray, Box
    from .scene import Mark, Outline

__all__ = ["MAX_NUMBERS", "border_segments", "draw_marks", "draw_outlines", "draw_scale_bar", "place_labels"]

MAX_NUMBERS = 150
"""With more marks than this in one panel, numbers would cover the picture: only dots are drawn."""

_DIRECTIONS = np.array([(1, 1), (1, -1), (-1, 1), (-1, -1), (1.3, 0), (-1.3, 0), (0, 1.3), (0, -1.3)])
_BAR_LENGTHS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)  # arcseconds


def border_segments(mask: BoolArray, origin: tuple[int, int]) -> NDArray[np.float64]:
    """Lines along the pixel edges that separate true from false pixels.

    Parameters
    ----------
    mask : bool array (y, x)
        Members; everything outside the array is not one.
    origin : tuple of int
        Pixel ``(y, x)`` of the first element.

    Returns
    -------
    float64 array (segment, 2, 2)
        End points ``(x, y)``, in pixel coordinates (an edge lies at a half-integer); straight runs are one segment.
    """
    y0, x0 = origin[0] - 0.5, origin[1] - 0.5
    padded = np.pad(mask, 1).astype(np.int8)
    horizontal = _runs(padded[1:, 1:-1] != padded[:-1, 1:-1])
    vertical = _runs((padded[1:-1, 1:] != padded[1:-1, :-1]).T)
    flat = np.stack([horizontal[:, [1, 0]], horizontal[:, [2, 0]]], axis=1)
    upright = np.stack([vertical[:, [0, 1]], vertical[:, [0, 2]]], axis=1)
    segments: NDArray[np.float64] = np.concatenate([flat, upright]) + np.array([x0, y0])
    return segments


def _runs(edges: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Maximal runs of true values along the rows, as ``(row, first, stop)``."""
    change = np.diff(np.pad(edges.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    row, first = np.nonzero(change == 1)
    stop = np.nonzero(change == -1)[1]
    return np.stack([row, first, stop], axis=1)


def draw_outlines(axes: Any, outlines: Sequence[Outline], pixels_per_point: float) -> None:
    """Draw the borders of ``outlines``, with a legend if some are not "ok"; lines get thinner as pixels get smaller."""
    from matplotlib.collections import LineCollection  # noqa: PLC0415 - matplotlib is only loaded to draw

    width = float(np.clip(1.5 / pixels_per_point, 0.25, 0.7))
    others = []
    for outcome, color in OUTCOME_COLORS.items():
        borders = [
            border_segments(o.footprint.mask, o.footprint.box.origin)
            for o in outlines
            if o.outcome == outcome and not o.footprint.box.is_empty
        ]
        if borders:
            thick = width if outcome in {"ok", "isolated"} else 1.8 * width
            lines: Any = LineCollection(
                list(np.concatenate(borders)),
                colors=color,
                linewidths=thick,
                alpha=0.8,
                capstyle="round",
                label=outcome,
            )
            axes.add_collection(lines, autolim=False)
            others += [lines] if outcome != "ok" else []
    if others:
        axes.legend(
            handles=others,
            loc="upper right",
            fontsize=7,
            labelcolor="white",
            facecolor="black",
            framealpha=0.5,
            edgecolor="none",
        )


def place_labels(centers: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    """Positions for labels beside their centres, away from other centres and from each other.

    Parameters
    ----------
    centers : float64 array (n, 2)
        Positions ``(y, x)``.
    reach : float
        Distance of a label from its centre, in the same units; about the size of a label.

    Returns
    -------
    float64 array (n, 2)
        Position ``(y, x)`` of the middle of each label. One after the other takes the freest of eight directions.
    """
    placed = np.empty((0, 2))
    for center in centers:
        options = center + reach * _DIRECTIONS
        others = np.concatenate([centers[(centers != center).any(axis=1)], placed])
        if len(others):
            distance = np.hypot(*np.moveaxis(options[:, None, :] - others[None], -1, 0)).min(axis=1)
            # All directions beyond three times the reach are equally good: the first, upper right, is taken.
            best = options[int(np.argmax(np.minimum(distance, 3 * reach)))]
        else:
            best = options[0]
        placed = np.concatenate([placed, best[None]])
    return placed


def draw_marks(axes: Any, marks: Sequence[Mark], pixels_per_point: float, *, numbers: bool = True) -> None:
    """Draw a small ring at every mark and, unless there are too many, its label beside it.

    Parameters
    ----------
    axes : matplotlib Axes
    marks : sequence of Mark
    pixels_per_point : float
        Image pixels per typographic point, which sets how far a label is put from its centre.
    numbers : bool
        False for rings only.
    """
    if not marks:
        return
    from matplotlib import patheffects  # noqa: PLC0415 - matplotlib is only loaded to draw

    dark = [patheffects.withStroke(linewidth=1.6, foreground="black", alpha=0.75)]
    centers = np.array([(m.y, m.x) for m in marks], dtype=np.float64)
    size = 2.4 if len(marks) <= MAX_NUMBERS else 1.0
    axes.plot(
        centers[:, 1], centers[:, 0], "o", ms=size, mfc="none", mec="white", mew=0.5, ls="none", path_effects=dark
    )
    if not numbers or len(marks) > MAX_NUMBERS:
        return
    font = 8.0 if len(marks) <= 40 else 6.0
    spots = place_labels(centers, font * pixels_per_point)
    for mark, (y, x) in zip(marks, spots, strict=True):
        if mark.label:
            axes.text(
                x,
                y,
                mark.label,
                color="white",
                fontsize=font,
                ha="center",
                va="center",
                clip_on=True,
                path_effects=dark,
            )


def draw_scale_bar(axes: Any, box: Box, pixel_scale: float, marks: Sequence[Mark] = ()) -> None:
    """Draw a bar of a round number of arcseconds, at most a quarter of the width, where the fewest ``marks`` are."""
    from matplotlib import patheffects  # noqa: PLC0415 - matplotlib is only loaded to draw

    h, w = box.shape
    fitting = [length for length in _BAR_LENGTHS if length <= w * pixel_scale / 4]
    if not fitting:
        return
    length = fitting[-1]
    side = length / pixel_scale
    y, x = _freest_corner(box, side, marks)
    dark = [patheffects.withStroke(linewidth=3, foreground="black", alpha=0.6)]
    axes.plot([x, x + side], [y, y], color="white", lw=1.6, solid_capstyle="butt", path_effects=dark)
    text = f"{length:g}″" if length < 60 else f"{length / 60:g}′"
    style = {"color": "white", "fontsize": 8, "ha": "center", "va": "bottom", "path_effects": dark}
    axes.text(x + side / 2, y + 0.015 * h, text, **style)


def _freest_corner(box: Box, side: float, marks: Sequence[Mark]) -> tuple[float, float]:
    """Left end ``(y, x)`` of a bar in the corner whose ninth of the box holds the fewest marks; lower left if equal."""
    (y0, x0), (h, w) = box.origin, box.shape
    corners = [(y, x) for y in (0.05, 0.9) for x in (0.05, 0.95)]
    near = [sum(abs((m.y - y0) / h - y) < 1 / 3 and abs((m.x - x0) / w - x) < 1 / 3 for m in marks) for y, x in corners]
    y, x = corners[int(np.argmin(near))]
    return y0 + y * h, x0 + x * w - (side if x > 0.5 else 0.0)
