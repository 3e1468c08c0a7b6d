"""What became of injected sources: biases and completeness against separation, contrast and contamination."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .style import PALETTE, TEXT_SIZE, dress_axes, new_figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

__all__ = ["injection_figure"]

_AXES = {
    "separation": "distance to the nearest source (FWHM)",
    "contrast": "flux / flux of the nearest source",
    "kappa": "contamination κ",
}
_COLORS = ("vermilion", "blue", "green", "purple", "sky", "orange", "black")
_MOST_FLUX, _MOST_COLOR = 1.0, 0.5


def injection_figure(summary: Mapping[str, Any], title: str = "") -> Figure:
    """Draw completeness, flux bias and colour bias of all deblenders of an injection.

    Parameters
    ----------
    summary : mapping
        What `inject` writes as ``summary.json``.
    title : str
        Title of the figure.

    Returns
    -------
    matplotlib Figure
        Rows: completeness, flux bias in the reference band, colour bias (only with several bands); columns:
        separation, contrast, contamination. Points lie in the middle of their bins, open bins at their closed end;
        bars are standard errors.
    """
    from ..inject import reference_color  # noqa: PLC0415 - it loads the simulations, which no other figure needs

    band = summary["reference_band"]
    color = reference_color(summary["bands"], band)
    rows: list[tuple[str, tuple[str, ...], float | None]] = [
        ("recovered", ("completeness",), None),
        (f"{band} flux: child / truth − 1", ("bands", band, "aperture"), _MOST_FLUX),
    ]
    if color:
        rows.append((f"({color}) − truth [mag]", ("colors", color), _MOST_COLOR))
    figure = new_figure(10.2, 0.6 + 2.4 * len(rows))
    grid = figure.subplots(len(rows), len(_AXES), sharex="col", sharey="row", squeeze=False)
    for line, (label, path, most) in zip(grid, rows, strict=True):
        for axes, (axis, meaning) in zip(line, _AXES.items(), strict=True):
            _panel(axes, summary["deblenders"], axis, path)
            last = label == rows[-1][0]
            dress_axes(axes, "", meaning if last else "", label if axis == "separation" else "")
        # Few sources may be wrong by so much that all others would lie on one line.
        low, high = line[0].get_ylim()
        line[0].set_ylim((-0.05, 1.05) if most is None else (max(low, -most), min(high, most)))
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=TEXT_SIZE, frameon=False, ncols=len(labels), loc="outside lower center")
    if title:
        figure.suptitle(title, fontsize=TEXT_SIZE + 2)
    return figure


def _panel(axes: Any, deblenders: Mapping[str, Any], axis: str, path: Sequence[str]) -> None:
    logarithmic = axis != "separation"
    if logarithmic:
        axes.set_xscale("log")
        # Less than a decade would have labels between the powers of ten too, too many of them.
        axes.xaxis.set_minor_formatter("")
    axes.axhline(0, color=PALETTE["black"], lw=0.7)
    for k, (name, numbers) in enumerate(deblenders.items()):
        shift = (k - (len(deblenders) - 1) / 2) * 0.04
        points = [
            (_place(entry["low"], entry["high"], logarithmic, shift), found["value"], found["error"] or 0.0)
            for entry in numbers[axis]
            if (found := _follow(entry, path))["value"] is not None
        ]
        x, y, error = np.array(points).reshape(-1, 3).T
        color = PALETTE[_COLORS[k % len(_COLORS)]]
        axes.errorbar(x, y, yerr=error, fmt="o-", ms=3.5, lw=1.1, elinewidth=0.9, color=color, label=name)


def _follow(entry: Mapping[str, Any], path: Sequence[str]) -> Mapping[str, Any]:
    value: Any = entry
    for part in path:
        value = value[part]
    found: Mapping[str, Any] = value
    return found


def _place(low: float | None, high: float | None, logarithmic: bool, shift: float) -> float:
    """Where a bin is drawn; those of several deblenders a little beside each other."""
    if high is None:
        high = (low or 1.0) * (3 if logarithmic else 1.4)
    if logarithmic:
        low = high / 3 if not low or low <= 0 else low
        return float(np.sqrt(low * high) * (1 + 2 * shift))
    return ((low or 0.0) + high) / 2 + shift
