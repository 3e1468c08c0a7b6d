"""Figures of the sky: data, model and residual of a field or of one parent, and its sources one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..geometry import Box
from .overlays import MAX_NUMBERS, draw_marks, draw_outlines, draw_scale_bar
from .panels import SIGMA_LIMIT, block_factor, show_colour, show_sigma
from .rgb import AsinhStretch
from .style import INK, TEXT_SIZE, TITLE_SIZE, band_color, dress_axes, new_figure, sky_axes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from .scene import Scene, SourceView

__all__ = ["band_figure", "blend_figure", "field_figure"]

_ROW_PANEL = 3.7  # inches, longer side of a panel, four in a row
_SQUARE_PANEL = 6.2  # inches, two by two
_LARGE_FIELD = 160  # pixels: larger fields are drawn two by two
_MANY_MARKS = 25
_STRIP = 1.9  # inches, height of a source's strip
_STRIPS_PER_ROW = 2
_STRIP_MARGIN = 4  # pixels
_FAINT = 0.01


def field_figure(scene: Scene, title: str = "") -> Figure:
    """Draw data, model, residual with the same stretch, and residual in σ.

    Parameters
    ----------
    scene : Scene
        What is drawn; its marks are numbered on the data, and its outlines drawn on data and σ.
    title : str
        Line above the panels.

    Returns
    -------
    matplotlib Figure
        Four panels and a colour bar, in a row, or two by two for large or crowded fields. Pixel axes of the
        exposure, first row at the bottom.
    """
    large = max(scene.box.shape) > _LARGE_FIELD or len(scene.marks) > _MANY_MARKS
    rows, columns, panel = (2, 2, _SQUARE_PANEL) if large else (1, 4, _ROW_PANEL)
    height, width = _panel_inches(scene.box, panel)
    figure = new_figure(columns * (width + 0.45) + 0.6, rows * (height + 0.5) + 0.4)
    axes = np.ravel(figure.subplots(rows, columns, squeeze=False))
    _draw_field(figure, axes, scene, panel)
    if title:
        figure.suptitle(title, fontsize=TITLE_SIZE + 1.5, color=INK, fontweight="bold")
    return figure


def blend_figure(scene: Scene, sources: Sequence[SourceView], title: str = "", max_sources: int = 12) -> Figure:
    """Draw one parent as `field_figure` does, and a strip per source: model, re-apportioned pixels, spectrum.

    Parameters
    ----------
    scene : Scene
        Cut-out of the parent.
    sources : sequence of SourceView
        Its children.
    title : str
        Line above the panels.
    max_sources : int
        Only the brightest are drawn; the title of the strips says of how many.

    Returns
    -------
    matplotlib Figure
        All pictures have the stretch of the data.
    """
    shown = _brightest(sources, max_sources)
    rows = -(-len(shown) // _STRIPS_PER_ROW)
    height, width = _panel_inches(scene.box, _ROW_PANEL)
    top_inches, bottom_inches = height + 0.9, rows * _STRIP + (0.5 if rows else 0)
    figure = new_figure(max(4 * (width + 0.45) + 0.6, 8.0), top_inches + bottom_inches)
    heights = [top_inches, bottom_inches] if rows else [top_inches]
    parts: Any = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    _draw_field(parts[0], np.ravel(parts[0].subplots(1, 4, squeeze=False)), scene, _ROW_PANEL)
    if rows:
        widths = [1.0, 1.0, 1.6] * _STRIPS_PER_ROW
        axes = parts[1].subplots(rows, 3 * _STRIPS_PER_ROW, squeeze=False, width_ratios=widths)
        _draw_strips(axes.reshape(-1, 3), shown, scene)
        if len(shown) < len(sources):
            text = f"the {len(shown)} brightest of {len(sources)} sources"
            parts[1].suptitle(text, fontsize=TEXT_SIZE, color=INK)
    if title:
        figure.suptitle(title, fontsize=TITLE_SIZE + 1.5, color=INK, fontweight="bold")
    return figure


def band_figure(scene: Scene, title: str = "") -> Figure:
    """Draw data, model and residual in σ, one row per band: what a sum over bands would hide.

    Returns
    -------
    matplotlib Figure
        Data and model of a band have the same grey scale (asinh); the residual runs over ±5 σ.
    """
    noise, bad = scene.noise, scene.bad
    height, width = _panel_inches(scene.box, 2.6)
    n = len(scene.bands)
    figure = new_figure(3 * (width + 0.4) + 0.9, n * (height + 0.3) + 0.5)
    axes = figure.subplots(n, 3, squeeze=False)
    image = None
    for k, band in enumerate(scene.bands):
        significance = scene.significance(k)
        single = _grey_stretch(scene, k, noise)
        unusable = bad[k : k + 1]
        show_colour(axes[k, 0], scene.images[k : k + 1], scene.box, single, unusable)
        show_colour(axes[k, 1], scene.model[k : k + 1], scene.box, single)
        image = show_sigma(axes[k, 2], significance, scene.box)
        rms = _rms(significance)
        for column, text in enumerate((f"{band}: data", f"{band}: model", f"{band}: residual in σ, rms {rms}")):
            sky_axes(axes[k, column], text)
    _colour_bar(figure, image, list(axes[:, 2]))
    if title:
        figure.suptitle(title, fontsize=TITLE_SIZE + 1.5, color=INK, fontweight="bold")
    return figure


def _draw_field(figure: Any, axes: NDArray[Any], scene: Scene, panel: float) -> None:
    """Fill four axes with data, model, residual and residual in σ of ``scene``."""
    colour = scene.sorted_by_wavelength()
    stretch = colour.stretch()
    box, unusable = scene.box, colour.bad
    pixels_per_point = max(box.shape) / (panel * 72)
    bands = " ".join(colour.bands)
    show_colour(axes[0], colour.images, box, stretch, unusable)
    sky_axes(axes[0], f"data ({bands})")
    show_colour(axes[1], colour.model, box, stretch)
    sky_axes(axes[1], "model")
    show_colour(axes[2], colour.images - colour.model, box, stretch, unusable)
    sky_axes(axes[2], "data − model, same stretch")
    combined = scene.combined_significance()
    image = show_sigma(axes[3], combined, box)
    factor = block_factor(box)
    averaged = f", mean of {factor}×{factor} pixels" if factor > 1 else ""
    sky_axes(axes[3], f"residual in σ, all bands: rms {_rms(combined)}{averaged}")
    draw_outlines(axes[0], scene.outlines, pixels_per_point)
    draw_marks(axes[0], scene.marks, pixels_per_point)
    if len(scene.marks) <= MAX_NUMBERS:
        draw_marks(axes[3], scene.marks, pixels_per_point, numbers=False)
    if scene.pixel_scale is not None:
        draw_scale_bar(axes[0], box, scene.pixel_scale, scene.marks)
    _colour_bar(figure, image, [axes[3]])


def _draw_strips(axes: NDArray[Any], sources: Sequence[SourceView], scene: Scene) -> None:
    """Fill rows of three axes with model, re-apportioned pixels and spectrum of each source."""
    colour = scene.sorted_by_wavelength()
    stretch = colour.stretch()
    order = [scene.bands.index(b) for b in colour.bands]
    for (left, middle, right), source in zip(axes, sources, strict=False):
        name = source.mark.label or "source"
        window = _window(source)
        cut = (order, *window.slices_in(source.box))
        _picture(left, source.model[cut], window, stretch, f"{name}: model")
        _picture(middle, source.pixels[cut], window, stretch, "re-apportioned")
        _draw_spectrum(right, source, scene)
    for unused in axes[len(sources) :].ravel():
        unused.set_axis_off()


def _window(source: SourceView) -> Box:
    """Part of the source's box that is shown: where its model is above 1 % of its maximum, and some pixels more."""
    light = np.nan_to_num(np.clip(source.model, 0, None)).sum(axis=0)
    if not light.any():
        return source.box
    return Box.from_mask(light > _FAINT * light.max(), source.box.origin).grow(_STRIP_MARGIN) & source.box


def _picture(axes: Any, cube: NDArray[Any], box: Box, stretch: AsinhStretch, title: str) -> None:
    if box.is_empty:
        axes.set_axis_off()
        return
    show_colour(axes, cube, box, stretch)
    sky_axes(axes, title)
    axes.locator_params(nbins=3, integer=True)


def _draw_spectrum(axes: Any, source: SourceView, scene: Scene) -> None:
    position = np.arange(len(scene.bands))
    colors = [band_color(band, scene.bands) for band in scene.bands]
    axes.plot(position, source.flux, color="#9CA3AF", lw=0.9, zorder=1)
    for x, flux, error, color in zip(position, source.flux, source.flux_err, colors, strict=True):
        if np.isfinite(error):
            axes.errorbar(x, flux, yerr=error, fmt="none", ecolor=color, elinewidth=1.1, capsize=2, zorder=2)
        axes.plot(x, flux, "o", color=color, ms=4.5, zorder=3)
    axes.axhline(0, color=INK, lw=0.5)
    dress_axes(axes, source.note, ylabel=f"flux ({scene.unit})")
    axes.set_title(source.note, fontsize=TEXT_SIZE, color=INK, loc="left")
    axes.set_xticks(position, scene.bands)
    axes.margins(x=0.1, y=0.15)


def _colour_bar(figure: Any, image: Any, axes: list[Any]) -> None:
    # One bar beside a column of panels keeps the width that it has beside a single one.
    n = len(axes)
    bar = figure.colorbar(
        image, ax=axes, shrink=0.9 / max(1, n / 2), fraction=0.1 / n, pad=0.02, aspect=30, extend="both"
    )
    bar.set_ticks(np.linspace(-SIGMA_LIMIT, SIGMA_LIMIT, 5))
    bar.set_label("(data − model) / σ", fontsize=TEXT_SIZE, color=INK)
    bar.ax.tick_params(labelsize=TEXT_SIZE - 1, length=2.5, width=0.6)
    bar.outline.set_linewidth(0.5)


def _panel_inches(box: Box, longest: float) -> tuple[float, float]:
    """Height and width of a panel whose longer side is ``longest``; very narrow boxes keep room for the titles."""
    h, w = (max(side, 1) for side in box.shape)
    scale = longest / max(h, w)
    return max(h * scale, 1.2), max(w * scale, 2.2)


def _grey_stretch(scene: Scene, band: int, noise: NDArray[np.float64]) -> AsinhStretch:
    plane = np.where(scene.bad[band], np.nan, scene.images[band])
    return AsinhStretch.from_images(plane[None], noise[band : band + 1])


def _brightest(sources: Sequence[SourceView], count: int) -> list[SourceView]:
    """At most ``count`` sources with the largest total flux, in their own order."""
    total = np.array([np.nansum(s.flux) for s in sources])
    chosen = set(np.argsort(-total, kind="stable")[:count].tolist())
    return [s for k, s in enumerate(sources) if k in chosen]


def _rms(values: NDArray[np.float64]) -> str:
    finite = values[np.isfinite(values)]
    return f"{np.sqrt(np.mean(finite**2)):.2f}" if finite.size else "—"
