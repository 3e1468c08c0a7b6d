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
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..geometry import Box
    from .linear import Photometry
    from .objects import ParentMeasurer
    from .pixels import Window
    from .scene import Scene

    Float = NDArray[np.float64]

__all__ = ["SharedFluxes", "TemplateErrors", "template_errors"]

# Eigenvalues of G, with unit diagonal, below this part of the largest are directions that the data do not know.
_RCOND = 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class TemplateErrors:
    """Covariance of the templates' amplitudes in one parent.

    Parameters
    ----------
    templates : tuple of Image
        Per child T (B, h, w), as seen.
    sigma : Image
        √V (B, h, w) on the parent's box; 0 on pixels that are not usable.
    inverse : float64 array (B, n, n)
        G⁻¹.
    amplitudes : float64 array (B, n, n)
        C, dimensionless; 0 for a template without light in a band.
    """

    templates: tuple[Image, ...]
    sigma: Image
    inverse: Float
    amplitudes: Float

    def scaled(self, child: int, box: Box) -> Image:
        """T / √V of a child on the part of ``box`` that it has in common with its parent.

        It is made when it is asked for: kept for all children of a large parent it would fill the memory.
        """
        template = self.templates[child]
        inner = template.box & self.sigma.box & box
        values = np.maximum(template.array[(slice(None), *inner.slices_in(template.box))], 0.0)
        here = np.asarray(self.sigma.array[(slice(None), *inner.slices_in(self.sigma.box))], dtype=np.float64)
        return Image(np.divide(values, here, out=np.zeros(here.shape), where=here > 0), inner)


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
        inverse, amplitudes = errors.inverse[pick], errors.amplitudes[pick]
        cross = np.einsum("fbk,bkl,fbl->fb", self.slopes, inverse, self.overlaps)
        fitted = np.einsum("fbk,bkl,fbl->fb", self.slopes, amplitudes, self.slopes)
        return np.asarray(2 * cross + fitted + share_error**2 * (others**2).sum(axis=2))

    @classmethod
    def of(cls, child: int, parent: ParentMeasurer, window: Window, weights: Photometry) -> SharedFluxes:
        """Form the sums of one child; ``window`` holds its isolated pixels, ``weights`` those of its fluxes."""
        shared, errors, noise = parent.shared, parent.errors, parent.scene.noise
        box = window.box
        near = [k for k, other in enumerate(shared.children) if k == child or not (other.box & box).is_empty]
        own = _on(shared.children[child].flux, shared.children[child].box, box)
        sigma = _share_sigma(shared.children[child].share, shared.children[child].box, window)
        count = (len(weights.corrections), len(own))
        slopes, overlaps = np.zeros((*count, len(near))), np.zeros((*count, len(near)))
        # ξ is symmetric, so it may as well be applied to the weights, once for all templates.
        wide = box.grow(noise.lag)
        seen = weights.smoothed(sigma, noise) if noise.lags else None
        for m, k in enumerate(near):
            scaled = errors.scaled(k, wide)
            if seen is None:
                overlaps[:, :, m] = weights(sigma * _on(scaled.array, scaled.box, box))
            else:
                overlaps[:, :, m] = np.einsum("fbyx,byx->fb", seen[(..., *scaled.box.slices_in(wide))], scaled.array)
            if k != child:
                other = shared.children[k]
                slopes[:, :, m] = -weights(own * _on(other.share, other.box, box))
        # Shares add up to 1 wherever the child has one.
        slopes[:, :, near.index(child)] = -slopes.sum(axis=2)
        return cls(np.array(near), slopes, overlaps)


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
    whole = scene.whole(box)
    bands, count = len(whole.noise), len(templates)
    known = TemplateErrors(tuple(templates), Image(np.sqrt(whole.noise), box), *[np.zeros((bands, 0, 0))] * 2)
    gram, noisy = (np.zeros((bands, count, count)) for _ in range(2))
    for m in range(count):
        one = known.scaled(m, box)
        wide = one.box.grow(scene.noise.lag)
        smooth = Image(scene.noise.smooth(np.asarray(one.project(wide).array, np.float64)), wide)
        for k in range(m + 1):
            if not (templates[k].box & wide).is_empty:
                other = known.scaled(k, wide)
                gram[:, k, m] = gram[:, m, k] = _product(one, other)
                noisy[:, k, m] = noisy[:, m, k] = _product(smooth, other)
    inverse = _inverted(gram)
    return replace(known, inverse=inverse, amplitudes=inverse @ noisy @ inverse)


def _product(first: Image, second: Image) -> Float:
    """Σ u v per band (B,)."""
    inner = first.box & second.box
    if inner.is_empty:
        return np.zeros(len(first.array))
    a = first.array[(slice(None), *inner.slices_in(first.box))]
    b = second.array[(slice(None), *inner.slices_in(second.box))]
    return np.asarray(np.einsum("byx,byx->b", a, b))


def _inverted(gram: Float) -> Float:
    """Pseudo-inverses, after scaling the diagonals to 1."""
    scale = np.sqrt(np.einsum("bkk->bk", gram))
    factor = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
    unit = gram * factor[:, :, None] * factor[:, None, :]
    inverse = np.linalg.pinv(unit, rcond=_RCOND, hermitian=True)
    return np.asarray(inverse * factor[:, :, None] * factor[:, None, :])


def _on(array: NDArray[np.floating], box: Box, target: Box) -> Float:
    """Put a cube (B, h, w) onto another box, 0 outside."""
    out = np.zeros((len(array), *target.shape))
    here, there = box.overlap_slices(target)
    out[(slice(None), *there)] = array[(slice(None), *here)]
    return out


def _share_sigma(share: NDArray[np.floating], box: Box, window: Window) -> Float:
    """ρ √V of a child where it has pixels, 0 elsewhere."""
    own = _on(share, box, window.box) > 0
    return np.where(own, np.sqrt(window.noise), 0.0)
