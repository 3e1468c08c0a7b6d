"""Survey conditions: how many electrons a magnitude gives, how bright the sky is, how wide the PSF.

All images of a simulated survey are in electrons, summed over all visits of a band.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..exceptions import InputError
from .colors import BANDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import FloatArray

__all__ = ["LSST_10Y", "BandConditions", "SurveyConditions"]

_ARCSEC_PER_NM_OVER_M = math.degrees(1e-9) * 3600


class BandConditions(BaseModel):
    """How a survey observed one band."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="Name of the band: u, g, r, i, z or y, for which sources have magnitudes.")
    zeropoint: float = Field(ge=10, le=40, description="AB magnitude of a source that gives one electron per second.")
    sky_magnitude: float = Field(ge=10, le=30, description="Brightness of the sky [AB mag / arcsec²].")
    fwhm: float = Field(gt=0, le=5, description="FWHM of the seeing, before optics and pixel [arcsec].")
    visits: float = Field(gt=0, le=100_000, description="Number of visits.")
    visit_seconds: float = Field(default=30.0, gt=0, le=10_000, description="Exposure time of a visit [s].")
    wavelength: float = Field(gt=100, le=3000, description="Effective wavelength [nm].")

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.name not in BANDS:
            raise ValueError(f"sources have no magnitudes in band {self.name!r}; there are {', '.join(BANDS)}")
        return self

    @property
    def seconds(self) -> float:
        """Total exposure time [s]."""
        return self.visits * self.visit_seconds

    @property
    def image_zeropoint(self) -> float:
        """AB magnitude of one electron on the summed image."""
        return self.zeropoint + 2.5 * math.log10(self.seconds)

    def electrons(self, magnitude: FloatArray | float) -> NDArray[np.float64]:
        """Electrons of a source: t · 10^(−0.4 (m − zero point)), any shape."""
        return np.asarray(self.seconds * 10 ** (-0.4 * (np.asarray(magnitude, dtype=np.float64) - self.zeropoint)))


class SurveyConditions(BaseModel):
    """A telescope, its camera and how it observed each band."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="Name of the survey.")
    pixel_scale: float = Field(gt=0, le=10, description="Arcseconds per pixel.")
    mirror_diameter: float = Field(gt=0, le=100, description="Diameter of the primary mirror [m].")
    obscuration: float = Field(ge=0, lt=1, description="Fraction of the mirror's area that is in shadow.")
    bands: tuple[BandConditions, ...] = Field(min_length=1, description="One entry per band, in order.")

    @model_validator(mode="after")
    def _once_each(self) -> Self:
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"bands must be named once each, got {', '.join(self.names)}")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the bands."""
        return tuple(b.name for b in self.bands)

    @property
    def sky(self) -> NDArray[np.float64]:
        """Electrons of the sky per pixel and band (B,), which is also the variance of an empty pixel."""
        area = self.pixel_scale**2
        return np.array([float(b.electrons(b.sky_magnitude)) * area for b in self.bands])

    @property
    def fwhm_pixels(self) -> NDArray[np.float64]:
        """FWHM of the seeing per band (B,) [px]."""
        return np.array([b.fwhm / self.pixel_scale for b in self.bands])

    def band(self, name: str) -> BandConditions:
        """Conditions of one band.

        Raises
        ------
        InputError
            If the survey has no such band.
        """
        if name not in self.names:
            raise InputError(f"survey {self.name} has no band {name!r}; there are {', '.join(self.names)}")
        return self.bands[self.names.index(name)]

    def diffraction(self, name: str) -> float:
        """λ / D of a band [px], the scale of its diffraction pattern."""
        angle = self.band(name).wavelength / self.mirror_diameter * _ARCSEC_PER_NM_OVER_M
        return angle / self.pixel_scale

    def electrons(self, magnitudes: FloatArray) -> NDArray[np.float64]:
        """Electrons (…, B) of AB magnitudes (…, B)."""
        return np.stack([b.electrons(magnitudes[..., k]) for k, b in enumerate(self.bands)], axis=-1)

    def signal_to_noise(self, name: str, magnitude: FloatArray, axes: tuple[FloatArray, FloatArray]) -> FloatArray:
        """Signal to noise of an isolated source, C / √(C + B n_eff) (Biswas et al. 2025).

        n_eff = 2.266 (FWHM_eff / pixel)² is the effective number of pixels of a Gaussian PSF (Ivezić et al. 2019,
        LSE-40), with FWHM_eff² = FWHM² + 4 a b for a galaxy of half-light semi-axes a and b.

        Parameters
        ----------
        name : str
            Band.
        magnitude : float array (n,)
            AB.
        axes : pair of float array (n,)
            Half-light semi-axes a and b [arcsec]; 0 for stars.

        Returns
        -------
        float64 array (n,)

        Raises
        ------
        InputError
            If the survey has no such band.
        """
        band = self.band(name)
        counts = band.electrons(magnitude)
        area = 2.266 * (band.fwhm**2 + 4 * np.asarray(axes[0]) * np.asarray(axes[1])) / self.pixel_scale**2
        return np.asarray(counts / np.sqrt(counts + self.sky[self.names.index(name)] * area))


def _lsst(name: str, numbers: tuple[float, float, float, float], wavelength: float) -> BandConditions:
    zeropoint, sky, fwhm, visits = numbers
    return BandConditions(
        name=name, zeropoint=zeropoint, sky_magnitude=sky, fwhm=fwhm, visits=visits, wavelength=wavelength
    )


#: Ten years of LSST. Zero point, sky magnitude, seeing and visits: Biswas et al. (2025), table 1, with its rows z and
#: y in the right order, after Ivezić et al. (2019), tables 1 and 2; telescope and wavelengths as galcheat has them.
LSST_10Y = SurveyConditions(
    name="LSST",
    pixel_scale=0.2,
    mirror_diameter=8.36,
    obscuration=0.39257227,
    bands=(
        _lsst("u", (26.40, 22.99, 0.90, 56), 368.141),
        _lsst("g", (28.26, 22.26, 0.86, 80), 486.412),
        _lsst("r", (28.10, 21.20, 0.81, 184), 624.976),
        _lsst("i", (27.78, 20.48, 0.79, 184), 756.469),
        _lsst("z", (27.39, 19.60, 0.77, 160), 870.164),
        _lsst("y", (26.56, 18.61, 0.76, 160), 972.202),
    ),
)
