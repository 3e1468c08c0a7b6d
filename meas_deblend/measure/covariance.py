"""Covariances of the fluxes of a parent's children; the formula stands in `shares`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..geometry import Image
    from .noise import NoiseCorrelation
    from .object_fluxes import ChildFluxes
    from .objects import ParentMeasurer

    Float = NDArray[np.float64]

__all__ = ["FluxCovariances", "flux_covariances"]


@dataclass(frozen=True, slots=True, eq=False)
class FluxCovariances:
    """Covariances of the n children of a parent in B bands, image units squared.

    Parameters
    ----------
    psf : float64 array (B, n, n)
        Of their PSF fluxes; the diagonal holds the squares of the catalog's errors. NaN where there is no PSF flux.
    model : float64 array (B, n, n)
        Of their models' total fluxes; NaN without models.
    pairs : tuple of (int, int)
        Children i ≤ j whose fluxes share something, each child with itself included.
    """

    psf: Float
    model: Float
    pairs: tuple[tuple[int, int], ...]


def flux_covariances(measurer: ParentMeasurer, fluxes: Sequence[ChildFluxes]) -> FluxCovariances:
    """Covariances between all children of a parent.

    Parameters
    ----------
    measurer : ParentMeasurer
    fluxes : sequence of ChildFluxes (n,)
        One per child, by ``measurer.measure``.
    """
    count, errors = len(fluxes), measurer.errors
    bands = len(errors.inverse)
    psf, slopes, overlaps = (np.zeros((bands, count, count)) for _ in range(3))
    pairs = [(i, j) for i in range(count) for j in range(i, count) if i == j or _touch(fluxes[i], fluxes[j])]
    for k, one in enumerate(fluxes):
        if one.terms is not None:
            slopes[:, k, one.terms.members], overlaps[:, k, one.terms.members] = (
                one.terms.slopes[0],
                one.terms.overlaps[0],
            )
    if count > 1:
        cross = slopes @ errors.inverse @ overlaps.swapaxes(1, 2)
        psf = cross + cross.swapaxes(1, 2) + slopes @ errors.amplitudes @ slopes.swapaxes(1, 2)
        psf -= measurer.config.share_error**2 * slopes * slopes.swapaxes(1, 2)
    for i, j in pairs:
        if i != j:
            psf[:, i, j] += _shared(fluxes[i].amplitude, fluxes[j].amplitude, measurer.scene.noise)
            psf[:, j, i] = psf[:, i, j]
    for k, one in enumerate(fluxes):
        psf[:, k, k] = one.variance
    model = measurer.model_covariance
    variance = np.einsum("bkk->bk", model)
    known = (variance[:, :, None] > 0) & (variance[:, None, :] > 0)
    return FluxCovariances(psf, np.where(known, model, np.nan), tuple(pairs))


def _touch(first: ChildFluxes, second: ChildFluxes) -> bool:
    if first.terms is None or second.terms is None:
        return False
    return bool(np.intersect1d(first.terms.members, second.terms.members).size)


def _shared(first: Image, second: Image, noise: NoiseCorrelation) -> Float:
    """Σ g_i(p) ξ(p − q) g_j(q) per band (B,)."""
    box = first.box.grow(noise.lag) & second.box
    if box.is_empty:
        return np.zeros(len(first.array))
    wide = first.project(first.box.grow(noise.lag)) if noise.lag else first
    smooth = noise.smooth(np.asarray(wide.array, dtype=np.float64))
    part = smooth[(slice(None), *box.slices_in(wide.box))], second.array[(slice(None), *box.slices_in(second.box))]
    return np.asarray(np.einsum("byx,byx->b", *part))
