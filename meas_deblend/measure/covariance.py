"""Covariances of the fluxes of a parent's children; the formula stands in `shares`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .shares import box_bounds, overlapping

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .noise import NoiseCorrelation
    from .object_fluxes import ChildFluxes
    from .objects import ParentMeasurer
    from .shares import TemplateErrors

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
    psf = np.zeros((len(errors.inverse), count, count))
    if count > 1:
        for band, matrix in enumerate(psf):
            matrix[:] = _through_templates(fluxes, errors, measurer.config.share_error, band)
    touching = _touching(fluxes)
    _add_shared(psf, fluxes, touching, measurer.scene.noise)
    for k, one in enumerate(fluxes):
        psf[:, k, k] = one.variance
    model = measurer.model_covariance.copy()
    unknown = ~(np.einsum("bkk->bk", model) > 0)
    model[unknown[:, :, None] | unknown[:, None, :]] = np.nan
    pairs = np.argwhere(np.triu(touching)).tolist()
    return FluxCovariances(psf, model, tuple((i, j) for i, j in pairs))


def _through_templates(fluxes: Sequence[ChildFluxes], errors: TemplateErrors, share_error: float, band: int) -> Float:
    """Form the part of the covariances (n, n) that is due to the templates, in one band."""
    slopes, overlaps = np.zeros((2, len(fluxes), len(fluxes)))
    for k, one in enumerate(fluxes):
        if one.terms is not None:
            slopes[k, one.terms.members] = one.terms.slopes[0, band]
            overlaps[k, one.terms.members] = one.terms.overlaps[0, band]
    cross = slopes @ errors.inverse[band] @ overlaps.T
    fitted = slopes @ errors.amplitudes[band] @ slopes.T
    return np.asarray(cross + cross.T + fitted - share_error**2 * slopes * slopes.T)


def _touching(fluxes: Sequence[ChildFluxes]) -> NDArray[np.bool_]:
    """Whether two children depend on a template in common (n, n); each touches itself."""
    members = np.zeros((len(fluxes), len(fluxes)), dtype=np.float32)
    for k, one in enumerate(fluxes):
        if one.terms is not None:
            members[k, one.terms.members] = 1.0
    return np.asarray((members @ members.T > 0) | np.eye(len(fluxes), dtype=bool))


def _add_shared(
    psf: Float, fluxes: Sequence[ChildFluxes], touching: NDArray[np.bool_], noise: NoiseCorrelation
) -> None:
    """Add Σ g_i(p) ξ(p − q) g_j(q) to the covariances (B, n, n) of all pairs that touch."""
    bounds = box_bounds([one.amplitude.box for one in fluxes])
    for i, one in enumerate(fluxes):
        first = one.amplitude
        wide = first.project(first.box.grow(noise.reach)) if noise.lags else first
        seen = np.asarray(wide.array, dtype=np.float64)
        smooth = noise.smooth(seen) if noise.lags else seen
        for j in overlapping(bounds, wide.box):
            if j > i and touching[i, j]:
                second = fluxes[j].amplitude
                here, there = wide.box.overlap_slices(second.box)
                both = smooth[(slice(None), *here)], second.array[(slice(None), *there)]
                psf[:, i, j] += np.einsum("byx,byx->b", *both)
    rows, columns = np.triu_indices(len(fluxes), 1)
    psf[:, columns, rows] = psf[:, rows, columns]
