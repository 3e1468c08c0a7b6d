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
    window = measurer.scene.whole(box)
    share, light = np.zeros(window.flux.shape), np.zeros(window.flux.shape)
    here, there = shared.box.overlap_slices(box)
    share[(slice(None), *there)] = shared.share[(slice(None), *here)]
    light[(slice(None), *there)] = shared.flux[(slice(None), *here)]
    share = np.where(window.usable, share, 0.0)[known]
    rows, columns = (np.arange(n, dtype=np.float64) + o for n, o in zip(box.shape, box.origin, strict=True))
    return BlendPixels(
        light=np.where(share > 0, light[known], 0.0),
        variance=share**2 * window.noise[known],
        offsets=((rows - y)[:, None], (columns - x)[None, :]),
        width=width,
    )


def blend_features(pixels: BlendPixels) -> BlendFeatures | None:
    """Measure the features of an object.

    Returns
    -------
    BlendFeatures or None
        None if it has no light, or no centre of light near its peak.
    """
    noise2 = np.array([np.median(v[v > 0]) if (v > 0).any() else np.inf for v in pixels.variance])
    bands = np.flatnonzero(np.isfinite(noise2))
    if bands.size == 0:
        return None
    weight = (1 / noise2[bands])[:, None, None]
    light, variance = pixels.light[bands], pixels.variance[bands]
    together = (weight * light).sum(axis=0)
    found = _center(together, pixels)
    if found is None:
        return None
    cy, cx = found
    dy, dx = (pixels.offsets[0] - cy) / pixels.width, (pixels.offsets[1] - cx) / pixels.width
    r2 = dy**2 + dx**2
    window = np.exp(-0.5 * r2)
    flux = float((window * together).sum())
    if flux <= 0:
        return None
    both = np.stack([np.broadcast_to(dy, r2.shape), np.broadcast_to(dx, r2.shape)])
    cube = (both[1] + 1j * both[0]) ** 3
    noise = (weight**2 * variance).sum(axis=0)
    # How the centre moves with the dipole of first moments, by which it was found.
    lever = (window * together * (1 - both**2)).sum(axis=(1, 2)) / flux
    first = _moment(window * both / np.maximum(lever, 0.1)[:, None, None], together, noise, flux)[1]
    third = _moment(window * (r2 - 4) * both, together, noise, flux)
    triangle = _moment(window * np.stack([cube.real, cube.imag]), together, noise, flux)
    return BlendFeatures(
        _length((cy / pixels.width) ** 2 + (cx / pixels.width) ** 2, first),
        _length(*third),
        _length(*triangle),
        _color_shift(light, variance, window, both),
    )


def _moment(weights: Float, image: Float, noise: Float, flux: float) -> tuple[float, float]:
    """Square of the length of a moment (2 components) over the flux, and what noise adds to it."""
    moment = (weights * image).sum(axis=(1, 2)) / flux
    return float((moment**2).sum()), float((weights**2 * noise).sum()) / flux**2


def _length(square: float, noise2: float) -> float:
    """Length of a vector, without what noise adds to its square."""
    return float(np.sqrt(max(square - noise2, 0.0)))


def _center(light: Float, pixels: BlendPixels) -> tuple[float, float] | None:
    """Centre of light (y, x) less the peak, under a weight that follows it."""
    rows, columns = pixels.offsets
    y = x = 0.0
    for _ in range(10):
        weighted = np.exp(-0.5 * ((rows - y) ** 2 + (columns - x) ** 2) / pixels.width**2) * light
        flux = float(weighted.sum())
        if flux <= 0:
            return None
        shift = [float((weighted * d).sum()) / flux for d in (rows - y, columns - x)]
        y, x = y + STEP * shift[0], x + STEP * shift[1]
        if np.hypot(y, x) > pixels.width:
            return None
    return y, x


def _color_shift(light: Float, variance: Float, window: Float, both: Float) -> float:
    """Scatter of the bands' centres, in widths; 0 with a single band."""
    flux = (window * light).sum(axis=(1, 2))
    good = flux > 0
    if np.count_nonzero(good) < 2:
        return 0.0
    centers = np.einsum("yx,byx,cyx->bc", window, light[good], both) / flux[good, None]
    inverse = 1 / (np.einsum("yx,byx,cyx->bc", window**2, variance[good], both**2) / flux[good, None] ** 2)
    mean = (inverse * centers).sum(axis=0) / inverse.sum(axis=0)
    excess = (inverse * (centers - mean) ** 2).sum(axis=0) - (np.count_nonzero(good) - 1)
    return _length(float((excess / inverse.sum(axis=0)).sum()), 0.0)
