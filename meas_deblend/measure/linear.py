"""Fluxes that are linear in the pixels, Σ a D: their weights, made once for all images of an object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .ellipses import ellipse_weights
from .matched import matched_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..geometry import BoolArray, Box
    from .ellipses import Ellipse
    from .fluxes import PsfCube
    from .noise import NoiseCorrelation

    Float = NDArray[np.float64]

__all__ = ["Apertures", "FluxWeights", "PsfWeights", "aperture_stack", "product"]


@dataclass(frozen=True, slots=True, eq=False)
class Apertures:
    """Apertures that all bands share.

    Parameters
    ----------
    areas : float64 array (S, h, w)
        Part of each pixel inside; NaN for an aperture that is not defined.
    cut : bool array (S,)
        It does not fit into the window.
    """

    areas: Float
    cut: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class FluxWeights:
    """Weights of F = S + 2 fluxes in B bands: S apertures, the PSF flux, and the Gaussian-aperture flux.

    Parameters
    ----------
    areas : float64 array (S, h, w)
        Part of each pixel inside each aperture.
    own : float64 array (2, B, h, w)
        Weights of the PSF flux, P / Σ P² over usable pixels, and of `matched_weights`.
    """

    areas: Float
    own: Float

    @property
    def count(self) -> int:
        """Number of fluxes F."""
        return len(self.areas) + len(self.own)

    def variance(self, noise: Float, correlation: NoiseCorrelation) -> Float:
        """Variances (K, F, B) of the fluxes of noise with variances ``noise`` (K, B, h, w) per pixel."""
        if correlation.lags:
            pairs = [
                (correlation.shared_variance(self.areas, sigma), correlation.variance(self.own * sigma))
                for sigma in np.sqrt(noise)
            ]
            return np.stack([np.concatenate(pair) for pair in pairs])
        cases, bands = noise.shape[:2]
        out = np.empty((cases, self.count, bands))
        shared = product(self.areas**2, noise).reshape(-1, cases, bands)
        out[:, :-2] = shared.swapaxes(0, 1)
        squares, flat = (self.own**2).reshape(2, bands, -1), noise.reshape(cases, bands, -1)
        for one, values in zip(out, flat, strict=True):
            np.einsum("pbi,bi->pb", squares, values, out=one[-2:])
        return out

    def cropped(self, where: tuple[slice, slice]) -> FluxWeights:
        """Return the weights on a part of the window."""
        return FluxWeights(self.areas[(slice(None), *where)], self.own[(..., *where)])

    def smoothed(self, sigma: Float, noise: NoiseCorrelation) -> Float:
        """Weights times ``sigma`` (B, h, w), convolved with ξ, on a window grown by its reach (F, B, h, w)."""
        margin, (bands, height, width) = noise.reach, sigma.shape
        out = np.zeros((self.count, bands, height + 2 * margin, width + 2 * margin))
        inner = out[:, :, margin : margin + height, margin : margin + width]
        np.multiply(self.areas[:, None], sigma, out=inner[:-2])
        np.multiply(self.own, sigma, out=inner[-2:])
        return noise.smooth(out)


def aperture_stack(center: tuple[float, float], shapes: Sequence[Ellipse | None], box: Box) -> Apertures:
    """Ellipses around ``center`` (y, x) [px] on ``box``; None stands for an aperture without a size."""
    known = [k for k, shape in enumerate(shapes) if shape is not None and np.isfinite(center).all()]
    ellipses = [shape for shape in shapes if shape is not None]
    inside = ellipse_weights(center, ellipses if known else [], box)
    size = np.array([np.pi * ellipse.a * ellipse.b for ellipse in ellipses])[: len(inside)]
    too_large = np.abs(inside.sum(axis=(1, 2)) - size) > 1e-6 * size
    if len(known) == len(shapes):
        return Apertures(inside, np.asarray(too_large))
    areas, cut = np.full((len(shapes), *box.shape), np.nan), np.ones(len(shapes), dtype=bool)
    areas[known], cut[known] = inside, too_large
    return Apertures(areas, cut)


@dataclass(frozen=True, slots=True, eq=False)
class PsfWeights:
    """What the PSFs of B bands say of an object's pixels.

    Parameters
    ----------
    psf : float64 array (B, h, w)
        PSFs on the object's window; 0 without one.
    total : float64 array (B,)
        Their sums, of what lies beyond the window too; NaN without one.
    own : float64 array (2, B, h, w)
        Weights of the PSF flux, P / Σ P², if all pixels are usable, and of `matched_weights`.
    known : bool array (2, B)
        Whether there are such weights.
    """

    psf: Float
    total: Float
    own: Float
    known: BoolArray

    @classmethod
    def of(cls, drawn: PsfCube, color_sigma: float, box: Box) -> PsfWeights:
        """Weights on ``box`` of PSFs that were drawn at the object's position; ``color_sigma`` in px."""
        psf = np.zeros((len(drawn.cube), *box.shape))
        here, there = drawn.box.overlap_slices(box)
        psf[(slice(None), *there)] = drawn.cube[(slice(None), *here)]
        own, known = np.empty((2, *psf.shape)), np.empty((2, len(psf)), dtype=bool)
        own[1], known[1] = matched_weights(drawn, color_sigma, box)
        own[0], known[0] = _fitted(psf)
        return cls(psf, np.where(drawn.usable, drawn.cube.sum(axis=(1, 2)), np.nan), own, known)

    def __call__(self, images: Float) -> Float:
        """Fluxes (2, B) of images (B, pixels)."""
        return np.asarray(np.einsum("pbi,bi->pb", self.own.reshape(*self.own.shape[:2], -1), images))

    def masked(self, usable: BoolArray) -> PsfWeights:
        """Return the weights for images of which only some pixels (B, h, w) are usable."""
        own, known = np.where(usable, self.own, 0.0), self.known.copy()
        own[0], known[0] = _fitted(np.where(usable, self.psf, 0.0))
        return PsfWeights(self.psf, self.total, own, known)

    def lost(self, usable: BoolArray, areas: Float, limit: float) -> BoolArray:
        """Whether more than ``limit`` of what a flux (F, B) is measured on is masked or beyond the edge."""
        gone = (~usable).astype(np.float64)
        by_area = product(areas, gone) > limit * areas.sum(axis=(1, 2))[:, None]
        # One bad pixel in the middle of a star is little area and much light.
        by_light = product(areas, self.psf * gone) > limit * product(areas, self.psf)
        light, weighed = self.psf**2, np.abs(self.own[1])
        fitted = (light * gone).sum(axis=(1, 2)) > limit * light.sum(axis=(1, 2))
        aperture = (weighed * gone).sum(axis=(1, 2)) > limit * weighed.sum(axis=(1, 2))
        return np.vstack([by_area | by_light, fitted, aperture])


def _fitted(psf: Float) -> tuple[Float, BoolArray]:
    """P / Σ P² (B, h, w), and whether there is any light."""
    flat = psf.reshape(len(psf), -1)
    norm = np.einsum("bi,bi->b", flat, flat)
    known: BoolArray = np.asarray(norm > 0)
    return psf * np.divide(1.0, norm, out=np.zeros_like(norm), where=known)[:, None, None], known


def product(first: Float, second: Float) -> Float:
    """Return the sums of products (n, m) of images (n, h, w) and others (…, h, w), all m of them in one row."""
    pixels = first.shape[-2] * first.shape[-1]
    return np.asarray(first.reshape(-1, pixels) @ second.reshape(-1, pixels).T)
