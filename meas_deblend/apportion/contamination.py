"""How much of what lies on an object's pixels is its neighbours', by the models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float = NDArray[np.float64]

__all__ = ["ModelOverlap", "model_overlap"]


@dataclass(frozen=True, slots=True, eq=False)
class ModelOverlap:
    """What the neighbours of a source put on its model's pixels, before convolution.

    With the source's model m, the sum T of all models of its blend, and F the pixels where m is above 0 in any band:

    Parameters
    ----------
    bands : float64 array (B,)
        Blendedness 1 − Σ m² / Σ m T: 0 alone, close to 1 under brighter ones; NaN without a model in the band.
    joint : float
        The same with sums over all bands.
    maximum : float64 array (B,)
        Largest T − m on F, image units.
    flux : float64 array (B,)
        Sum of T − m over F, image units.
    fraction : float64 array (B,)
        ``flux`` / Σ m; 0 where the source has no flux.
    """

    bands: Float
    joint: float
    maximum: Float
    flux: Float
    fraction: Float

    @classmethod
    def unknown(cls, bands: int) -> ModelOverlap:
        """Overlap of a source without a model: all NaN."""
        lost = np.full(bands, np.nan)
        return cls(lost, float("nan"), lost, lost, lost)


def model_overlap(model: NDArray[np.floating], total: NDArray[np.floating]) -> ModelOverlap:
    """Compare a source's model with that of its blend.

    Parameters
    ----------
    model : float array (B, h, w)
        The source's, at least 0.
    total : float array (B, h, w)
        Sum over its blend, the source included, on the same pixels; what lies beyond them does not count.

    Returns
    -------
    ModelOverlap
        All NaN if the model is empty.
    """
    mine = np.asarray(model, dtype=np.float64)
    where = (mine > 0).any(axis=0)
    if not where.any():
        return ModelOverlap.unknown(len(mine))
    others = np.where(where, total - mine, 0.0)
    own, flux = mine.sum(axis=(1, 2)), others.sum(axis=(1, 2))
    square, product = (mine**2).sum(axis=(1, 2)), (mine * total).sum(axis=(1, 2))
    nowhere = product <= 0
    return ModelOverlap(
        bands=np.where(nowhere, np.nan, 1 - square / np.where(nowhere, 1.0, product)),
        joint=1 - float(square.sum()) / float(product.sum()),
        maximum=others.max(axis=(1, 2)),
        flux=flux,
        fraction=np.where(own > 0, flux / np.where(own > 0, own, 1.0), 0.0),
    )
