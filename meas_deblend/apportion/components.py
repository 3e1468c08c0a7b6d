"""Components that are parameters, drawn as pixels in the resolution of the model PSF."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..exceptions import ModelError
from ..models import FactorizedComponent, PointComponent, ProfileComponent

if TYPE_CHECKING:
    from ..geometry import FloatArray
    from ..models import AnyComponent, Component, ParentModel, SourceModel

__all__ = ["drawn", "pixels_of"]


def pixels_of(component: AnyComponent, model_psf: FloatArray | None) -> Component:
    """Draw a point or a profile; components that are pixels are returned as they are.

    The model PSF acts on a profile of unit flux exactly as in the fit of such components: a circular Gaussian of its
    width, integrated over pixels (`scarlet.profiles`).

    Parameters
    ----------
    component : AnyComponent
    model_psf : array (h, w), optional
        Stamp of the model PSF; components that are pixels do not need it.

    Returns
    -------
    FactorizedComponent or TemplateComponent
        A drawn morphology (y, x) is float32 and sums to 1 less what falls outside the box.

    Raises
    ------
    ModelError
        If a point or profile is to be drawn without a model PSF, or its parameters are out of their ranges.
    """
    if not isinstance(component, PointComponent | ProfileComponent):
        return component
    if model_psf is None:
        raise ModelError("points and profiles are drawn in the resolution of the model PSF, which is missing")
    try:
        morph = _unit_image(component, model_psf)
    except ValueError as error:
        raise ModelError(f"a component cannot be drawn: {error}") from error
    return FactorizedComponent(component.box, component.spectrum, morph.astype(np.float32))


def drawn(parent: ParentModel) -> ParentModel:
    """Return a parent whose components all are pixels; see `pixels_of`."""
    every = (c for source in parent.sources for c in source.components)
    if not any(isinstance(c, PointComponent | ProfileComponent) for c in every):
        return parent

    def _pixels(s: SourceModel) -> SourceModel:
        return replace(s, components=tuple(pixels_of(c, parent.model_psf) for c in s.components))

    blends = tuple(replace(b, sources=tuple(_pixels(s) for s in b.sources)) for b in parent.blends)
    return replace(parent, blends=blends)


def _unit_image(component: PointComponent | ProfileComponent, model_psf: FloatArray) -> FloatArray:
    # Imported here, because the compiler behind the profiles is slow to load and most models are pixels.
    from ..scarlet.profiles import Resolution, SersicShape, point_images, sersic_images  # noqa: PLC0415

    resolution = Resolution.of(model_psf)
    if isinstance(component, PointComponent):
        return point_images(np.array(component.center), component.box, resolution)[0]
    shape = SersicShape(component.center, component.radius, component.ellipticity, component.index)
    return sersic_images(shape, component.box, resolution)[0]
