"""Signal-to-noise ratio of a point source over its surroundings: what stands out on the shoulder of a brighter one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .dilation import dilate_disc
from .stencils import Stencils

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray, FloatArray, IntArray
    from .tiling import TilePixels

__all__ = ["ContrastStencils", "contrast_at", "contrast_reach", "local_contrast"]

MIN_COVERAGE = 0.6
"""Share of Σ P² within the disc that must be usable: at the rim of a masked core a one-sided fit takes the star's own
slope for a source, while a bad column through the centre still leaves 70 to 80 %."""
LEAST_RADIUS = 1.5
"""Pixels: the eight neighbours of a pixel lie within."""
RANGE = 1e8
"""Variances of a tile that exceed the smallest by more are kept out of the transforms: of the sixteen digits of double
precision, eight are left for the others."""
CHUNK = 1 << 16
"""Values gathered at a time: few enough to stay in the cache of the processor."""


@dataclass(frozen=True, slots=True, eq=False)
class ContrastStencils:
    """Stencils of the fit in a disc, for tiles of one shape.

    Parameters
    ----------
    kernel : array (y, x)
        The PSF, on odd sides.
    radius : float
        Of the disc, pixels; at least the eight neighbours of a pixel belong to it.
    stencils : Stencils
        Of the numerator of the amplitude, and its square.
    """

    kernel: FloatArray
    radius: float
    stencils: Stencils

    @classmethod
    def of(cls, kernel: FloatArray, radius: float, inner: tuple[int, int]) -> ContrastStencils:
        """Make them for tiles of ``inner`` pixels (y, x), margins not counted."""
        disc, psf = _on_disc(kernel, radius)
        stencil = (disc.sum() * psf - psf.sum()) * disc
        return cls(kernel, radius, Stencils.of([stencil, stencil**2], inner))

    def fit(self, kernel: FloatArray, inner: tuple[int, int]) -> bool:
        """Whether they are those of a kernel for tiles of ``inner`` pixels."""
        (ry, rx), (ny, nx) = self.stencils.reach, self.stencils.shape
        return self.kernel is kernel and (ny - 2 * ry, nx - 2 * rx) == inner


def local_contrast(
    pixels: TilePixels, made: ContrastStencils, where: BoolArray
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
    pixels : TilePixels
        Of a tile with a margin of `contrast_reach`; ``variance`` is what the noise is taken to be, image units².
    made : ContrastStencils
        For tiles of the shape of ``where``.
    where : bool array (y, x)
        Pixels of the tile, without its margin, to look at.

    Returns
    -------
    significance : float32 array (y, x)
        On the tile without its margin; 0 where not seen.
    seen : bool array (y, x)
        Where enough of the disc is usable, within ``where``.
    """
    reach = contrast_reach(made.radius)
    # Beside a value that exceeds all others by this the transform would lose them in its rounding.
    clear = pixels.usable & (pixels.variance <= RANGE * np.min(pixels.variance, where=pixels.usable, initial=np.inf))
    inner = (slice(reach, -reach), slice(reach, -reach))
    whole = where & ~dilate_disc(~clear, int(np.ceil(made.radius)))[inner]
    significance = np.zeros(where.shape, dtype=np.float32)
    seen = np.zeros(where.shape, dtype=bool)
    if whole.any():
        (amplitude,) = made.stencils.sums(np.where(clear, pixels.image, 0.0), [0])
        (scatter2,) = made.stencils.sums(np.where(clear, pixels.variance, 0.0), [1])
        seen |= whole & (scatter2 > 0)
        significance[seen] = amplitude[seen] / np.sqrt(scatter2[seen])
    y, x = np.nonzero(where & ~whole)
    significance[y, x], seen[y, x] = contrast_at(pixels, made.kernel, made.radius, (y, x))
    return significance, seen


def contrast_reach(radius: float) -> int:
    """Pixels by which the disc of `local_contrast` extends around its middle."""
    return int(max(radius, LEAST_RADIUS))


def contrast_at(
    pixels: TilePixels, kernel: FloatArray, radius: float, where: tuple[IntArray, IntArray]
) -> tuple[NDArray[np.float32], BoolArray]:
    """`local_contrast` at the pixels (y, x) of a tile without its margin, one by one: two arrays (n,)."""
    disc, psf = _on_disc(kernel, radius)
    reach = disc.shape[0] // 2
    width = pixels.image.shape[1]
    dy, dx = np.nonzero(disc)
    taps = (dy - reach) * width + (dx - reach)
    base = (where[0] + reach) * width + (where[1] + reach)
    value, enough = np.zeros(base.size, dtype=np.float32), np.zeros(base.size, dtype=bool)
    planes = (pixels.usable.astype(np.float64), pixels.image, pixels.variance)
    step = max(CHUNK // taps.size, 1)
    for start in range(0, base.size, step):
        part = slice(start, start + step)
        index = base[part, None] + taps
        m, d, v = (np.take(plane, index) for plane in planes)
        value[part], enough[part] = _fit(m, d, v, psf[dy, dx])
    return value, enough


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
    reach, n = max(radius, LEAST_RADIUS), contrast_reach(radius)
    dy, dx = np.mgrid[-n : n + 1, -n : n + 1]
    disc = (dy**2 + dx**2 <= reach**2).astype(np.float64)
    psf = np.zeros_like(disc)
    half = min(n, kernel.shape[0] // 2), min(n, kernel.shape[1] // 2)
    inner = tuple(slice(n - h, n + h + 1) for h in half)
    outer = tuple(slice(s // 2 - h, s // 2 + h + 1) for s, h in zip(kernel.shape, half, strict=True))
    psf[inner] = kernel[outer]
    psf *= disc / psf.max()
    return disc, psf
