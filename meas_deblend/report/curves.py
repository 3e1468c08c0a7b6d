"""Figures of numbers: how a fit converged, and where the flux of a parent went."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .style import PALETTE, TEXT_SIZE, dress_axes, new_figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

    from ..geometry import FloatArray

__all__ = ["ledger_figure", "loss_figure"]


def loss_figure(traces: Mapping[str, FloatArray], title: str = "") -> Figure:
    """How fits converged: the loss above its lowest value, on logarithmic axes.

    Parameters
    ----------
    traces : mapping of str to float array (iteration,)
        Loss (−log L, dimensionless) after each iteration, per blend; values that are not finite are left out.
    title : str
        Title of the plot.

    Returns
    -------
    matplotlib Figure
    """
    figure = new_figure(5.6, 3.6)
    axes = figure.subplots()
    colors = list(PALETTE.values())[1:]
    for k, (name, trace) in enumerate(traces.items()):
        values = np.asarray(trace, dtype=np.float64)
        iteration = np.arange(1, len(values) + 1)
        finite = np.isfinite(values)
        above = values[finite] - values[finite].min(initial=np.inf)
        # The lowest value itself has no logarithm: it is the line's end.
        drawn = above > 0
        axes.plot(iteration[finite][drawn], above[drawn], lw=1.3, color=colors[k % len(colors)], label=name)
    axes.set_yscale("log")
    axes.set_xscale("log")
    dress_axes(axes, title or "convergence", "iteration", "loss above its minimum (−log L)")
    if 0 < len(traces) <= 10:
        axes.legend(fontsize=TEXT_SIZE - 1, frameon=False)
    return figure


def ledger_figure(bands: Sequence[str], ledger: Mapping[str, FloatArray], title: str = "") -> Figure:
    """Where the flux of a parent went, per band: to the children, to nobody, or behind a mask.

    Parameters
    ----------
    bands : sequence of str
        Names, one bar each.
    ledger : mapping of str to float array (band,)
        "data", "children", "unassigned" and "masked": sums over the detected footprint, image units.
    title : str
        Title of the plot.

    Returns
    -------
    matplotlib Figure
        Shares of the data's flux, in per cent; what is above 100 is balanced by negative flux.

    Raises
    ------
    ValueError
        If one of the four is missing.
    """
    missing = {"data", "children", "unassigned", "masked"} - set(ledger)
    if missing:
        raise ValueError(f"a ledger has data, children, unassigned and masked; missing: {', '.join(sorted(missing))}")
    data = np.asarray(ledger["data"], dtype=np.float64)
    figure = new_figure(5.6, 1.3 + 0.38 * len(bands))
    axes = figure.subplots()
    kinds = {"children": PALETTE["blue"], "unassigned": PALETTE["orange"], "masked": "#9CA3AF"}
    above, below = np.zeros(len(bands)), np.zeros(len(bands))
    for kind, color in kinds.items():
        flux = np.asarray(ledger[kind], dtype=np.float64)
        share = np.where(data != 0, 100 * flux / np.where(data != 0, data, 1.0), 0.0)
        start = np.where(share >= 0, above, below)
        axes.barh(np.arange(len(bands)), share, left=start, color=color, height=0.7, label=kind)
        above, below = above + np.maximum(share, 0), below + np.minimum(share, 0)
    axes.set_yticks(np.arange(len(bands)), list(bands))
    axes.invert_yaxis()
    axes.axvline(100, color=PALETTE["black"], lw=0.8, ls=":")
    dress_axes(axes, title or "where the flux went", "share of the flux in the detected footprint (%)")
    axes.set_xlim(min(0.0, 1.05 * float(below.min(initial=0.0))), max(104.0, 1.02 * float(above.max(initial=0.0))))
    figure.legend(fontsize=TEXT_SIZE - 1, frameon=False, ncols=3, loc="outside lower center")
    return figure
