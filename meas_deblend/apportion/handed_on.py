"""What is told of the pixels that are handed on with a child: coverage, the pixel of its peak, the image's edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import Peak
    from ..image import MultibandExposure
    from .values import Child

__all__ = ["HandedOn", "handed_on"]

_NO_DATA, _EDGE = "NO_DATA", "EDGE"


@dataclass(frozen=True, slots=True, eq=False)
class HandedOn:
    """Facts about the pixels of a child: those that it claims in any band, usable or not.

    Parameters
    ----------
    coverage : float64 array (B,)
        Fraction of them with data: no plane NO_DATA, a finite value, a variance above 0. 0 without any pixel.
    peak_flux : float64 array (B,)
        What the child received of the peak's pixel, image units; NaN where that is nothing.
    at_edge : bool
        Whether one of them lies at the edge of the image, or has the plane EDGE set in any band.
    """

    coverage: NDArray[np.float64]
    peak_flux: NDArray[np.float64]
    at_edge: bool


def handed_on(exposure: MultibandExposure, child: Child, peak: Peak) -> HandedOn:
    """Look at a child's pixels.

    Parameters
    ----------
    exposure : MultibandExposure
        B bands.
    child : Child
        With arrays (B, y, x).
    peak : Peak
        Of the child.
    """
    bands = len(exposure.bands)
    mine = ((child.share > 0) | child.masked).any(axis=0)
    peak_flux = np.full(bands, np.nan)
    if not mine.any():
        return HandedOn(np.zeros(bands), peak_flux, at_edge=False)
    cut = (slice(None), *child.box.slices_in(exposure.box))
    planes, mask = exposure.mask_planes, exposure.mask[cut]
    lost = ~(np.isfinite(exposure.images[cut]) & np.isfinite(exposure.variance[cut]) & (exposure.variance[cut] > 0))
    if _NO_DATA in planes.bits:
        lost |= planes.any_set(mask, (_NO_DATA,))
    if child.box.contains(peak.y, peak.x):
        y, x = peak.y - child.box.origin[0], peak.x - child.box.origin[1]
        peak_flux = np.where(child.share[:, y, x] > 0, child.flux[:, y, x], np.nan).astype(np.float64)
    rows, columns = np.nonzero(mine)
    (y0, x0), (height, width) = child.box.origin, exposure.box.shape
    outermost = y0 + rows.min() == 0 or x0 + columns.min() == 0
    outermost = outermost or y0 + rows.max() == height - 1 or x0 + columns.max() == width - 1
    marked = _EDGE in planes.bits and bool((planes.any_set(mask, (_EDGE,)) & mine).any())
    return HandedOn(1 - lost[:, mine].mean(axis=1), peak_flux, at_edge=bool(outermost or marked))
