"""How well a parent's model describes its pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Box
from ..models import FactorizedComponent
from .components import pixels_of
from .render import render_templates

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
        from ._quality_kernels import squared_residuals  # noqa: PLC0415 - loads the compiler

        box = parent.footprint.box & exposure.box
        deviation = np.zeros((len(exposure.bands), *box.shape))
        for template in render_templates(parent, box) if templates is None else templates:
            here, there = template.box.overlap_slices(box)
            deviation[(slice(None), *there)] += template.array[(slice(None), *here)]
        usable, planes = np.empty(deviation.shape, dtype=bool), (exposure.images, exposure.variance, exposure.mask)
        inside = parent.footprint.on(box)
        squared_residuals(planes, exposure.mask_planes.bad_value, box.origin, inside, (deviation, usable))
        return cls(box, deviation, usable)

    def chi2(self, parent: ParentModel) -> ModelChi2:
        """Means over the pixels of sources."""
        from ._quality_kernels import supported_sums  # noqa: PLC0415 - loads the compiler

        bands, anything, sums = len(self.deviation), np.zeros_like(self.usable), []
        for source in parent.sources:
            where, support = _support(parent, source, self.box, bands)
            sums.append(supported_sums(self.deviation, self.usable, support, self._corner(where), anything))
        whole = supported_sums(self.deviation, self.usable, anything, (0, 0), anything)
        (per_band, joint), each = _means(*whole), [_means(*pair) for pair in sums]
        source_bands = np.array([one for one, _ in each]).reshape(-1, bands)
        return ModelChi2(joint, tuple(one for _, one in each), per_band, source_bands)

    def score(self, child: Child, noise_power: FloatArray) -> ResidualScore:
        """Mean over the pixels of a child, weighted by its share."""
        from ._quality_kernels import share_sums  # noqa: PLC0415 - loads the compiler

        total, square, deviation = share_sums(self.deviation, self.usable, child.share, self._corner(child.box))
        bands, joint = _means(deviation, total)
        spread = 2 * noise_power * square
        errors, _ = _means(np.sqrt(spread), total)
        weight = float(total.sum())
        joint_error = math.sqrt(float(spread.sum())) / weight if weight > 0 else math.nan
        return ResidualScore(bands, errors, joint, joint_error)

    def _corner(self, box: Box) -> tuple[int, int]:
        """Row and column of the residuals at which a box begins."""
        return box.origin[0] - self.box.origin[0], box.origin[1] - self.box.origin[1]


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


def _means(sums: Float, weights: Float) -> tuple[Float, float]:
    """Ratios per band, and that over all; NaN where there is no weight."""
    known = weights > 0
    bands = np.where(known, sums / np.where(known, weights, 1.0), np.nan)
    return bands, float(sums.sum() / weights.sum()) if known.any() else float("nan")
