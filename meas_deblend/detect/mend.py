"""Interpolation over unusable pixels, for what cannot weight pixels: deconvolution, first guesses, templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import oaconvolve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray, FloatArray

__all__ = ["mend"]


def mend(image: FloatArray, bad: BoolArray, kernel: FloatArray) -> NDArray[np.float32]:
    """Replace bad pixels by the weighted mean of the usable ones around them.

    Parameters
    ----------
    image : array (y, x)
        Finite where not bad.
    bad : bool array (y, x)
    kernel : array (h, w)
        Weights on odd sides, e.g. the PSF; negative ones count as 0.

    Returns
    -------
    float32 array (y, x)
        Bad pixels with hardly any usable one within reach of the kernel are 0.
    """
    clean = np.where(bad, 0, image).astype(np.float32)
    if not bad.any() or bad.all():
        return clean
    weight = np.maximum(kernel, 0).astype(np.float64)[::-1, ::-1]
    total = oaconvolve(clean.astype(np.float64), weight, mode="same")
    coverage = oaconvolve((~bad).astype(np.float64), weight, mode="same")
    # A thousandth of the weight suffices to bridge a saturated core, and is far above the round-off of the transforms.
    near = bad & (coverage > 1e-3 * weight.sum())
    clean[near] = total[near] / coverage[near]
    return clean
