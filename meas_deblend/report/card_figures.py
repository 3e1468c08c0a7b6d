"""Figures of an evaluation card: errors of fluxes, colours and shapes against truth."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from ..evaluate import BIN_EDGES, colour_residuals, kept, reference_band
from .style import INK, PALETTE, TEXT_SIZE, dress_axes, new_figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from ..evaluate import Scores, ScoreTable

__all__ = [
    "bias_figure",
    "boxes_figure",
    "colour_figure",
    "comparison_figure",
    "cumulative_figure",
    "likeness_figure",
    "shape_figure",
]

_WAYS = {
    "field": ("neighbours' models: δF/F", PALETTE["blue"]),
    "model": ("own model", PALETTE["orange"]),
    "child": ("re-apportioned child", PALETTE["green"]),
}
_AXES = {
    "snr": "S/N in r (catalog)",
    "beta": "blendedness β",
    "kappa": "contamination κ",
}
_COLOUR_EDGES = (-np.inf, 0.2, 0.4, 0.6, 0.8, 1.0, 1.3, np.inf)


def cumulative_figure(table: ScoreTable) -> Figure:
    """Share of sources with a larger relative flux error, for the three ways and without deblending."""
    scores, band = _kept(table)
    figure = new_figure(6.2, 4.0)
    axes = figure.subplots()
    curves = {name: (label, color, _errors(scores, name)[:, band]) for name, (label, color) in _WAYS.items()}
    curves["none"] = ("no deblending: κ", "#9CA3AF", scores.kappa[:, band])
    for label, color, values in curves.values():
        size = np.sort(np.abs(values[np.isfinite(values)]))
        if size.size:
            axes.step(np.maximum(size, 1e-5), 1 - np.arange(size.size) / size.size, color=color, lw=1.4, label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.axvline(0.1, color=INK, lw=0.6, ls=":")
    dress_axes(axes, f"relative flux error in {table.bands[band]}", "|δF/F|", "share of sources above")
    axes.legend(fontsize=TEXT_SIZE - 1, frameon=False, loc="lower left")
    return figure


def comparison_figure(tables: Mapping[str, ScoreTable]) -> Figure:
    """Share of sources with a larger relative flux error, a curve per deblender: for δF/F, models and children."""
    figure = new_figure(10.2, 4.0)
    panels = figure.subplots(1, 3, sharey=True)
    colors = list(PALETTE.values())[1:]
    for axes, (way, (title, _)) in zip(panels, _WAYS.items(), strict=True):
        for k, (name, table) in enumerate(tables.items()):
            scores, band = _kept(table)
            size = np.abs(_errors(scores, way)[:, band])
            size = np.sort(size[np.isfinite(size)])
            # Without deblending there are no models: their error is 1 for all.
            if size.size and not (way == "model" and name == "none"):
                share = 1 - np.arange(size.size) / size.size
                axes.step(np.maximum(size, 1e-5), share, color=colors[k % len(colors)], lw=1.4, label=name)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.axvline(0.1, color=INK, lw=0.6, ls=":")
        dress_axes(axes, title, "|relative flux error|", "share of sources above" if axes is panels[0] else "")
    panels[0].legend(fontsize=TEXT_SIZE - 1, frameon=False, loc="lower left")
    return figure


def boxes_figure(table: ScoreTable) -> Figure:
    """Relative flux error against S/N, blendedness and contamination: boxes of quartiles, whiskers from 5 to 95 %."""
    scores, band = _kept(table)
    values = {"snr": scores.snr, "beta": scores.beta[:, band], "kappa": scores.kappa[:, band]}
    figure = new_figure(9.6, 3.6)
    panels = figure.subplots(1, 3, sharey=True)
    for axes, (name, title) in zip(panels, _AXES.items(), strict=True):
        _boxes(axes, values[name], scores.field_error[:, band], BIN_EDGES[name])
        axes.set_yscale("symlog", linthresh=1e-3)
        axes.axhline(0, color=INK, lw=0.6)
        dress_axes(axes, "", title, "δF/F" if name == "snr" else "")
    return figure


def bias_figure(card: Mapping[str, Any]) -> Figure:
    """Mean relative flux error with its standard error in bins of contamination, for the three ways."""
    figure = new_figure(6.2, 3.8)
    axes = figure.subplots()
    edges = BIN_EDGES["kappa"]
    for shift, (way, (label, color)) in zip((-0.15, 0, 0.15), _WAYS.items(), strict=True):
        bins = card["bins"][way]["kappa"]
        drawn = [(k + shift, b["bias"], b["bias_error"] or 0) for k, b in enumerate(bins) if b["bias"] is not None]
        if drawn:
            x, y, error = zip(*drawn, strict=True)
            axes.errorbar(x, y, error, fmt="o", ms=4, lw=1.1, capsize=2, color=color, label=label)
    axes.axhline(0, color=INK, lw=0.6)
    axes.set_yscale("symlog", linthresh=1e-2)
    axes.set_xticks(range(len(edges) - 1), _bin_labels(edges), rotation=20)
    dress_axes(axes, f"bias by contamination, {card['band']}", _AXES["kappa"], "mean relative error")
    figure.legend(fontsize=TEXT_SIZE - 1, frameon=False, ncols=3, loc="outside lower center")
    return figure


def colour_figure(table: ScoreTable, zeropoints: Sequence[float | None]) -> Figure | None:
    """Errors of g − r by contamination and by colour: from F^d (the paper's ΔC^T, ΔC^B); None without g, r and AB."""
    scores, band = _kept(table)
    residuals = colour_residuals(scores, table.bands, zeropoints)
    if not residuals:
        return None
    figure = new_figure(9.6, 5.8)
    panels = figure.subplots(2, 2, sharey="row")
    kinds = (("dC_T", "minus the catalog's"), ("dC_B", "minus that without neighbours"))
    for row, (name, minus) in zip(panels, kinds, strict=True):
        by = ((scores.kappa[:, band], BIN_EDGES["kappa"], _AXES["kappa"]), (residuals["g_r"], _COLOUR_EDGES, "g − r"))
        for axes, (values, edges, label) in zip(row, by, strict=True):
            _boxes(axes, values, residuals[name], edges)
            axes.axhline(0, color=INK, lw=0.6)
            dress_axes(axes, "", label, f"g − r {minus} [mag]" if axes is row[0] else "")
    return figure


def likeness_figure(table: ScoreTable) -> Figure:
    """Histograms of 1 − structural similarity and 1 − cosine between models and truth."""
    scores, band = _kept(table)
    figure = new_figure(8.6, 3.4)
    panels = figure.subplots(1, 2, sharey=True)
    curves = (
        ("1 − SSIM", (("whole field", scores.ssim), ("45 × 45 px", scores.ssim_stamp))),
        ("1 − cosine", (("whole field", scores.cos),)),
    )
    bins = np.logspace(-6, 0, 37)
    for axes, (title, kinds) in zip(panels, curves, strict=True):
        for (label, values), color in zip(kinds, (PALETTE["blue"], PALETTE["orange"]), strict=False):
            finite = values[:, band][np.isfinite(values[:, band])]
            if finite.size:
                axes.hist(np.clip(1 - finite, 1e-6, 1), bins, histtype="step", lw=1.4, color=color, label=label)
        axes.set_xscale("log")
        dress_axes(axes, "", title, "sources" if axes is panels[0] else "")
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=TEXT_SIZE - 1, frameon=False)
    return figure


def shape_figure(table: ScoreTable) -> Figure | None:
    """Errors of the ellipticity of models and children, as histograms and in bins; None where none was measured."""
    scores, band = _kept(table)
    if not np.isfinite(scores.e_true).any():
        return None
    figure = new_figure(9.6, 5.8)
    panels = figure.subplots(2, 2)
    bins = np.linspace(-0.3, 0.3, 61)
    for row, axis in zip(panels, (0, 1), strict=True):
        for e, (label, color) in ((scores.e, _WAYS["model"]), (scores.e_child, _WAYS["child"])):
            residual = (e - scores.e_true)[:, axis]
            residual = residual[np.isfinite(residual)]
            if residual.size:
                row[0].hist(np.clip(residual, -0.3, 0.3), bins, histtype="step", lw=1.4, color=color, label=label)
        dress_axes(row[0], "", f"Δe{axis + 1}", "sources")
        _boxes(row[1], scores.kappa[:, band], (scores.e - scores.e_true)[:, axis], BIN_EDGES["kappa"])
        row[1].axhline(0, color=INK, lw=0.6)
        dress_axes(row[1], "", _AXES["kappa"], f"Δe{axis + 1} of models")
    if panels[0][0].get_legend_handles_labels()[0]:
        panels[0][0].legend(fontsize=TEXT_SIZE - 1, frameon=False)
    return figure


def _kept(table: ScoreTable) -> tuple[Scores, int]:
    """Scores of the sources that count, and the index of the reference band."""
    band = reference_band(table.bands)
    return table.scores.take(kept(table.scores, band)), band


def _errors(scores: Scores, way: str) -> NDArray[np.float64]:
    errors: NDArray[np.float64] = getattr(scores, f"{way}_error")
    return errors


def _boxes(axes: Any, by: NDArray[np.float64], values: NDArray[np.float64], edges: Sequence[float]) -> None:
    """Boxes of ``values`` in bins of ``by``; bins with fewer than three values show the values."""
    for k, (low, high) in enumerate(itertools.pairwise(edges)):
        part = values[(by >= low) & (by < high) & np.isfinite(values)]
        if part.size >= 3:
            axes.boxplot(
                part,
                positions=[k],
                widths=0.6,
                whis=(5, 95),
                showfliers=False,
                medianprops={"color": PALETTE["vermilion"]},
                manage_ticks=False,
            )
        else:
            axes.plot(np.full(part.size, k), part, "o", ms=3, color=PALETTE["blue"])
        axes.annotate(str(part.size), (k, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom",
                      fontsize=TEXT_SIZE - 2, color=INK)  # fmt: skip
    axes.set_xlim(-0.6, len(edges) - 1.4)
    axes.set_xticks(range(len(edges) - 1), _bin_labels(edges), rotation=30)


def _bin_labels(edges: Sequence[float]) -> list[str]:
    out = []
    for low, high in itertools.pairwise(edges):
        if not np.isfinite(low):
            out.append(f"< {high:g}")
        elif not np.isfinite(high):
            out.append(f"≥ {low:g}")
        else:
            out.append(f"{low:g}–{high:g}")
    return out
