"""Whether the pixels that were handed out add up to the data: checked on the pixels, not on the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..image import MultibandExposure
    from ..models import ParentModel
    from .values import Apportioned

__all__ = ["account_imbalance"]


def account_imbalance(exposure: MultibandExposure, parent: ParentModel, shared: Apportioned) -> NDArray[np.float64]:
    """Add up children, unassigned and masked pixels over the detected footprint, and compare with the data.

    Parameters
    ----------
    exposure : MultibandExposure
        The data.
    parent : ParentModel
        The parent that was shared out.
    shared : Apportioned
        Its children, as they are handed on: rounded to the dtype of the images.

    Returns
    -------
    float64 array (band,)
        ``|data − children − unassigned − masked| / Σ|data|``; 0 where there are no data. About 1e-8 for float32 pixels.
    """
    box = parent.footprint.box
    images = exposure.images[(slice(None), *box.slices_in(exposure.box))]
    data = np.where(parent.footprint.mask & np.isfinite(images), images, 0).astype(np.float64)
    rest = data - shared.unassigned.array - shared.masked.array
    for child in shared.children:
        here, there = child.box.overlap_slices(box)
        rest[(slice(None), *there)] -= np.where(parent.footprint.mask[there], child.flux[(slice(None), *here)], 0)
    scale = np.abs(data).sum(axis=(1, 2))
    imbalance = np.abs(rest.sum(axis=(1, 2)))
    ratio: NDArray[np.float64] = np.divide(imbalance, scale, out=np.zeros_like(scale), where=scale > 0)
    return ratio
