"""Fluxes of models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .values import FactorizedComponent, TemplateComponent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .values import AnyComponent, SourceModel

__all__ = ["model_flux", "model_fluxes"]


def model_flux(source: SourceModel, band: int) -> float:
    """Sum of a source's model in the band of that index, image units, before any convolution; NaN without a model."""
    if not source.components:
        return float("nan")
    return sum(_flux(component, band) for component in source.components)


def model_fluxes(source: SourceModel, bands: int) -> NDArray[np.float64]:
    """`model_flux` in each of so many bands (B,); morphologies are summed once for all of them."""
    if not source.components:
        return np.full(bands, np.nan)
    return np.asarray(sum(_fluxes(component, bands) for component in source.components), dtype=np.float64)


def _flux(component: AnyComponent, band: int) -> float:
    if isinstance(component, TemplateComponent):
        return _total(component.cube[band])
    return float(component.spectrum[band]) * _unit(component)


def _fluxes(component: AnyComponent, bands: int) -> NDArray[np.float64]:
    if isinstance(component, TemplateComponent):
        return np.array([_total(component.cube[band]) for band in range(bands)])
    return component.spectrum[:bands].astype(np.float64) * _unit(component)


def _unit(component: AnyComponent) -> float:
    """Flux per unit of the spectrum: those of points and profiles are total fluxes."""
    return _total(component.morph) if isinstance(component, FactorizedComponent) else 1.0


def _total(pixels: NDArray[np.floating]) -> float:
    return float(pixels.sum(dtype=np.float64))
