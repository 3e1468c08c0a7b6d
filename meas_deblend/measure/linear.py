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


def aperture_stack(center: tuple[float, float], shapes: Sequence[Ellipse | None], box: Box) -> Apertures:
    """Ellipses around ``center`` (y, x) [px] on ``box``; None stands for an aperture without a size."""
    areas = np.full((len(shapes), *box.shape), np.nan)
    cut = np.ones(len(shapes), dtype=bool)
    known = [k for k, shape in enumerate(shapes) if shape is not None and np.isfinite(center).all()]
    ellipses = [shape for shape in shapes if shape is not None]
    if known:
        areas[known] = ellipse_weights(center, ellipses, box)
        size = np.array([np.pi * ellipse.a * ellipse.b for ellipse in ellipses])
        cut[known] = np.abs(areas[known].sum(axis=(1, 2)) - size) > 1e-6 * size
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
    matched : float64 array (B, h, w)
        Weights of `matched_weights`.
    matchable : bool array (B,)
        Whether there are such weights.
    """

    psf: Float
    total: Float
    matched: Float
    matchable: BoolArray

    @classmethod
    def of(cls, drawn: PsfCube, color_sigma: float, box: Box) -> PsfWeights:
        """Weights on ``box`` of PSFs that were drawn at the object's position; ``color_sigma`` in px."""
        psf = np.zeros((len(drawn.cube), *box.shape))
        here, there = drawn.box.overlap_slices(box)
        psf[(slice(None), *there)] = drawn.cube[(slice(None), *here)]
        matched, matchable = matched_weights(drawn, color_sigma, box)
        total = np.where(drawn.usable, drawn.cube.sum(axis=(1, 2)), np.nan)
        return cls(psf, total, matched, matchable)

    def repeated(self, bands: int) -> PsfWeights:
        """Return the weights of one PSF for so many bands."""
        psf, matched = (np.repeat(cube, bands, axis=0) for cube in (self.psf, self.matched))
        return PsfWeights(psf, np.repeat(self.total, bands), matched, np.repeat(self.matchable, bands))


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
    fitted, matched = seen.psf, seen.matched
    complete = bool(usable.all())
    if not complete:
        fitted, matched = np.where(usable, fitted, 0.0), np.where(usable, matched, 0.0)
    norm = np.einsum("byx,byx->b", fitted, fitted)[:, None, None]
    fitted = np.divide(fitted, norm, out=np.zeros_like(fitted), where=norm > 0)
    inside = _product(apertures.areas, seen.psf)
    with np.errstate(divide="ignore", invalid="ignore"):
        corrections = seen.total / inside
    flags = np.zeros((len(inside) + 2, len(fitted)), dtype=bool)
    flags[:-2] = apertures.cut[:, None]
    flags[-2] = norm[:, 0, 0] <= 0
    flags[-1] = ~seen.matchable
    if not complete:
        flags |= _lost(usable, seen, apertures.areas, max_lost)
    ones = np.where(np.isfinite(seen.total), 1.0, np.nan)
    return Photometry(apertures, np.stack([fitted, matched]), np.vstack([corrections, ones, ones]), flags)


def _lost(usable: BoolArray, seen: PsfWeights, areas: Float, limit: float) -> BoolArray:
    """Whether more than ``limit`` of what a flux (F, B) is measured on is masked or beyond the edge."""
    gone = (~usable).astype(np.float64)
    by_area = _product(areas, gone) > limit * areas.sum(axis=(1, 2))[:, None]
    # One bad pixel in the middle of a star is little area and much light.
    by_light = _product(areas, seen.psf * gone) > limit * _product(areas, seen.psf)
    light, weighed = seen.psf**2, np.abs(seen.matched)
    fitted = (light * gone).sum(axis=(1, 2)) > limit * light.sum(axis=(1, 2))
    aperture = (weighed * gone).sum(axis=(1, 2)) > limit * weighed.sum(axis=(1, 2))
    return np.vstack([by_area | by_light, fitted, aperture])


def _product(first: Float, second: Float) -> Float:
    return np.asarray(first.reshape(len(first), -1) @ second.reshape(len(second), -1).T)
