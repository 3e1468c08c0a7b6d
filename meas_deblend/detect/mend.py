"""Interpolation over unusable pixels, for what cannot weight pixels: deconvolution, first guesses, templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray, FloatArray, IntArray

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
    y, x = np.nonzero(bad)
    # A pixel on its own takes a nanosecond per tap of the kernel, a pixel of the transforms about 60.
    few = y.size * weight.size < 30 * bad.size
    total, coverage = (_sums_at if few else _sums_everywhere)(clean, bad, weight, (y, x))
    # A thousandth of the weight suffices to bridge a saturated core, and is far above the round-off of the transforms.
    near = coverage > 1e-3 * weight.sum()
    clean[y[near], x[near]] = total[near] / coverage[near]
    return clean


def _sums_everywhere(
    clean: FloatArray, bad: BoolArray, weight: FloatArray, where: tuple[IntArray, IntArray]
) -> tuple[FloatArray, FloatArray]:
    """Weighted sums of the usable pixels and of their number around some pixels: two arrays (n,)."""
    from scipy.signal import oaconvolve  # noqa: PLC0415 - half a second to load, and few images need it

    total = oaconvolve(clean.astype(np.float64), weight, mode="same")
    coverage = oaconvolve((~bad).astype(np.float64), weight, mode="same")
    return total[where], coverage[where]


def _sums_at(
    clean: FloatArray, bad: BoolArray, weight: FloatArray, where: tuple[IntArray, IntArray]
) -> tuple[FloatArray, FloatArray]:
    """Return what `_sums_everywhere` does, pixel by pixel."""
    reach = (weight.shape[0] // 2, weight.shape[1] // 2)
    flipped = weight[::-1, ::-1]
    sums = np.zeros((2, where[0].size))
    for k, (y, x) in enumerate(zip(*where, strict=True)):
        rows, columns = slice(max(y - reach[0], 0), y + reach[0] + 1), slice(max(x - reach[1], 0), x + reach[1] + 1)
        part = clean[rows, columns]
        first = (rows.start - y + reach[0], columns.start - x + reach[1])
        taps = flipped[first[0] : first[0] + part.shape[0], first[1] : first[1] + part.shape[1]]
        sums[0, k] = np.einsum("yx,yx->", part, taps)
        sums[1, k] = np.einsum("yx,yx->", ~bad[rows, columns], taps)
    return sums[0], sums[1]
