"""Projections onto the constraints of a factorized model, other than monotonicity."""

from __future__ import annotations

import numpy as np

from ..geometry import FloatArray

__all__ = ["SPECTRUM_FLOOR", "floor_spectrum", "normalize", "sparsify", "sparsity_level", "symmetric"]

SPECTRUM_FLOOR = 1e-20
"""Least value of a spectrum or of a morphology at its peak: positive, so that ratios stay finite."""


def floor_spectrum(spectrum: FloatArray) -> FloatArray:
    """Raise what is too small or not finite in a spectrum (band,) to `SPECTRUM_FLOOR`; in place, and returned."""
    spectrum[~(np.isfinite(spectrum) & (spectrum >= SPECTRUM_FLOOR))] = SPECTRUM_FLOOR
    return spectrum


def symmetric(
    image: FloatArray, center: tuple[int, int], fill: float | None = None, *, mean: bool = False
) -> FloatArray:
    """Minimum, or mean, of ``image`` (y, x) and itself turned by 180° about ``center``.

    Parameters
    ----------
    image : array (y, x)
    center : tuple of int
        Pixel about which to turn.
    fill : float, optional
        Value of pixels whose counterpart lies outside; None leaves them as they are.
    mean : bool
        Take the mean of a pair, which is the projection, instead of the minimum, which removes neighbours.
    """
    (y, x), (ny, nx) = center, image.shape
    ry, rx = min(y, ny - 1 - y), min(x, nx - 1 - x)
    inside = (slice(y - ry, y + ry + 1), slice(x - rx, x + rx + 1))
    out = image.copy() if fill is None else np.full_like(image, fill)
    part, turned = image[inside], image[inside][::-1, ::-1]
    out[inside] = 0.5 * (part + turned) if mean else np.minimum(part, turned)
    return out


def sparsity_level(spectrum: FloatArray, thresholds: FloatArray) -> float:
    """Morphology below which ``spectrum × morph`` is under the threshold (band,) in every band; spectrum > 0."""
    with np.errstate(over="ignore"):
        return float(np.min(thresholds / spectrum))


def sparsify(morph: FloatArray, level: float) -> FloatArray:
    """Set pixels of ``morph`` below ``level``, negative or not finite to 0, in place, and return it."""
    morph[~((morph >= max(level, 0.0)) & (morph < np.inf))] = 0
    return morph


def normalize(morph: FloatArray, peak: tuple[int, int]) -> float:
    """Scale ``morph`` to maximum 1, in place, and return the factor by which it was divided.

    The pixel at ``peak`` is first raised to `SPECTRUM_FLOOR`, so that an extinguished morphology becomes a point.
    """
    morph[peak] = max(morph[peak], SPECTRUM_FLOOR)
    largest = float(morph.max())
    morph /= largest
    return largest
