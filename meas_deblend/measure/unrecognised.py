"""How much an object looks like two: features of its pixels, and a score made of them."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Box
from ._blend_score import COEFFICIENTS, CONSTANT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .objects import ParentMeasurer

    Float = NDArray[np.float64]

__all__ = ["BlendFeatures", "blend_features", "blend_score", "blend_scores", "object_pixels"]

WIDTH = 1.5
"""Width of the weight over that of the PSF: as wide as an object of two."""
FARTHEST = 4.0
"""Pixels within so many widths are looked at, and a centre of light farther than one from the peak is none."""
STEP = 1.4
"""Step towards the centre of light over the weighted mean, which is half the way for what is as wide as the weight."""
LEAST = 0.01
"""Floor of features whose logarithm counts."""


@dataclass(frozen=True, slots=True)
class BlendFeatures:
    """What two galaxies in one object do to it; all bands together, and without what noise adds to the squares.

    With a round Gaussian weight of `WIDTH` times the PSF's width around the centre of light:

    Parameters
    ----------
    offset : float
        Distance of the centre of light from the peak, in widths.
    asymmetry : float
        Length of the dipole of third moments ⟨(r² − 4) **r**⟩ of the light, over its flux, in widths.
    triangle : float
        Length of ⟨(x + iy)³⟩, over its flux, in widths.
    color_shift : float
        R.m.s. distance of the bands' centres from their mean, each weighted by its inverse variance, in widths.
    """

    offset: float
    asymmetry: float
    triangle: float
    color_shift: float

    def terms(self) -> tuple[float, ...]:
        """Logarithms, in the order of the fields."""
        return tuple(float(np.log(max(value, LEAST))) for value in astuple(self))


@dataclass(frozen=True, slots=True, eq=False)
class BlendPixels:
    """What features are made of, on a window around a peak.

    Parameters
    ----------
    light : float64 array (band, y, x)
        The object's share of the data.
    variance : float64 array (band, y, x)
        Of the object's light; 0 where it has no share.
    offsets : tuple of float64 array
        Rows (y, 1) and columns (1, x) less the peak's.
    width : float
        Of the weight, pixels.
    """

    light: Float
    variance: Float
    offsets: tuple[Float, Float]
    width: float


def blend_scores(measurer: ParentMeasurer) -> list[float]:
    """Score of every object of a parent (`blend_score`); NaN where it cannot be told.

    Parameters
    ----------
    measurer : ParentMeasurer
    """
    out = []
    for k in range(len(measurer.parent.sources)):
        pixels = object_pixels(measurer, k)
        features = None if pixels is None else blend_features(pixels)
        out.append(float("nan") if features is None else blend_score(features))
    return out


def blend_score(features: BlendFeatures) -> float:
    """Probability that an object is two, if there were as many of two as of one.

    A logistic regression: 1 / (1 + exp(−c − Σ a_k t_k)) of the terms of the features, with coefficients that
    ``_blend_score`` holds, with their provenance.
    """
    total = CONSTANT + sum(a * t for a, t in zip(COEFFICIENTS.values(), features.terms(), strict=True))
    return float(1 / (1 + np.exp(-np.clip(total, -50, 50))))


def object_pixels(measurer: ParentMeasurer, child: int) -> BlendPixels | None:
    """Gather the pixels around the peak of an object.

    Parameters
    ----------
    measurer : ParentMeasurer
    child : int
        Its place in ``measurer.parent.sources``.

    Returns
    -------
    BlendPixels or None
        None without a model, or without a PSF in any band.
    """
    from ._scene_kernels import place_child  # noqa: PLC0415 - loads the compiler

    source, shared = measurer.parent.sources[child], measurer.shared.children[child]
    y, x = source.peak.center
    sigma = np.sqrt(0.5 * measurer.psfs.observed(y, x).moments[:, [0, 2]].sum(axis=1))
    known = np.flatnonzero(np.isfinite(sigma))
    if not source.components or known.size == 0:
        return None
    width = WIDTH * float(sigma[known].mean())
    reach = int(np.ceil(FARTHEST * width))
    middle = source.peak.y, source.peak.x
    box = Box((middle[0] - reach, middle[1] - reach), (2 * reach + 1,) * 2) & measurer.scene.exposure.box
    exposure = measurer.scene.exposure
    planes = exposure.images, exposure.variance, exposure.mask
    light, variance = np.zeros((2, len(exposure.bands), *box.shape))
    mine = shared.flux, shared.share, shared.box.origin
    place_child(planes, exposure.mask_planes.bad_value, mine, box.origin, (light, variance))
    rows, columns = (np.arange(n, dtype=np.float64) + o for n, o in zip(box.shape, box.origin, strict=True))
    return BlendPixels(light[known], variance[known], ((rows - y)[:, None], (columns - x)[None, :]), width)


def blend_features(pixels: BlendPixels) -> BlendFeatures | None:
    """Measure the features of an object.

    Returns
    -------
    BlendFeatures or None
        None if it has no light, or no centre of light near its peak.
    """
    from ._feature_kernels import light_features  # noqa: PLC0415 - loads the compiler

    rows, columns = (np.ascontiguousarray(offset, dtype=np.float64).ravel() for offset in pixels.offsets)
    found, planes = np.empty((4, 2)), (np.ascontiguousarray(pixels.light), np.ascontiguousarray(pixels.variance))
    if not light_features(*planes, (rows, columns), (pixels.width, STEP), found):
        return None
    # Lengths of vectors, without what noise adds to their squares.
    return BlendFeatures(*np.sqrt(np.maximum(found[:, 0] - found[:, 1], 0.0)).tolist())
