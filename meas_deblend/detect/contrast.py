"""Signal-to-noise ratio of a point source over its surroundings: what stands out on the shoulder of a brighter one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .dilation import dilate_disc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray, FloatArray, IntArray
    from .tiling import TilePixels

__all__ = ["Disc", "contrast_at", "contrast_reach", "local_contrast"]

MIN_COVERAGE = 0.6
"""Share of Σ P² within the disc that must be usable: at the rim of a masked core a one-sided fit takes the star's own
slope for a source, while a bad column through the centre still leaves 70 to 80 %."""
LEAST_RADIUS = 1.5
"""Pixels: the eight neighbours of a pixel lie within."""


@dataclass(frozen=True, slots=True, eq=False)
class Disc:
    """A disc around a pixel, and the PSF on it.

    Parameters
    ----------
    psf : float64 array (n, n)
        On an odd square as wide as the disc; 0 outside of it, 1 at its maximum.
    half : int array (n,)
        Half width of the disc on each row of it.
    """

    psf: NDArray[np.float64]
    half: IntArray

    @classmethod
    def of(cls, kernel: FloatArray, radius: float) -> Disc:
        """Cut a PSF (y, x) on odd sides to a radius in pixels; the eight neighbours of a pixel always belong to it."""
        reach, n = max(radius, LEAST_RADIUS), contrast_reach(radius)
        dy, dx = np.mgrid[-n : n + 1, -n : n + 1]
        members = dy**2 + dx**2 <= reach**2
        psf = np.zeros(members.shape)
        sides = min(n, kernel.shape[0] // 2), min(n, kernel.shape[1] // 2)
        inner = tuple(slice(n - h, n + h + 1) for h in sides)
        outer = tuple(slice(s // 2 - h, s // 2 + h + 1) for s, h in zip(kernel.shape, sides, strict=True))
        psf[inner] = kernel[outer]
        psf *= members / psf.max()
        return cls(psf, np.count_nonzero(members, axis=1) // 2)

    @property
    def reach(self) -> int:
        """Pixels by which it extends around its middle."""
        return len(self.half) // 2

    @property
    def area(self) -> int:
        """Number of its pixels."""
        return int(np.sum(2 * self.half + 1))

    def stencil(self) -> NDArray[np.float64]:
        """Numerator (n, n) of the amplitude of a point source over a constant, where all pixels are usable."""
        across = np.abs(np.arange(len(self.half)) - self.reach)
        members = across <= self.half[:, None]
        return np.where(members, self.area * self.psf - self.psf.sum(), 0.0)


def local_contrast(pixels: TilePixels, disc: Disc, where: BoolArray) -> tuple[NDArray[np.float32], BoolArray]:
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
        Of a tile with a margin of `contrast_reach` or more, equal on all sides; ``variance`` is what the noise is taken
        to be, image units².
    disc : Disc
    where : bool array (y, x)
        Pixels of the tile, without its margin, to look at.

    Returns
    -------
    significance : float32 array (y, x)
        On the tile without its margin; 0 where not seen.
    seen : bool array (y, x)
        Where enough of the disc is usable, within ``where``.
    """
    from ._disc_kernels import RUN, stencil_significance  # noqa: PLC0415 - loads the compiler

    wide, beyond = where, max(RUN - where.shape[1], 0)
    if beyond:
        pixels, wide = pixels.padded(beyond), np.pad(where, ((0, 0), (0, beyond)))
    pixels = _with_margin(pixels, wide.shape, disc.reach)
    # One pixel more than a whole number of them: no disc of a radius in between is left out.
    blocked = dilate_disc(~pixels.usable, disc.reach + 1)[disc.reach : -disc.reach, disc.reach : -disc.reach]
    significance = np.zeros(wide.shape, dtype=np.float32)
    seen = np.zeros(wide.shape, dtype=bool)
    planes = (pixels.image, pixels.variance)
    stencil_significance(planes, disc.stencil(), disc.half, wide & ~blocked, (significance, seen))
    # Of a mask in one piece they are found five times as fast.
    y, x = np.divmod(np.flatnonzero(wide & blocked), wide.shape[1])
    significance[y, x], seen[y, x] = contrast_at(pixels, disc, (y, x))
    across = where.shape[1]
    return significance[:, :across], seen[:, :across]


def _with_margin(pixels: TilePixels, shape: tuple[int, ...], margin: int) -> TilePixels:
    """Cut a tile whose margin is wider down to ``shape`` (y, x) and a margin."""
    surplus = (pixels.usable.shape[0] - shape[0]) // 2 - margin
    return pixels.cut(surplus) if surplus else pixels


def contrast_reach(radius: float) -> int:
    """Pixels by which the disc of `local_contrast` extends around its middle."""
    return int(max(radius, LEAST_RADIUS))


def contrast_at(
    pixels: TilePixels, disc: Disc, where: tuple[IntArray, IntArray]
) -> tuple[NDArray[np.float32], BoolArray]:
    """`local_contrast` at the pixels (y, x) of a tile with a margin of the disc's reach, one by one: two arrays (n,).

    Pixels are counted without the margin.
    """
    from ._disc_kernels import moments_at  # noqa: PLC0415 - loads the compiler

    moments = moments_at((pixels.image, pixels.variance), pixels.usable, disc.psf, disc.half, where)
    number, first, second, total, shaped, *noise = moments.T
    least = np.sum(disc.psf**2)
    # By the Cauchy–Schwarz inequality the determinant is 0 only where the usable pixels all have one value of P.
    whole = disc.area * least - disc.psf.sum() ** 2
    seen = (second > MIN_COVERAGE * least) & (number * second - first**2 > 0.1 * whole)
    # Numerators only: the determinant is common to the amplitude and to its standard deviation.
    amplitude = number * shaped - first * total
    scatter2 = number**2 * noise[2] - 2 * number * first * noise[1] + first**2 * noise[0]
    seen &= scatter2 > 0
    return np.where(seen, amplitude / np.sqrt(np.where(seen, scatter2, 1.0)), 0.0), seen
