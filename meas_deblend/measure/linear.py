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

__all__ = ["Apertures", "Photometry", "PsfWeights", "aperture_stack", "flux_weights"]


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

    def some(self, index: Sequence[int]) -> Apertures:
        """Return those of the given places."""
        return Apertures(self.areas[list(index)], self.cut[list(index)])


@dataclass(frozen=True, slots=True, eq=False)
class Photometry:
    """Weights of F = S + 2 fluxes in B bands: S apertures, the PSF flux, and the Gaussian-aperture flux.

    Parameters
    ----------
    apertures : Apertures
        S apertures.
    own : float64 array (2, B, h, w)
        Weights of the PSF flux, P / Σ P² over usable pixels, and of `matched_weights`.
    corrections : float64 array (F, B)
        By what the flux of a point source must be multiplied to be its total; 1 for the last two; NaN without PSF.
    flags : bool array (F, B)
        Too much of the area, or of the light that the PSF predicts there, is masked or beyond the edge; or there
        is no PSF, or no aperture.
    """

    apertures: Apertures
    own: Float
    corrections: Float
    flags: BoolArray

    def __call__(self, images: Float) -> Float:
        """Fluxes (F, B) of images (B, h, w)."""
        areas = self.apertures.areas
        shared = areas.reshape(len(areas), -1) @ images.reshape(len(images), -1).T
        return np.concatenate([shared, np.einsum("pbyx,byx->pb", self.own, images)])

    def variance(self, sigma: Float, noise: NoiseCorrelation) -> Float:
        """Variances (F, B) of the fluxes of noise with standard deviation ``sigma`` (B, h, w) per pixel."""
        shared = noise.shared_variance(self.apertures.areas, sigma)
        return np.concatenate([shared, noise.variance(self.own * sigma)])

    def cropped(self, where: tuple[slice, slice]) -> Photometry:
        """Return the weights on a part of the window."""
        apertures = Apertures(self.apertures.areas[(slice(None), *where)], self.apertures.cut)
        return Photometry(apertures, self.own[(..., *where)], self.corrections, self.flags)

    def times(self, images: Float, margin: int = 0) -> Float:
        """Weights times images (B, h, w), with a margin of zeros [px] around them (F, B, h + 2 m, w + 2 m)."""
        areas = self.apertures.areas
        (bands, height, width), count = images.shape, len(areas) + len(self.own)
        out = np.zeros((count, bands, height + 2 * margin, width + 2 * margin))
        inner = out[:, :, margin : margin + height, margin : margin + width]
        np.multiply(areas[:, None], images, out=inner[: len(areas)])
        np.multiply(self.own, images, out=inner[len(areas) :])
        return out

    def smoothed(self, sigma: Float, noise: NoiseCorrelation) -> Float:
        """Weights times ``sigma``, convolved with the noise's ξ, on a window grown by its reach (F, B, h, w)."""
        out = self.times(sigma, noise.reach)
        return noise.smooth(out) if noise.lags else out


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

    def repeated(self, bands: int) -> PsfWeights:
        """Return the weights of one PSF for so many bands."""
        psf, total = np.repeat(self.psf, bands, axis=0), np.repeat(self.total, bands)
        return PsfWeights(psf, total, np.repeat(self.own, bands, axis=1), np.repeat(self.known, bands, axis=1))


def _fitted(psf: Float) -> tuple[Float, BoolArray]:
    """P / Σ P² (B, h, w), and whether there is any light."""
    norm = np.einsum("byx,byx->b", psf, psf)
    known: BoolArray = np.asarray(norm > 0)
    return psf * np.divide(1.0, norm, out=np.zeros_like(norm), where=known)[:, None, None], known


def flux_weights(usable: BoolArray, seen: PsfWeights, apertures: Apertures, max_lost: float) -> Photometry:
    """Weights of all fluxes of one object.

    Parameters
    ----------
    usable : bool array (B, h, w)
        Pixels that can be used.
    seen : PsfWeights
    apertures : Apertures
        On the same window.
    max_lost : float
        Part of area and light that may be lost.
    """
    own, known = seen.own, seen.known
    complete = bool(usable.all())
    if not complete:
        fitted, visible = _fitted(np.where(usable, seen.psf, 0.0))
        own, known = np.stack([fitted, np.where(usable, own[1], 0.0)]), np.stack([visible, known[1]])
    inside = _product(apertures.areas, seen.psf)
    with np.errstate(divide="ignore", invalid="ignore"):
        corrections = seen.total / inside
    flags = np.zeros((len(inside) + 2, len(known[0])), dtype=bool)
    flags[:-2] = apertures.cut[:, None]
    flags[-2:] = ~known
    if not complete:
        flags |= _lost(usable, seen, apertures.areas, max_lost)
    ones = np.where(np.isfinite(seen.total), 1.0, np.nan)
    return Photometry(apertures, own, np.vstack([corrections, ones, ones]), flags)


def _lost(usable: BoolArray, seen: PsfWeights, areas: Float, limit: float) -> BoolArray:
    """Whether more than ``limit`` of what a flux (F, B) is measured on is masked or beyond the edge."""
    gone = (~usable).astype(np.float64)
    by_area = _product(areas, gone) > limit * areas.sum(axis=(1, 2))[:, None]
    # One bad pixel in the middle of a star is little area and much light.
    by_light = _product(areas, seen.psf * gone) > limit * _product(areas, seen.psf)
    light, weighed = seen.psf**2, np.abs(seen.own[1])
    fitted = (light * gone).sum(axis=(1, 2)) > limit * light.sum(axis=(1, 2))
    aperture = (weighed * gone).sum(axis=(1, 2)) > limit * weighed.sum(axis=(1, 2))
    return np.vstack([by_area | by_light, fitted, aperture])


def _product(first: Float, second: Float) -> Float:
    return np.asarray(first.reshape(len(first), -1) @ second.reshape(len(second), -1).T)
