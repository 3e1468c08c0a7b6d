"""Covariance of the fluxes of sources whose shapes are held fixed, and of two such solutions on the same data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg, sparse

from ..apportion import render_templates
from ..models import model_fluxes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..geometry import Box, Footprint, Image
    from ..models import ParentModel
    from .cutout import Cutout

    Float = NDArray[np.float64]

__all__ = ["FixedShapes", "solution_covariance", "solutions_covariance"]

_RIDGE = 1e-6
"""Added to the normal equations, whose diagonal is 1: sources of one shape at one place share their flux."""


@dataclass(frozen=True, slots=True, eq=False)
class FixedShapes:
    """Sources as they are observed, at the flux that they have.

    Parameters
    ----------
    images : tuple of Image
        Cube (band, y, x) of each source on a box of its own.
    fluxes : float64 array (band, source)
        Total flux of the models; where it is not above 0 a source says nothing of a band.
    """

    images: tuple[Image, ...]
    fluxes: Float

    @classmethod
    def of(cls, model: ParentModel, frame: Box) -> FixedShapes:
        """Draw all sources of a model within a frame."""
        bands = len(model.psfs)
        fluxes = np.array([model_fluxes(source, bands) for source in model.sources]).reshape(-1, bands).T
        return cls(render_templates(model, frame), np.nan_to_num(fluxes))

    def on(self, band: int, box: Box) -> sparse.csc_array:
        """Pixels (pixel, source) per unit of flux in one band."""
        places = np.arange(box.area, dtype=np.int64).reshape(box.shape)
        rows, values = [], []
        for image, flux in zip(self.images, self.fluxes[band], strict=True):
            here, there = image.box.overlap_slices(box)
            rows.append(places[there].ravel() if flux > 0 else places[:0].ravel())
            values.append(image.array[band][here].ravel() / flux if flux > 0 else np.zeros(0))
        starts = np.concatenate([[0], np.cumsum([len(one) for one in rows])])
        entries = (np.concatenate(values).astype(np.float64), np.concatenate(rows), starts)
        return sparse.csc_array(entries, shape=(box.area, len(rows)))


def solution_covariance(shapes: FixedShapes, cutout: Cutout, blend: Footprint) -> Float:
    """Covariance (band, source, source) of fluxes that are solved for together, by least squares, shapes fixed.

    Parameters
    ----------
    shapes : FixedShapes
    cutout : Cutout
        The noise is that of its usable pixels, uncorrelated.
    blend : Footprint
        Pixels that count.

    Returns
    -------
    float64 array (band, source, source)
        (MᵀWM)⁻¹ of the pixels M per unit of flux and the inverse variances W; image units². 0 for sources without flux
        in a band.
    """
    made = [_inverse(_gram(shapes.on(b, cutout.box), w)) for b, w in enumerate(_weights(cutout, blend))]
    return np.stack(made)


def solutions_covariance(
    first: FixedShapes, second: FixedShapes, cutout: Cutout, blend: Footprint
) -> tuple[Float, Float, Float]:
    """Covariance of two solutions for the same sources with different shapes, on the same data.

    With estimates f = (MᵀWM)⁻¹ MᵀW d of one and the same d, of covariance W⁻¹, the covariance of f₁ and f₂ is
    C₁ M₁ᵀ W M₂ C₂, where C₁ and C₂ are their own.

    Parameters
    ----------
    first, second : FixedShapes
    cutout, blend
        As in `solution_covariance`.

    Returns
    -------
    tuple of float64 array (band, source, source)
        Of the first solution, of the second, and of the first with the second.
    """
    out = []
    for b, weights in enumerate(_weights(cutout, blend)):
        one, other = first.on(b, cutout.box), second.on(b, cutout.box)
        own, others = _inverse(_gram(one, weights)), _inverse(_gram(other, weights))
        out.append((own, others, own @ _product(one, other, weights) @ others))
    return np.stack([o[0] for o in out]), np.stack([o[1] for o in out]), np.stack([o[2] for o in out])


def _weights(cutout: Cutout, blend: Footprint) -> list[Float]:
    """Inverse variances (pixel,) of each band; 0 where a pixel does not count."""
    member = blend.on(cutout.box)
    planes: Sequence[tuple[NDArray[np.bool_], NDArray[np.floating]]] = list(
        zip(cutout.bad, cutout.variance, strict=True)
    )
    return [np.where(member & ~bad, 1 / variance, 0.0).ravel().astype(np.float64) for bad, variance in planes]


def _product(one: sparse.csc_array, other: sparse.csc_array, weights: Float) -> Float:
    return np.asarray((one.T @ (other * weights[:, None])).toarray())


def _gram(shapes: sparse.csc_array, weights: Float) -> Float:
    return _product(shapes, shapes, weights)


def _inverse(gram: Float) -> Float:
    """Inverse of normal equations; 0 for what has no data."""
    told = np.flatnonzero(np.diagonal(gram) > 0)
    out = np.zeros_like(gram)
    if told.size:
        scale = np.sqrt(np.diagonal(gram)[told])
        normal = gram[np.ix_(told, told)] / np.outer(scale, scale) + _RIDGE * np.eye(told.size)
        out[np.ix_(told, told)] = linalg.inv(normal, check_finite=False) / np.outer(scale, scale)
    return out
