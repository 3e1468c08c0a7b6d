"""Fluxes of models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .values import FactorizedComponent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .values import SourceModel

__all__ = ["model_flux"]


def model_flux(source: SourceModel, band: int) -> float:
    """Sum of a source's model in the band of that index, image units, before any convolution; NaN without a model."""
    if not source.components:
        return float("nan")
    return sum(
        float(c.spectrum[band]) * _total(c.morph) if isinstance(c, FactorizedComponent) else _total(c.cube[band])
        for c in source.components
    )


def _total(pixels: NDArray[np.floating]) -> float:
    return float(pixels.sum(dtype=np.float64))
