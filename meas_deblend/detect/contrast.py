"""Signal-to-noise ratio of a point source over its surroundings: what stands out on the shoulder of a brighter one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray, FloatArray
    from .band_pixels import BandPixels

__all__ = ["local_contrast"]

MIN_COVERAGE = 0.6
"""Share of Σ P² within the disc that must be usable: at the rim of a masked core a one-sided fit takes the star's own
slope for a source, while a bad column through the centre still leaves 70 to 80 %."""
CHUNK = 1 << 16
"""Values gathered at a time: few enough to stay in the cache of the processor."""


def local_contrast(
    pixels: BandPixels, variance: FloatArray, radius: float, where: BoolArray
) -> tuple[NDArray[np.float32], BoolArray]:
    """Significance of a point source over a constant background, both fitted within a disc around a pixel.

    For the model ``a P + b`` with equal weights on the usable pixels of the disc, the least-squares amplitude is
    ``a = Σ k D`` with ``k = (N P − Σ P) / (N Σ P² − (Σ P)²)``, a kernel of zero sum, and has the variance ``Σ k² V``.
    Equal weights keep the zero sum where the photon noise of a bright neighbour varies; the smooth light of the
    neighbour then drops out to first order, because a slope is odd and the PSF even.

    A disc as small as the PSF makes a filter that amplifies high frequencies, so that maxima appear where a
    PSF-smoothed image has but a shoulder; what that costs in noise is in the variance.

    Parameters
    ----------
    pixels : BandPixels
        Image and PSF.
    variance : array (y, x)
        What the noise is taken to be, image units²; finite where usable.
    radius : float
        Of the disc, pixels; at least the eight neighbours of a pixel belong to it.
    where : bool array (y, x)
        Pixels to look at: the time grows with their number and with the area of the disc.

    Returns
    -------
    significance : float32 array (y, x)
        0 where not seen.
    seen : bool array (y, x)
        Where enough of the disc is usable, within ``where``.
    """
    disc, psf = _on_disc(pixels.kernel, radius)
    reach = disc.shape[0] // 2
    usable = pixels.usable
    planes = [np.pad(np.where(usable, a, 0.0), reach) for a in (usable, pixels.image, variance)]
    width = planes[0].shape[1]
    dy, dx = np.nonzero(disc)
    taps = (dy - reach) * width + (dx - reach)
    y, x = np.nonzero(where)
    base = (y + reach) * width + (x + reach)
    value, enough = np.zeros(base.size, dtype=np.float32), np.zeros(base.size, dtype=bool)
    shape = psf[dy, dx]
    step = max(CHUNK // taps.size, 1)
    for start in range(0, base.size, step):
        part = slice(start, start + step)
        index = base[part, None] + taps
        m, d, v = (np.take(plane, index) for plane in planes)
        value[part], enough[part] = _fit(m, d, v, shape)
    significance = np.zeros(where.shape, dtype=np.float32)
    seen = np.zeros(where.shape, dtype=bool)
    significance[y, x], seen[y, x] = value, enough
    return significance, seen


def _fit(usable: FloatArray, data: FloatArray, variance: FloatArray, psf: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Fit `local_contrast`'s model to the rows of three arrays (n, taps); ``psf`` (taps,) is on the same taps."""
    powers = np.stack([np.ones_like(psf), psf, psf**2], axis=1)
    number, first, second = (usable @ powers).T
    total, shaped = (data @ powers[:, :2]).T
    noise = (variance @ powers).T
    # By the Cauchy–Schwarz inequality the determinant is 0 only where the usable pixels all have one value of P.
    whole = psf.size * np.sum(psf**2) - psf.sum() ** 2
    seen = (second > MIN_COVERAGE * np.sum(psf**2)) & (number * second - first**2 > 0.1 * whole)
    # Numerators only: the determinant is common to the amplitude and to its standard deviation.
    amplitude = number * shaped - first * total
    scatter2 = number**2 * noise[2] - 2 * number * first * noise[1] + first**2 * noise[0]
    seen &= scatter2 > 0
    return np.where(seen, amplitude / np.sqrt(np.where(seen, scatter2, 1.0)), 0.0), seen


def _on_disc(kernel: FloatArray, radius: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the disc (0 or 1) and the PSF on it, scaled to a maximum of 1, both on one odd stamp (h, w)."""
    reach = max(radius, 1.5)
    n = int(reach)
    dy, dx = np.mgrid[-n : n + 1, -n : n + 1]
    disc = (dy**2 + dx**2 <= reach**2).astype(np.float64)
    psf = np.zeros_like(disc)
    half = min(n, kernel.shape[0] // 2), min(n, kernel.shape[1] // 2)
    inner = tuple(slice(n - h, n + h + 1) for h in half)
    outer = tuple(slice(s // 2 - h, s // 2 + h + 1) for s, h in zip(kernel.shape, half, strict=True))
    psf[inner] = kernel[outer]
    psf *= disc / psf.max()
    return disc, psf
