"""How well a parent's model describes its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Box
from ..models import FactorizedComponent
from .components import pixels_of
from .render import parent_pixels, render_templates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..geometry import BoolArray, FloatArray, Image
    from ..image import MultibandExposure
    from ..models import ParentModel, SourceModel
    from .values import Child

    Float = NDArray[np.float64]

__all__ = ["ModelChi2", "ModelQuality", "ResidualScore", "model_chi2", "model_quality"]


@dataclass(frozen=True, slots=True, eq=False)
class ModelChi2:
    """Mean of (data − model)² / variance over pixels and bands; about 1 for a good model, NaN where none counts.

    Parameters
    ----------
    parent : float
        Over the pixels of any source.
    sources : tuple of float
        Over the pixels of each source, in the order of ``ParentModel.sources``; neighbours count as modelled.
    parent_bands : float64 array (B,)
        Over the pixels of any source, per band.
    source_bands : float64 array (n, B)
        Over the pixels of each source, per band.
    """

    parent: float
    sources: tuple[float, ...]
    parent_bands: Float
    source_bands: Float


@dataclass(frozen=True, slots=True, eq=False)
class ResidualScore:
    """Mean of (data − model)² / variance over a child's pixels, each weighted by the share ρ that the child has of it.

    If the model is right and only noise is left, the expectation is 1 and the standard deviation ``error``:
    √(2 Σ ρ² Σ ξ²) / Σ ρ for Gaussian noise with the correlation ξ, which changes faster than ρ.

    Parameters
    ----------
    bands, errors : float64 array (B,)
        Per band; NaN where the child has no share of a usable pixel.
    joint, joint_error : float
        With sums over all bands.
    """

    bands: Float
    errors: Float
    joint: float
    joint_error: float


@dataclass(frozen=True, slots=True, eq=False)
class ModelQuality:
    """How well a parent is described.

    Parameters
    ----------
    chi2 : ModelChi2
    scores : tuple of ResidualScore
        One per child.
    """

    chi2: ModelChi2
    scores: tuple[ResidualScore, ...]


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
    return _Residual.of(exposure, parent, templates).chi2(parent)


def model_quality(
    exposure: MultibandExposure,
    parent: ParentModel,
    children: Sequence[Child],
    templates: Sequence[Image],
    noise_power: FloatArray,
) -> ModelQuality:
    """Compare the sum of all sources with the data, also with each child's share as the weight.

    Parameters
    ----------
    exposure, parent, templates
        As for `model_chi2`.
    children : sequence of Child
        Of the parent.
    noise_power : float array (B,)
        Σ ξ² of the noise's correlation over all lags, 1 for white noise.
    """
    residual = _Residual.of(exposure, parent, templates)
    return ModelQuality(residual.chi2(parent), tuple(residual.score(child, noise_power) for child in children))


@dataclass(frozen=True, slots=True, eq=False)
class _Residual:
    """(data − model)² / variance on the box of a parent; 0 where ``usable``, which is of its footprint, is false."""

    box: Box
    deviation: Float
    usable: BoolArray

    @classmethod
    def of(cls, exposure: MultibandExposure, parent: ParentModel, templates: Sequence[Image] | None) -> _Residual:
        """Draw the parent's sources, unless that is done, and compare."""
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
        return cls(box, deviation, usable)

    def chi2(self, parent: ParentModel) -> ModelChi2:
        """Means over the pixels of sources."""
        bands = len(self.deviation)
        anything = np.zeros_like(self.usable)
        sums = []
        for source in parent.sources:
            where, support = _support(parent, source, self.box, bands)
            cut = (slice(None), *where.slices_in(self.box))
            support &= self.usable[cut]
            anything[cut] |= support
            sums.append(_sums(self.deviation[cut], support))
        whole, each = _means(*_sums(self.deviation, anything)), [_means(*pair) for pair in sums]
        source_bands = np.array([per_band for per_band, _ in each]).reshape(-1, bands)
        return ModelChi2(whole[1], tuple(joint for _, joint in each), whole[0], source_bands)

    def score(self, child: Child, noise_power: FloatArray) -> ResidualScore:
        """Mean over the pixels of a child, weighted by its share."""
        here, there = child.box.overlap_slices(self.box)
        weight = np.where(self.usable[(slice(None), *there)], child.share[(slice(None), *here)], 0.0)
        weight = weight.astype(np.float64)
        total, square = weight.sum(axis=(1, 2)), (weight**2).sum(axis=(1, 2))
        deviation = (weight * self.deviation[(slice(None), *there)]).sum(axis=(1, 2))
        bands, joint = _means(deviation, total)
        spread = 2 * noise_power * square
        errors, _ = _means(np.sqrt(spread), total)
        _, joint_error = _means(np.sqrt(spread[None].sum(axis=1)), total.sum()[None])
        return ResidualScore(bands, errors, joint, joint_error)


def _support(parent: ParentModel, source: SourceModel, box: Box, bands: int) -> tuple[Box, BoolArray]:
    """Where, inside ``box``, a source's model, before convolution, is above 0 (B, y, x)."""
    components = [pixels_of(c, parent.model_psf) for c in source.components]
    within = Box(box.origin, (0, 0))
    for component in components:
        within |= component.box & box
    out = np.zeros((bands, *within.shape), dtype=bool)
    for component in components:
        here, there = component.box.overlap_slices(within)
        if isinstance(component, FactorizedComponent):
            positive = component.spectrum[:, None, None] * component.morph[here] > 0
        else:
            positive = component.cube[(slice(None), *here)] > 0
        out[(slice(None), *there)] |= positive
    return within, out


def _sums(values: Float, where: BoolArray) -> tuple[Float, Float]:
    """Sum over some pixels and their number, per band."""
    return np.where(where, values, 0.0).sum(axis=(1, 2)), where.sum(axis=(1, 2)).astype(np.float64)


def _means(sums: Float, weights: Float) -> tuple[Float, float]:
    """Ratios per band, and that over all; NaN where there is no weight."""
    known = weights > 0
    bands = np.where(known, sums / np.where(known, weights, 1.0), np.nan)
    return bands, float(sums.sum() / weights.sum()) if known.any() else float("nan")
