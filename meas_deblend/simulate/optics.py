"""PSFs that are known in Fourier space: Moffat, and Kolmogorov turbulence with the telescope's diffraction.

Sources that are drawn with them are exact: nothing is cut off, and no sampling of the PSF enters.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from scipy import fft, interpolate, special

from ..exceptions import InputError
from ..image import PsfStamp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import FloatArray

__all__ = ["FourierPsf", "KolmogorovPsf", "MoffatTransformPsf", "VaryingPsf", "finer_grid", "image_of_transform"]

#: FWHM of a long exposure through Kolmogorov turbulence, in units of λ / r0 (Fried 1966).
KOLMOGOROV_FWHM = 0.9758634299
# Coefficient of (λ k / 2π r0)^(5/3), the wave's structure function 6.88 (r/r0)^(5/3) halved.
_KOLMOGOROV = (24 * math.gamma(6 / 5) / 5) ** (5 / 6)
# kα beyond which the transform of a Moffat profile is below 1e-12 for all usual β.
_MOFFAT_END = 60.0
# What an OTF may still be at the highest frequency of a grid.
_ALIASED = 1e-4
_FINEST = 8


@runtime_checkable
class FourierPsf(Hashable, Protocol):
    """A PSF that also gives its transform."""

    def image(self, y: float, x: float) -> PsfStamp:
        """PSF on pixels, as `meas_deblend.image.Psf` has it."""
        ...

    def at(self, y: float, x: float) -> FourierPsf:
        """PSF that holds at a position, which is itself wherever it does not vary."""
        ...

    def transform(self, ky: FloatArray, kx: FloatArray) -> NDArray[np.float64]:
        """Optical transfer function at ``ky``, ``kx`` [rad/px], broadcast together; without the pixel; real."""
        ...

    def radius_at(self, brightness: float) -> float:
        """Radius [px] outside of which a unit source is fainter than ``brightness`` [1/px²]."""
        ...


@dataclass(frozen=True, slots=True)
class MoffatTransformPsf:
    """Moffat (1969) profile (1 + r²/α²)^−β, of unit flux out to infinity.

    Its transform is 2 (kα/2)^(β−1) K_(β−1)(kα) / Γ(β−1) (Trujillo et al. 2001, eq. 9 in their notation).

    Parameters
    ----------
    fwhm : float
        2 α √(2^(1/β) − 1) [px]; above 0.
    beta : float
        Steepness of the wings; above 1, at most 20.
    shear : pair of float
        Reduced shear (g1, g2) that makes it elliptical, along x and along the diagonal; of modulus below 1.
    radius : int
        Half side of the stamps that `image` draws [px].

    Raises
    ------
    InputError
        If a parameter is out of range.
    """

    fwhm: float
    beta: float = 2.5
    shear: tuple[float, float] = (0.0, 0.0)
    radius: int = 30

    def __post_init__(self) -> None:
        _check(self.fwhm, self.shear, self.radius)
        if not 1 < self.beta <= 20:
            raise InputError(f"beta of a Moffat PSF must be in (1, 20], got {self.beta}")

    @property
    def alpha(self) -> float:
        """Scale radius [px]."""
        return self.fwhm / (2 * math.sqrt(2 ** (1 / self.beta) - 1))

    def at(self, y: float, x: float) -> MoffatTransformPsf:
        """Return itself: the same everywhere."""
        del y, x
        return self

    def transform(self, ky: FloatArray, kx: FloatArray) -> NDArray[np.float64]:
        """Optical transfer function at ``ky``, ``kx`` [rad/px], broadcast together; real, 1 at k = 0."""
        x = self.alpha * _sheared(ky, kx, self.shear)
        return np.asarray(np.where(x < _MOFFAT_END, _moffat_table(self.beta)(np.sqrt(x)), 0.0))

    def radius_at(self, brightness: float) -> float:
        """Radius [px] outside of which a unit source is fainter than ``brightness`` [1/px²]; 0 if it always is."""
        contrast = (self.beta - 1) / (math.pi * self.alpha**2 * brightness)
        return self.alpha * math.sqrt(contrast ** (1 / self.beta) - 1) if contrast > 1 else 0.0

    def image(self, y: float, x: float) -> PsfStamp:
        """PSF with its sub-pixel shift around the nearest pixel, pixel response included; cut, not renormalised."""
        return image_of_transform(self, y, x, self.radius)


@dataclass(frozen=True, slots=True)
class KolmogorovPsf:
    """Long-exposure seeing of Kolmogorov turbulence, convolved with the diffraction of an annular mirror.

    Atmosphere: exp(−(24 Γ(6/5) / 5)^(5/6) (λk / 2π r0)^(5/3)) (Fried 1966), where FWHM = 0.976 λ / r0.
    Telescope: overlap of the pupil with itself, shifted by λk / 2π (O'Neill 1956).

    Parameters
    ----------
    fwhm : float
        Of the atmosphere alone [px]; above 0.
    diffraction : float
        λ / D [px]; 0 for a perfect telescope.
    obscuration : float
        Diameter of the central hole over that of the mirror, in [0, 1).
    shear : pair of float
        Reduced shear (g1, g2) that makes it elliptical; of modulus below 1.
    radius : int
        Half side of the stamps that `image` draws [px].

    Raises
    ------
    InputError
        If a parameter is out of range.
    """

    fwhm: float
    diffraction: float = 0.0
    obscuration: float = 0.0
    shear: tuple[float, float] = (0.0, 0.0)
    radius: int = 30

    def __post_init__(self) -> None:
        _check(self.fwhm, self.shear, self.radius)
        if not self.diffraction >= 0:
            raise InputError(f"λ/D must be 0 px or more, got {self.diffraction}")
        if not 0 <= self.obscuration < 1:
            raise InputError(f"obscuration must be in [0, 1), got {self.obscuration}")

    def at(self, y: float, x: float) -> KolmogorovPsf:
        """Return itself: the same everywhere."""
        del y, x
        return self

    def transform(self, ky: FloatArray, kx: FloatArray) -> NDArray[np.float64]:
        """Optical transfer function at ``ky``, ``kx`` [rad/px], broadcast together; real, 1 at k = 0."""
        k = _sheared(ky, kx, self.shear) / (2 * math.pi)
        turbulence = np.exp(-_KOLMOGOROV * (k * self.fwhm / KOLMOGOROV_FWHM) ** (5 / 3))
        if self.diffraction == 0:
            return np.asarray(turbulence)
        return np.asarray(turbulence * _annular_otf(k * self.diffraction, self.obscuration))

    def radius_at(self, brightness: float) -> float:
        """Radius [px] outside of which a unit source is fainter than ``brightness`` [1/px²].

        From the wings: the term −c k^a of an OTF near k = 0 gives c 2^a Γ(1 + a/2) / (−π Γ(−a/2)) r^(−a−2), with
        a = 5/3 for the turbulence and a = 1 for diffraction.
        """
        turbulence = 0.1423 * _KOLMOGOROV * (self.fwhm / KOLMOGOROV_FWHM / (2 * math.pi)) ** (5 / 3)
        diffraction = 2 * self.diffraction / (math.pi * (1 - self.obscuration)) / math.pi / (2 * math.pi)
        return float(max((2 * turbulence / brightness) ** (3 / 11), (2 * diffraction / brightness) ** (1 / 3)))

    def image(self, y: float, x: float) -> PsfStamp:
        """PSF with its sub-pixel shift around the nearest pixel, pixel response included; cut, not renormalised."""
        return image_of_transform(self, y, x, self.radius)


@dataclass(frozen=True, slots=True)
class VaryingPsf:
    """A PSF whose width and ellipticity change over the field, as an instrument's and an atmosphere's do.

    Parameters
    ----------
    center_psf : MoffatTransformPsf or KolmogorovPsf
        PSF at ``center``.
    center : pair of float
        ``(y, x)`` [px].
    scale : float
        Distance from the centre at which the amplitudes below are reached [px]; above 0.
    width : float
        Relative growth of the FWHM at ``scale``: quadratic in the distance, like defocus.
    ellipticity : float
        Modulus of the shear at ``scale``: linear in the distance and tangential, like coma.
    """

    center_psf: MoffatTransformPsf | KolmogorovPsf
    center: tuple[float, float]
    scale: float
    width: float = 0.05
    ellipticity: float = 0.03

    def at(self, y: float, x: float) -> MoffatTransformPsf | KolmogorovPsf:
        """PSF at ``(y, x)``."""
        dy, dx = (y - self.center[0]) / self.scale, (x - self.center[1]) / self.scale
        # Beyond twice the scale it stays as it is, so that sources far outside of the image cannot break it.
        r = min(math.hypot(dy, dx), 2.0)
        angle = 2 * math.atan2(dy, dx)
        shear = (-self.ellipticity * r * math.cos(angle), -self.ellipticity * r * math.sin(angle))
        return replace(self.center_psf, fwhm=self.center_psf.fwhm * (1 + self.width * r**2), shear=shear)

    def transform(self, ky: FloatArray, kx: FloatArray) -> NDArray[np.float64]:
        """Optical transfer function at the centre."""
        return self.center_psf.transform(ky, kx)

    def radius_at(self, brightness: float) -> float:
        """Radius [px] outside of which a unit source is fainter than ``brightness`` [1/px²], at the widest."""
        widest = replace(self.center_psf, fwhm=self.center_psf.fwhm * (1 + 4 * abs(self.width)))
        return widest.radius_at(brightness)

    def image(self, y: float, x: float) -> PsfStamp:
        """PSF at ``(y, x)`` with its sub-pixel shift, pixel response included."""
        return self.at(y, x).image(y, x)


def finer_grid(psf: FourierPsf) -> int:
    """How many times finer than the pixels a grid must be, so that the OTF has ended at its highest frequency."""
    for factor in range(1, _FINEST):
        k = np.array([factor * math.pi])
        zero = np.zeros(1)
        # The pixel's own response counts too; at its zeros it is taken at the envelope.
        if max(psf.transform(k, zero)[0], psf.transform(zero, k)[0]) / (factor * math.pi / 2) < _ALIASED:
            return factor
    return _FINEST


def image_of_transform(psf: FourierPsf, y: float, x: float, radius: int) -> PsfStamp:
    """Draw a PSF at ``(y, x)`` on a stamp of half side ``radius``, integrated over the pixels."""
    row, column = math.floor(y + 0.5), math.floor(x + 0.5)
    grid = _stamp_transform(psf, radius)
    side, factor = len(grid.otf), grid.factor
    shift = np.exp(-1j * grid.ky * (y - row + radius)) * np.exp(-1j * grid.kx * (x - column + radius))
    full = fft.irfft2(grid.otf * shift, (side, side)) * factor**2
    size = 2 * radius + 1
    return PsfStamp(np.ascontiguousarray(full[::factor, ::factor][:size, :size]), (row, column))


@dataclass(frozen=True, slots=True, eq=False)
class _StampTransform:
    """Transform of a PSF with the pixel's response, on the frequencies of a stamp's grid."""

    otf: NDArray[np.float64]
    ky: FloatArray
    kx: FloatArray
    factor: int


# A PSF that does not vary is drawn for every source of a field: only its shift differs.
@lru_cache(maxsize=32)
def _stamp_transform(psf: FourierPsf, radius: int) -> _StampTransform:
    factor = finer_grid(psf)
    # Twice the stamp: wings that come back on the other side are those from beyond three times the radius.
    side = factor * fft.next_fast_len(4 * radius + 2, real=True)
    ky = 2 * math.pi * factor * np.fft.fftfreq(side)[:, None]
    kx = 2 * math.pi * factor * np.fft.rfftfreq(side)[None, :]
    otf = np.asarray(psf.transform(ky, kx) * np.sinc(ky / (2 * math.pi)) * np.sinc(kx / (2 * math.pi)), np.float64)
    otf.setflags(write=False)
    return _StampTransform(otf, ky, kx, factor)


@lru_cache(maxsize=32)
def _moffat_table(beta: float) -> interpolate.CubicSpline:
    """Transform of a Moffat profile over √(kα), to 1e-7: Bessel functions are slow, and grids are large."""
    order = beta - 1
    root = np.linspace(0, math.sqrt(_MOFFAT_END), 3000)
    # Below 1e-4 it is 1 to better than 1e-5 for all usual β, and 0 · ∞ is kept away.
    x = np.maximum(root**2, 1e-4)
    return interpolate.CubicSpline(root, 2 * (x / 2) ** order * special.kv(order, x) / special.gamma(order))


def _sheared(ky: FloatArray, kx: FloatArray, shear: tuple[float, float]) -> NDArray[np.float64]:
    """|k| in the frame in which the sheared profile is round: a shear S of the image is Sᵀ on frequencies."""
    g1, g2 = shear
    if g1 == 0 and g2 == 0:
        return np.asarray(np.hypot(ky, kx))
    norm = 1 / math.sqrt(1 - g1**2 - g2**2)
    return np.asarray(norm * np.hypot((1 + g1) * kx + g2 * ky, g2 * kx + (1 - g1) * ky))


def _annular_otf(rho: NDArray[np.float64], hole: float) -> NDArray[np.float64]:
    """Overlap of an annulus with itself, shifted by ``rho`` of its diameter, over its area."""
    distance = 2 * rho
    overlap = _overlap(1.0, 1.0, distance)
    if hole > 0:
        overlap = overlap + _overlap(hole, hole, distance) - 2 * _overlap(1.0, hole, distance)
    return np.asarray(overlap / (math.pi * (1 - hole**2)))


def _overlap(a: float, b: float, distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Area that two circles of radii ``a`` ≥ ``b`` have in common, at a distance of their centres."""
    d = np.clip(distance, max(a - b, 1e-12), a + b)
    first = a**2 * np.arccos(np.clip((d**2 + a**2 - b**2) / (2 * d * a), -1, 1))
    second = b**2 * np.arccos(np.clip((d**2 + b**2 - a**2) / (2 * d * b), -1, 1))
    product = (-d + a + b) * (d + a - b) * (d - a + b) * (d + a + b)
    return np.asarray(first + second - 0.5 * np.sqrt(np.maximum(product, 0)))


def _check(fwhm: float, shear: tuple[float, float], radius: int) -> None:
    if not fwhm > 0:
        raise InputError(f"FWHM of a PSF must be above 0 px, got {fwhm}")
    if not math.hypot(*shear) < 1:
        raise InputError(f"the shear of a PSF must have |g| < 1, got {shear}")
    if radius < 1:
        raise InputError(f"the radius of a PSF stamp must be 1 px or more, got {radius}")
