"""What the templates' own uncertainty does to fluxes of re-apportioned pixels, and how children's fluxes hang together.

A child's flux is f_i = Σ a ρ_i D with ρ_i = T_i / Σ T. Noise n moves the data, and it moved the templates that were
fitted to them. In first order, for templates whose amplitudes A are fitted by least squares to the same pixels,
A − 1 = G⁻¹ Σ T n / V with G_kl = Σ T_k T_l / V, and ∂f_i/∂A_k = Σ a ρ_i (δ_ik − ρ_k) D = J_ik. So

    Cov(f_i, f_j) = S_ij + J_i G⁻¹ B_jᵀ + B_i G⁻¹ J_jᵀ + J_i C J_jᵀ,    C = G⁻¹ G' G⁻¹,

with S_ij = Σ a_i ρ_i N a_j ρ_j, B_ik = Σ a_i ρ_i N T_k / V, G'_kl = Σ T_k N T_l / V², and N = √V ξ √V the noise's
covariance; for white noise G' = G. C is the covariance of the amplitudes, so that of the models' fluxes is
F_i F_j C_ij.

The shapes of the templates are not known either: what a model cannot follow, and what its constraints prefer, changes
the ratio of two templates where they overlap. With a relative uncertainty η of that ratio, the same all over the
overlap and independent from pair to pair, child i gains η Σ a ρ_i ρ_k D = −η J_ik on k, and k loses −η J_ki. So
η² Σ_k J_ik² joins the variance, and −η² J_ik J_ki the covariance. η is calibrated on simulations
(`MeasureConfig.share_error`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Image

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from ..apportion import Child
    from ..geometry import Box, IntArray
    from .linear import FluxWeights
    from .noise import NoiseCorrelation
    from .one_object import ObjectJob
    from .pixels import Window
    from .scene import Scene

    Float = NDArray[np.float64]

__all__ = ["SharedFluxes", "TemplateErrors", "box_bounds", "overlapping", "template_errors"]

# Eigenvalues of G, with unit diagonal, below this part of the largest are directions that the data do not know.
_RCOND = 1e-8
# So many templates are held at a time, next to each other.
_TOGETHER = 16


def box_bounds(boxes: Sequence[Box]) -> NDArray[np.int64]:
    """First row and column of boxes, and those behind them (n, 4)."""
    return np.array([(*box.origin, *box.stop) for box in boxes], dtype=np.int64).reshape(-1, 4)


def overlapping(bounds: NDArray[np.int64], box: Box) -> list[int]:
    """Which of the boxes have a pixel in common with one."""
    first, stop = np.maximum(bounds[:, :2], box.origin), np.minimum(bounds[:, 2:], box.stop)
    found: list[int] = np.flatnonzero((first < stop).all(axis=1)).tolist()
    return found


@dataclass(frozen=True, slots=True, eq=False)
class TemplateErrors:
    """Covariance of the templates' amplitudes in one parent.

    Parameters
    ----------
    templates : tuple of Image
        Per child T (B, h, w), as seen; below 0 they count as 0.
    sigma : Image
        √V (B, h, w) on a box that holds all templates; 0 beyond the parent's box, and on pixels that are not usable.
    total : float64 array (B, h, w)
        Σ T on the same box.
    inverse : float64 array (B, n, n)
        G⁻¹.
    amplitudes : float64 array (B, n, n)
        C, dimensionless; 0 for a template without light in a band.
    """

    templates: tuple[Image, ...]
    sigma: Image
    total: Float
    inverse: Float
    amplitudes: Float

    def over_sigma(self, values: Float, box: Box) -> Float:
        """Divide values (..., B, h, w) on ``box`` by √V; 0 where there is none."""
        root = self.sigma.array[(slice(None), *box.slices_in(self.sigma.box))]
        return np.asarray(values * np.divide(1.0, root, out=np.zeros(root.shape), where=root > 0))

    def over_total(self, values: NDArray[np.floating], box: Box) -> Float:
        """Divide values (B, h, w) on ``box`` by Σ T; 0 where there is none."""
        total = self.total[(slice(None), *box.slices_in(self.sigma.box))]
        return np.asarray(np.divide(values, total, out=np.zeros(total.shape), where=total > 0))

    def sums(self, weights: Float, box: Box, children: Iterable[int]) -> Float:
        """Σ T w of some children's templates, for weights (B, H, W, G) on ``box``; returns (m, B, G)."""
        from ._pair_kernels import add_positive_sums  # noqa: PLC0415 - loads the compiler

        chosen = list(children)
        out = np.zeros((len(chosen), len(weights), weights.shape[3]))
        for total, k in zip(out, chosen, strict=True):
            template = self.templates[k]
            add_positive_sums(template.array, template.box.origin, weights, box.origin, total)
        return out


@dataclass(frozen=True, slots=True, eq=False)
class SharedFluxes:
    """How the F fluxes of one child depend on the templates of its parent.

    Parameters
    ----------
    members : int array (m,)
        Children whose templates matter, itself included.
    slopes : float64 array (F, B, m)
        J.
    overlaps : float64 array (F, B, m)
        B.
    """

    members: NDArray[np.int64]
    slopes: Float
    overlaps: Float

    def variance(self, errors: TemplateErrors, child: int, share_error: float) -> Float:
        """Return what the templates add to the variances (F, B); may be below 0."""
        others = self.slopes[:, :, self.members != child]
        pick = np.ix_(np.arange(len(errors.inverse)), self.members, self.members)
        slopes, overlaps = self.slopes.swapaxes(0, 1), self.overlaps.swapaxes(0, 1)
        cross = (slopes @ errors.inverse[pick] * overlaps).sum(axis=2)
        fitted = (slopes @ errors.amplitudes[pick] * slopes).sum(axis=2)
        return np.asarray((2 * cross + fitted).T + share_error**2 * (others**2).sum(axis=2))

    def some(self, fluxes: slice) -> SharedFluxes:
        """Return the sums of some fluxes, without keeping those of the others."""
        return SharedFluxes(self.members, self.slopes[fluxes].copy(), self.overlaps[fluxes].copy())

    @classmethod
    def of(cls, job: ObjectJob, weights: FluxWeights) -> SharedFluxes:
        """Form the sums of one child; ``weights`` are those of its fluxes on its isolated pixels."""
        errors, noise, count = job.parent.errors, job.parent.scene.noise, weights.count
        own, window, child = job.mine, job.own, job.child
        near = sorted({child, *overlapping(job.parent.bounds, window.box)})
        slopes, overlaps = np.zeros((2, count, len(window.flux), len(near)))
        inner = own.box & window.box & errors.sigma.box
        if not inner.is_empty:
            measured = own, window, weights
            if noise.lags:
                sums = errors.sums(*_planes(measured, inner, errors, noise), near)
            else:
                sums = _white_sums(measured, inner, errors, near)
            overlaps, slopes = sums[..., :count].transpose(2, 1, 0), -sums[..., count:].transpose(2, 1, 0)
        # Shares add up to 1 wherever the child has one.
        mine = near.index(child)
        slopes[:, :, mine] = 0.0
        slopes[:, :, mine] = -slopes.sum(axis=2)
        return cls(np.array(near), slopes, overlaps)


def _white_sums(
    measured: tuple[Child, Window, FluxWeights], inner: Box, errors: TemplateErrors, near: Sequence[int]
) -> Float:
    """Form the sums (m, B, 2 F) of what `_planes` gives for white noise, without the planes."""
    from ._pair_kernels import take_positive  # noqa: PLC0415 - loads the compiler

    own, window, weights = measured
    rows, columns = np.nonzero((own.share[(slice(None), *inner.slices_in(own.box))] > 0).any(axis=0))
    pixels = rows + inner.origin[0], columns + inner.origin[1]
    share, flux = (_taken(array, own.box, pixels) for array in (own.share, own.flux))
    noise, areas, alone = (_taken(array, window.box, pixels) for array in (window.noise, weights.areas, weights.own))
    sigma, total = (_taken(array, errors.sigma.box, pixels) for array in (errors.sigma.array, errors.total))
    images = np.zeros((len(share), 2, len(rows)))
    np.divide(np.sqrt(noise), sigma, out=images[:, 0], where=(share > 0) & (sigma > 0))
    np.divide(flux, total, out=images[:, 1], where=total > 0)
    planes, out = np.empty((2, weights.count, len(rows))), np.empty((len(images), len(near), 2 * weights.count))
    for first in range(0, len(near), _TOGETHER):
        chosen = near[first : first + _TOGETHER]
        light = np.zeros((len(images), len(chosen), len(rows)))
        for k, template in enumerate(errors.templates[child] for child in chosen):
            take_positive(template.array, template.box.origin, pixels, light[:, k])
        for band, pair in enumerate(images):
            np.multiply(pair[:, None], areas, out=planes[:, :-2])
            np.multiply(pair[:, None], alone[:, band], out=planes[:, -2:])
            out[band, first : first + len(chosen)] = light[band] @ planes.reshape(2 * weights.count, -1).T
    return out.swapaxes(0, 1)


def _taken(array: NDArray[np.floating], box: Box, pixels: tuple[IntArray, IntArray]) -> NDArray[np.floating]:
    """Return some pixels (…, n) of images on a box."""
    places = (pixels[0] - box.origin[0]) * box.shape[1] + pixels[1] - box.origin[1]
    return array.reshape(*array.shape[:-2], -1).take(places, axis=-1)


def _planes(
    measured: tuple[Child, Window, FluxWeights], inner: Box, errors: TemplateErrors, noise: NoiseCorrelation
) -> tuple[Float, Box]:
    """Weights (a ρ √V) ξ / √V, whose sums over templates are B, then a ρ D / Σ T, for −J (B, h, w, 2 F); their box.

    ``inner`` are the child's pixels in the window. ξ is symmetric, so it may as well be applied to the weights, once
    for all templates.
    """
    from ._pair_kernels import spread_weights  # noqa: PLC0415 - loads the compiler

    own, window, weights = measured
    here, there = (slice(None), *inner.slices_in(own.box)), inner.slices_in(window.box)
    part, reached = weights.cropped(there), inner.grow(noise.reach)
    sigma = np.where(own.share[here] > 0, np.sqrt(window.noise[(slice(None), *there)]), 0.0)
    wide, count = reached & errors.sigma.box, weights.count
    planes = np.zeros((len(sigma), *wide.shape, 2 * count))
    noisy = errors.over_sigma(part.smoothed(sigma, noise)[(..., *wide.slices_in(reached))], wide)
    planes[..., :count] = np.moveaxis(noisy, 0, -1)
    flux, within = errors.over_total(own.flux[here], inner), planes[(slice(None), *inner.slices_in(wide))]
    spread_weights(part.areas, part.own, flux, within, count)
    return planes, wide


def template_errors(scene: Scene, templates: Sequence[Image], box: Box) -> TemplateErrors:
    """Amplitudes of a parent's templates, as a least-squares fit to its pixels would know them.

    Parameters
    ----------
    scene : Scene
        The image and its noise.
    templates : sequence of Image (n,)
        Templates as seen in each band (B, h, w).
    box : Box
        The parent's.
    """
    known = _without_errors(scene, templates, box)
    if not scene.noise.lags:
        gram = _white_gram(known)
        inverse = _inverted(gram)
        return replace(known, inverse=inverse, amplitudes=inverse @ gram @ inverse)
    bands, count = len(known.total), len(templates)
    bounds = box_bounds([template.box for template in templates])
    gram, noisy = (np.zeros((bands, count, count)) for _ in range(2))
    for m in range(count):
        wide = templates[m].box.grow(scene.noise.reach) & known.sigma.box
        scaled = known.over_sigma(np.maximum(templates[m].project(wide).array, 0.0), wide)
        planes = known.over_sigma(np.stack([scaled, scene.noise.smooth(scaled)]), wide)
        weights = np.ascontiguousarray(np.moveaxis(planes, 0, -1))
        near = [k for k in overlapping(bounds, wide) if k >= m]
        sums = known.sums(weights, wide, near).transpose(2, 1, 0)
        gram[:, near, m] = gram[:, m, near] = sums[0]
        noisy[:, near, m] = noisy[:, m, near] = sums[1]
    inverse = _inverted(gram)
    return replace(known, inverse=inverse, amplitudes=inverse @ noisy @ inverse)


def _white_gram(known: TemplateErrors) -> Float:
    """G (B, n, n)."""
    from ._pair_kernels import add_products  # noqa: PLC0415 - loads the compiler

    sigma, templates = known.sigma.array, known.templates
    precision = np.divide(1.0, sigma**2, out=np.zeros(sigma.shape), where=sigma > 0)
    noise = precision, known.sigma.box.origin
    bounds, count = box_bounds([template.box for template in templates]), len(templates)
    out = np.zeros((count, count, len(known.total)))
    for m, one in enumerate(templates):
        for k in overlapping(bounds, one.box):
            if k >= m:
                two = templates[k]
                add_products((one.array, one.box.origin), (two.array, two.box.origin), noise, out[m, k])
                out[k, m] = out[m, k]
    return np.ascontiguousarray(out.transpose(2, 0, 1))


def _without_errors(scene: Scene, templates: Sequence[Image], box: Box) -> TemplateErrors:
    """Sum of the templates, and the noise."""
    frame = box
    for template in templates:
        frame |= template.box
    whole = scene.whole(box)
    sigma = Image(np.sqrt(whole.noise), box)
    total = np.zeros((len(whole.noise), *frame.shape))
    for template in templates:
        total[(slice(None), *template.box.slices_in(frame))] += np.maximum(template.array, 0.0)
    nothing = np.zeros((len(total), 0, 0))
    return TemplateErrors(tuple(templates), sigma.project(frame), total, nothing, nothing)


def _inverted(gram: Float) -> Float:
    """Pseudo-inverses, after scaling the diagonals to 1."""
    scale = np.sqrt(np.einsum("bkk->bk", gram))
    factor = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
    unit = gram * factor[:, :, None] * factor[:, None, :]
    if gram.shape[1] == 1:
        return np.asarray(factor[:, :, None] ** 2)
    if gram.shape[1] <= _TOGETHER:
        inverse = np.linalg.pinv(unit, rcond=_RCOND, hermitian=True)
    else:
        # Band by band: what the decomposition needs meanwhile is several times the matrix.
        inverse = np.stack([np.linalg.pinv(one, rcond=_RCOND, hermitian=True) for one in unit])
    inverse *= factor[:, :, None]
    inverse *= factor[:, None, :]
    return np.asarray(inverse)
