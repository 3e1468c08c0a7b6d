"""The figures of a run: the whole field, and its largest blends one by one."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from .apportion import render_templates
from .geometry import Box, Image
from .products import RUNGS
from .report import (
    Mark,
    Outline,
    Scene,
    SourceView,
    band_figure,
    blend_figure,
    field_figure,
    ladder_figure,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

    from .api import DeblendResult
    from .image import MultibandExposure
    from .models import ParentModel

__all__ = ["field_scene", "figures_of"]

_BLENDS = 3
_MARGIN = 6


def figures_of(result: DeblendResult, coadds: MultibandExposure) -> list[tuple[str, Callable[[], Figure]]]:
    """Figures of a run: ``field.png``, ``bands.png``, and ``blend_<id>.png`` of the parents with most children.

    Where objects are on several rungs of the ladder, or one has a reason, ``ladder.png`` shows which.

    Parameters
    ----------
    result : DeblendResult
        With at least one object.
    coadds : MultibandExposure
        What was deblended.

    Returns
    -------
    list of tuple of str and callable
        The files' names, and what draws them.
    """
    scene, title = field_scene(result, coadds), _title(result)
    figures: list[tuple[str, Callable[[], Figure]]] = [
        ("field.png", partial(field_figure, scene, title)),
        ("bands.png", partial(band_figure, scene)),
    ]
    rungs, reasons = ([str(value) for value in result.objects[f"deblend_{name}"]] for name in ("rung", "reason"))
    if len(set(rungs)) > 1 or any(reasons):
        possible = tuple(rung for rung in RUNGS if rung)
        figures.append(("ladder.png", partial(ladder_figure, scene, rungs, reasons, possible, title)))
    for index in _largest(result):
        name = f"blend_{result.parent_models[index].id}.png"
        figures.append((name, partial(_blend, result, scene, index)))
    return figures


def field_scene(result: DeblendResult, coadds: MultibandExposure) -> Scene:
    """Put together data and the sum of all models in the observed seeing, objects numbered by the catalog's rows."""
    total = np.zeros(coadds.images.shape, dtype=np.float32)
    for model in result.parent_models:
        for template in render_templates(model, coadds.box):
            total[(slice(None), *template.box.slices_in(coadds.box))] += template.array
    rows = zip(result.objects["y"], result.objects["x"], strict=True)
    marks = tuple(Mark(str(n), float(y), float(x)) for n, (y, x) in enumerate(rows, start=1))
    outlines = tuple(Outline(model.footprint, _state(model)) for model in result.parent_models)
    return Scene(
        bands=coadds.bands,
        images=coadds.images,
        model=total,
        variance=coadds.variance,
        mask=coadds.bad,
        unit=coadds.units,
        pixel_scale=coadds.pixel_scale,
        marks=marks,
        outlines=outlines,
    )


def _title(result: DeblendResult) -> str:
    parents = len(result.parents)
    return f"{result.pipeline.name}: {len(result.objects)} objects in {parents} parent{'s' if parents != 1 else ''}"


def _state(model: ParentModel) -> str:
    return "isolated" if len(model.footprint.peaks) == 1 and model.outcome == "ok" else model.outcome


def _largest(result: DeblendResult) -> list[int]:
    sizes = [len(model.footprint.peaks) for model in result.parent_models]
    order = sorted(range(len(sizes)), key=lambda k: (-sizes[k], k))
    return [k for k in order[:_BLENDS] if sizes[k] > 1]


def _blend(result: DeblendResult, field: Scene, index: int) -> Figure:
    model = result.parent_models[index]
    box = model.footprint.box.grow(_MARGIN) & field.box
    cut = box.slices_in(field.box)
    inside = {mark.label: mark for mark in field.marks}
    numbers = {int(object_id): str(n) for n, object_id in enumerate(result.objects["objectId"], start=1)}
    marks = [inside[numbers[source.id]] for source in model.sources]
    scene = replace(
        field,
        images=field.images[:, *cut],
        model=field.model[:, *cut],
        variance=field.variance[:, *cut],
        mask=None if field.mask is None else field.mask[..., *cut],
        origin=box.origin,
        marks=tuple(marks),
        outlines=(Outline(model.footprint, _state(model)),),
    )
    views = [
        _view(mark, template, Image(child.flux, child.box), scene)
        for mark, template, child in zip(
            marks, render_templates(model, field.box), result.children[index].children, strict=True
        )
    ]
    return blend_figure(scene, views, f"Parent {model.id}: {len(model.sources)} children")


def _view(mark: Mark, template: Image, pixels: Image, scene: Scene) -> SourceView:
    box = template.box | pixels.box
    if box.is_empty:
        box = Box((round(mark.y), round(mark.x)), (1, 1))
    shown = pixels.project(box).array
    cut = box.overlap_slices(scene.box)
    noise = np.zeros(shown.shape)
    noise[:, *cut[0]] = np.where(scene.bad, 0, scene.variance)[:, *cut[1]]
    error = np.sqrt((noise * (shown != 0)).sum(axis=(1, 2)))
    return SourceView(mark, box, template.project(box).array, shown, shown.sum(axis=(1, 2), dtype=np.float64), error)
