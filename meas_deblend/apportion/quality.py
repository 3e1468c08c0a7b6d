"""How well a parent's model describes its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..models import FactorizedComponent
from .components import pixels_of
from .render import parent_pixels, render_templates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..geometry import BoolArray, Box, FloatArray, Image
    from ..image import MultibandExposure
    from ..models import ParentModel, SourceModel

__all__ = ["ModelChi2", "model_chi2"]


@dataclass(frozen=True, slots=True)
class ModelChi2:
    """Mean of (data − model)² / variance over pixels and bands; about 1 for a good model, NaN where none counts.

    Parameters
    ----------
    parent : float
        Over the pixels of any source.
    sources : tuple of float
        Over the pixels of each source, in the order of ``ParentModel.sources``; neighbours count as modelled.
    """

    parent: float
    sources: tuple[float, ...]


def model_chi2(exposure: MultibandExposure, parent: ParentModel, templates: Sequence[Image] | None = None) -> ModelChi2:
    """Compare the sum of all sources, as seen in each band, with the data.

    A (pixel, band) counts if it is usable, lies in the parent's footprint, and the model there, before convolution, is
    above 0.  The number of parameters is not taken off: that of constrained models is not known.

    Parameters
    ----------
    exposure : MultibandExposure
        With the bands of ``parent.psfs``, in their order.
    parent : ParentModel
    templates : sequence of Image, optional
        What `render_templates` drew of the parent on any frame that holds its footprint; default: drawn here.

    Returns
    -------
    ModelChi2
    """
    box = parent.footprint.box & exposure.box
    images, variance, bad = parent_pixels(exposure, box)
    model = np.zeros(images.shape)
    for template in render_templates(parent, box) if templates is None else templates:
        here, there = template.box.overlap_slices(box)
        model[(slice(None), *there)] += template.array[(slice(None), *here)]
    usable = ~bad & parent.footprint.on(box)
    deviation = np.zeros(images.shape)
    # Variances as small as 1e-40 are usable, and their ratio is not to overflow single precision.
    deviation[usable] = (images[usable] - model[usable]) ** 2 / variance[usable].astype(np.float64)
    supports = [_support(parent, source, box) & usable for source in parent.sources]
    anything = np.any(supports, axis=0) if supports else np.zeros_like(usable)
    return ModelChi2(_mean(deviation, anything), tuple(_mean(deviation, s) for s in supports))


def _support(parent: ParentModel, source: SourceModel, box: Box) -> BoolArray:
    """Where a source's model, before convolution, is above 0 (band, y, x)."""
    out = np.zeros((len(parent.psfs), *box.shape), dtype=bool)
    for component in (pixels_of(c, parent.model_psf) for c in source.components):
        here, there = component.box.overlap_slices(box)
        if isinstance(component, FactorizedComponent):
            positive = component.spectrum[:, None, None] * component.morph[here] > 0
        else:
            positive = component.cube[(slice(None), *here)] > 0
        out[(slice(None), *there)] |= positive
    return out


def _mean(values: FloatArray, where: BoolArray) -> float:
    return float(values[where].mean()) if where.any() else float("nan")
