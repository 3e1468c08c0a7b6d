"""Usable pixels of an exposure within a box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..detect import gaussian_kernel, mend

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray, Box, FloatArray
    from ..image import MultibandExposure

__all__ = ["Cutout", "cut_out"]

_BRIDGE = gaussian_kernel(2.0)
"""Weights for interpolation over unusable pixels: about a PSF, and 8 pixels of reach."""


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """What a deblender reads.

    Parameters
    ----------
    box : Box
        Inside the exposure.
    images : float32 array (band, y, x)
        Finite; unusable pixels are interpolated, so that templates and first guesses have no holes.
    variance : float32 array (band, y, x)
        NaN at unusable pixels.
    bad : bool array (band, y, x)
        Unusable pixels.
    """

    box: Box
    images: FloatArray
    variance: FloatArray
    bad: BoolArray

    @property
    def noise_rms(self) -> NDArray[np.float64]:
        """Median standard deviation of a usable pixel per band (band,), image units; NaN in a band without any."""
        rms = [
            np.sqrt(np.median(v[~b])) if not b.all() else np.nan for v, b in zip(self.variance, self.bad, strict=True)
        ]
        return np.array(rms, dtype=np.float64)


def cut_out(exposure: MultibandExposure, box: Box) -> Cutout:
    """Cut ``box``, clipped to the image, out of all bands, in a time proportional to its area.

    Parameters
    ----------
    exposure : MultibandExposure
    box : Box

    Returns
    -------
    Cutout
    """
    inside = box & exposure.box
    cut = (slice(None), *inside.slices_in(exposure.box))
    with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
        images, variance = exposure.images[cut].astype(np.float32), exposure.variance[cut].astype(np.float32)
        # A value may leave the range of single precision, and so may the weight.
        usable = np.isfinite(images) & np.isfinite(variance) & np.isfinite(1 / variance) & (variance > 0)
    bad = exposure.mask_planes.any_set(exposure.mask[cut]) | ~usable
    for k in np.flatnonzero(bad.any(axis=(1, 2))):
        images[k] = mend(images[k], bad[k], _BRIDGE)
    variance[bad] = np.nan
    return Cutout(inside, images, variance, bad)
