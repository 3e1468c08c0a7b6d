"""Options of a simulated sky."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .colors import BANDS

__all__ = ["HSC_WIDE", "BandConfig", "SkyConfig"]

Positive = Annotated[float, Field(gt=0)]


class BandConfig(BaseModel):
    """How one band was observed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="Name of the band; galaxies and stars have colours in u, g, r, i, z and y.")
    seeing: float = Field(gt=0, le=5, description="FWHM of the PSF, before integration over the pixel [arcsec].")
    depth: float = Field(ge=10, le=40, description="AB magnitude of a point source whose PSF flux has S/N 5.")
    gain: float = Field(
        default=2500.0,
        gt=0,
        description="Photo-electrons per image unit: a value of m adds a variance of m / gain.",
    )

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.name not in BANDS:
            raise ValueError(f"no colours are known for band {self.name!r}; there are {', '.join(BANDS)}")
        return self


#: Median seeing and depth of the Wide layer of the Hyper Suprime-Cam survey (Aihara et al. 2022), rounded.
HSC_WIDE = (
    BandConfig(name="g", seeing=0.79, depth=26.5),
    BandConfig(name="r", seeing=0.75, depth=26.5),
    BandConfig(name="i", seeing=0.61, depth=26.2),
    BandConfig(name="z", seeing=0.68, depth=25.2),
    BandConfig(name="y", seeing=0.68, depth=24.4),
)


class SkyConfig(BaseModel):
    """A piece of sky, what is in it and how it was observed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bands: tuple[BandConfig, ...] = Field(default=HSC_WIDE, min_length=1, description="One entry per band.")
    shape: tuple[Annotated[int, Field(ge=16, le=20000)], Annotated[int, Field(ge=16, le=20000)]] = Field(
        default=(300, 300), description="Height and width of the images [px]."
    )
    pixel_scale: float = Field(default=0.168, gt=0, le=10, description="Arcseconds per pixel.")
    zeropoint: float = Field(default=27.0, ge=-10, le=50, description="AB magnitude of one image unit, all bands.")
    psf_beta: float = Field(default=2.5, ge=1.5, le=20, description="Exponent of the Moffat PSF's wings.")
    center: tuple[Annotated[float, Field(ge=0, lt=360)], Annotated[float, Field(ge=-90, le=90)]] = Field(
        default=(150.0, 2.2), description="Right ascension and declination of the middle of the image [deg]."
    )

    n_galaxies: int = Field(default=45, ge=0, le=1_000_000, description="Number of galaxies.")
    n_stars: int = Field(default=6, ge=0, le=1_000_000, description="Number of stars.")
    galaxy_magnitudes: tuple[float, float] = Field(
        default=(19.0, 25.0), description="Brightest and faintest i-band magnitude of the galaxies."
    )
    star_magnitudes: tuple[float, float] = Field(
        default=(18.5, 23.5), description="Brightest and faintest i-band magnitude of the stars."
    )
    count_slope: float = Field(default=0.3, ge=0, le=1, description="s of the galaxy counts, N(m) ∝ 10^(s m).")
    red_fraction: float = Field(default=0.2, ge=0, le=1, description="Fraction of early-type galaxies.")
    companion_fraction: float = Field(
        default=0.45, ge=0, le=1, description="Fraction of the galaxies that are put beside a brighter one."
    )
    companion_separation: tuple[Positive, Positive] = Field(
        default=(0.7, 2.5), description="Smallest and largest distance of such a companion [arcsec]."
    )
    min_separation: float = Field(
        default=0.6, ge=0, description="No two sources are closer than this, where there is room [arcsec]."
    )
    margin: float = Field(default=12.0, ge=0, description="No source is closer to the image's edge than this [px].")

    cut_level: float = Field(
        default=0.02, gt=0, le=1, description="Sources are drawn out to this fraction of the sky noise per pixel."
    )
    max_radius: int = Field(default=150, ge=8, le=2000, description="Largest half side of a source's stamp [px].")
    seed: int = Field(default=1, ge=0, description="Seed of the sources and of the noise.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [b.name for b in self.bands]
        if len(set(names)) != len(names):
            raise ValueError(f"bands must be named once each, got {', '.join(names)}")
        for field in ("galaxy_magnitudes", "star_magnitudes", "companion_separation"):
            low, high = getattr(self, field)
            if not low < high:
                raise ValueError(f"{field} must be (low, high) with low < high, got ({low}, {high})")
        if 2 * self.margin >= min(self.shape):
            raise ValueError(f"margin of {self.margin} px leaves no room in an image of shape {self.shape}")
        return self
