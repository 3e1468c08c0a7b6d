"""Templates of one deblender as the first guess of another."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..apportion import pixels_of
from ..geometry import Box, Image
from ..models import TemplateComponent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..geometry import Parent
    from ..models import Component, ParentModel

__all__ = ["seed_of_components", "seeds_from_models"]


def seeds_from_models(parents: Sequence[Parent], models: Sequence[ParentModel]) -> tuple[Parent, ...]:
    """Give parents the templates of their models as seeds.

    Parameters
    ----------
    parents : sequence of Parent
    models : sequence of ParentModel
        Matched by id; parents without a model get no seeds, and peaks without one get None.

    Returns
    -------
    tuple of Parent
        The same parents with ``seeds``.
    """
    by_id = {model.id: model for model in models}
    return tuple(_with_seeds(parent, by_id.get(parent.id)) for parent in parents)


def _with_seeds(parent: Parent, model: ParentModel | None) -> Parent:
    sources = () if model is None else model.sources
    model_psf = None if model is None else model.model_psf
    components = {s.peak.id: [pixels_of(c, model_psf) for c in s.components] for s in sources}
    seeds = tuple(seed_of_components(components.get(peak.id, ())) for peak in parent.footprint.peaks)
    return replace(parent, seeds=seeds)


def seed_of_components(components: Sequence[Component]) -> Image | None:
    """Sum over bands and components (y, x), float32; None if there is no component or no flux."""
    box = Box((0, 0), (0, 0))
    for component in components:
        box = box | component.box
    total = np.zeros(box.shape, dtype=np.float32)
    for component in components:
        total += Image(_sum_of_bands(component), component.box).project(box).array
    return Image(total, box) if (total > 0).any() else None


def _sum_of_bands(component: Component) -> NDArray[np.float32]:
    if isinstance(component, TemplateComponent):
        return np.asarray(component.cube.sum(axis=0), dtype=np.float32)
    return np.asarray(component.spectrum.sum() * component.morph, dtype=np.float32)
