"""Surface-brightness profiles and their Fourier transforms.

A galaxy on an image is its profile convolved with the PSF, pixel response included, and sampled at pixel
centres.  In Fourier space that is a product, exact as long as the PSF stamp is Nyquist-sampled, and the
profile's infinitely sharp centre never has to be resolved on pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft, interpolate, special

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import FloatArray

__all__ = ["SERSIC_INDICES", "PointSource", "Profile", "Sersic", "sersic_scale", "sersic_transform"]

#: Range of Sérsic indices for which the tabulated transform was checked against direct integration.
SERSIC_INDICES = (0.3, 6.2)


@dataclass(frozen=True, slots=True)
class PointSource:
    """A source without extent: its image is the PSF."""

    def transform(self, ky: FloatArray, kx: FloatArray) -> NDArray[np.float64]:
        """Fourier transform at the frequencies ``ky``, ``kx`` [rad/px], broadcast together: 1 everywhere."""
        return np.ones(np.broadcast_shapes(ky.shape, kx.shape))

    def radius_at(self, brightness: float) -> float:
        """Radius [px] outside of which a unit source is fainter than ``brightness`` [1/px²]: 0 before the PSF."""
        del brightness
        return 0.0


@dataclass(frozen=True, slots=True)
class Sersic:
    """An elliptical Sérsic (1963) profile, I(r) ∝ exp(−b (r / r_e)^(1/n)), of unit flux.

    n = 1 is the exponential disc, n = 4 de Vaucouleurs' law, n = 1/2 a Gaussian.

    Parameters
    ----------
    half_light_radius : float
        Major semi-axis r_e of the ellipse that holds half of the flux [px], above 0.
    sersic_index : float
        n, within `SERSIC_INDICES`.
    axis_ratio : float
        Minor over major axis, in (0, 1].
    position_angle : float
        Of the major axis, from +x towards +y [degrees].

    Raises
    ------
    ValueError
        If a parameter is out of its range.
    """

    half_light_radius: float
    sersic_index: float = 1.0
    axis_ratio: float = 1.0
    position_angle: float = 0.0

    def __post_init__(self) -> None:
        low, high = SERSIC_INDICES
        if not self.half_light_radius > 0:
            raise ValueError(f"half_light_radius must be above 0 px, got {self.half_light_radius}")
        if not low <= self.sersic_index <= high:
            raise ValueError(f"sersic_index must be within {low} … {high}, got {self.sersic_index}")
        if not 0 < self.axis_ratio <= 1:
            raise ValueError(f"axis_ratio must be in (0, 1], got {self.axis_ratio}")

    def transform(self, ky: FloatArray, kx: FloatArray) -> NDArray[np.float64]:
        """Fourier transform at the frequencies ``ky``, ``kx`` [rad/px], broadcast together; real, 1 at k = 0."""
        angle = np.deg2rad(self.position_angle)
        along = kx * np.cos(angle) + ky * np.sin(angle)
        across = ky * np.cos(angle) - kx * np.sin(angle)
        return sersic_transform(self.half_light_radius * np.hypot(along, self.axis_ratio * across), self.sersic_index)

    def brightness(self, radius: FloatArray) -> NDArray[np.float64]:
        """Surface brightness [1/px²] at ``radius`` [px along the major axis] (Graham & Driver 2005, eq. 4)."""
        b, n = sersic_scale(self.sersic_index), self.sersic_index
        return np.asarray(self._central() * np.exp(-b * (radius / self.half_light_radius) ** (1 / n)))

    def enclosed(self, radius: float) -> float:
        """Fraction of the flux inside the ellipse of major semi-axis ``radius`` [px] (Graham & Driver 2005, eq. 2)."""
        b, n = sersic_scale(self.sersic_index), self.sersic_index
        return float(special.gammainc(2 * n, b * (radius / self.half_light_radius) ** (1 / n)))

    def radius_at(self, brightness: float) -> float:
        """Major semi-axis [px] outside of which it is fainter than ``brightness`` [1/px²]; 0 if it always is."""
        contrast = self._central() / brightness
        if contrast <= 1:
            return 0.0
        b, n = sersic_scale(self.sersic_index), self.sersic_index
        return float(self.half_light_radius * (np.log(contrast) / b) ** n)

    def _central(self) -> float:
        b, n = sersic_scale(self.sersic_index), self.sersic_index
        area = self.axis_ratio * self.half_light_radius**2
        return float(b ** (2 * n) / (2 * np.pi * n * special.gamma(2 * n) * area))


Profile = PointSource | Sersic


def sersic_scale(n: float) -> float:
    """Return the b_n that makes r_e hold half of the flux: γ(2n, b) = Γ(2n) / 2 (Ciotti 1991)."""
    return float(special.gammaincinv(2 * n, 0.5))


def sersic_transform(k: FloatArray, n: float) -> NDArray[np.float64]:
    """Fourier transform of the circular Sérsic profile of unit flux and unit half-light radius.

    The exponential, (1 + k²/b²)^(−3/2), and the Gaussian, exp(−k²/4b), are closed forms; others are read from
    a table in ln k.

    Parameters
    ----------
    k : float array
        Frequency times half-light radius [rad], any shape, at least 0.
    n : float
        Sérsic index, within `SERSIC_INDICES`.

    Returns
    -------
    float64 array
        Same shape; accurate to 1e-6.
    """
    k = np.asarray(k, dtype=np.float64)
    b = sersic_scale(n)
    if n == 1:
        return np.asarray((1 + (k / b) ** 2) ** -1.5)
    if n == 0.5:
        return np.asarray(np.exp(-(k**2) / (4 * b)))
    table = _sersic_table(n)
    log_k = np.log(np.clip(k, np.exp(table.t[0]), np.exp(table.t[-1])))
    return np.asarray(table(log_k), dtype=np.float64)


@lru_cache(maxsize=128)
def _sersic_table(n: float) -> interpolate.BSpline:
    """Cubic spline of the transform in ln k, by the FFTLog algorithm (Hamilton 2000) on a logarithmic grid.

    Below the table the transform is 1, above it 0, to better than 1e-6.
    """
    b = sersic_scale(n)
    # Wide enough that the periodic images of r I(r), which is what FFTLog transforms, do not meet.
    log_r = np.linspace(-22, 22, 4096)
    step = log_r[1] - log_r[0]
    r = np.exp(log_r)
    norm = n * b ** (-2 * n) * special.gamma(2 * n)
    offset = fft.fhtoffset(step, mu=0.0)
    with np.errstate(over="ignore"):
        weighted = r * np.exp(-b * r ** (1 / n)) / norm
    transform = fft.fht(weighted, step, mu=0.0, offset=offset) / (k := np.exp(log_r + offset))
    inside = (k > 1e-5) & (k < 1e5)
    return interpolate.make_interp_spline(np.log(k[inside]), transform[inside], k=3)
