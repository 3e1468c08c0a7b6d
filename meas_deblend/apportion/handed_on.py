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
    from ._quality_kernels import count_covered  # noqa: PLC0415 - loads the compiler

    bands, (height, width) = len(exposure.bands), exposure.images.shape[1:]
    peak_flux, covered = np.full(bands, np.nan), np.zeros(bands, dtype=np.int64)
    planes = exposure.images, exposure.variance, exposure.mask
    named = exposure.mask_planes.bits
    bits = tuple(exposure.mask_planes.value((name,)) if name in named else 0 for name in (_NO_DATA, _EDGE))
    pixels = child.share, child.masked
    count, marked, span = count_covered(planes, (bits[0], bits[1]), child.box.origin, pixels, covered)
    if not count:
        return HandedOn(np.zeros(bands), peak_flux, at_edge=False)
    if child.box.contains(peak.y, peak.x):
        y, x = peak.y - child.box.origin[0], peak.x - child.box.origin[1]
        peak_flux = np.where(child.share[:, y, x] > 0, child.flux[:, y, x], np.nan).astype(np.float64)
    outermost = span[0] == 0 or span[1] == height - 1 or span[2] == 0 or span[3] == width - 1
    return HandedOn(covered / count, peak_flux, at_edge=bool(outermost or marked))
