"""Fluxes of models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .values import FactorizedComponent, TemplateComponent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .values import AnyComponent, SourceModel

__all__ = ["model_flux"]


def model_flux(source: SourceModel, band: int) -> float:
    """Sum of a source's model in the band of that index, image units, before any convolution; NaN without a model."""
    if not source.components:
        return float("nan")
    return sum(_flux(component, band) for component in source.components)


def _flux(component: AnyComponent, band: int) -> float:
    if isinstance(component, TemplateComponent):
        return _total(component.cube[band])
    # The spectra of points and profiles are total fluxes.
    unit = _total(component.morph) if isinstance(component, FactorizedComponent) else 1.0
    return float(component.spectrum[band]) * unit


def _total(pixels: NDArray[np.floating]) -> float:
    return float(pixels.sum(dtype=np.float64))
