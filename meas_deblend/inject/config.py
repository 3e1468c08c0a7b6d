"""Options of an injection."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["InjectionConfig", "RandomConfig"]

Positive = Annotated[float, Field(gt=0)]


class RandomConfig(BaseModel):
    """Which sources are drawn, and where they are put."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    magnitudes: tuple[float, float] | None = Field(
        default=None,
        description="Brightest and faintest AB magnitude in the reference band, drawn uniformly; none: 4 magnitudes "
        "that end where a star has the signal to noise of min_snr.",
    )
    min_snr: float = Field(
        default=10.0,
        gt=0,
        description="Signal to noise of the PSF flux of the faintest star, where magnitudes is none.",
    )
    star_fraction: float = Field(default=0.3, ge=0, le=1, description="Share of stars; the others are galaxies.")
    pairs: float = Field(
        default=0.5, ge=0, le=1, description="Share of sources that are put beside an object that is already there."
    )
    separations: tuple[Positive, Positive] = Field(
        default=(0.5, 3.0), description="Smallest and largest distance of a pair, drawn uniformly [arcsec]."
    )
    contrasts: tuple[Positive, Positive] = Field(
        default=(0.1, 3.0),
        description="Smallest and largest flux of a pair's source relative to the object's, in the reference band, "
        "drawn uniformly in the logarithm. Sources fainter than the faintest magnitude are drawn again.",
    )
    margin: float = Field(default=8.0, ge=0, description="No source is closer to the image's edge than this [px].")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in ("magnitudes", "separations", "contrasts"):
            limits = getattr(self, name)
            if limits is not None and limits[0] > limits[1]:
                raise ValueError(f"{name} must be (low, high) with low ≤ high, got {limits}")
        return self


class InjectionConfig(BaseModel):
    """How sources are injected, and how they are found again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    density: float | None = Field(
        default=10.0,
        gt=0,
        description="Most sources per arcmin² that are put into one copy of the image, but always one, so that they "
        "do not blend with each other; none: all into each copy that realizations leaves.",
    )
    realizations: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="Copies of the image over which the sources are spread; none: as many as density needs, and 8 at "
        "least.",
    )
    gain: Positive | dict[str, Positive] | None = Field(
        default=None,
        description="Photo-electrons per image unit, for all bands or by band: the added light then brings its Poisson "
        "noise and variance; none: it brings neither.",
    )
    detect: bool = Field(
        default=False,
        description="Detect on the injected images; otherwise the centres are given: detected + injected.",
    )
    band: str | None = Field(
        default=None, description="Reference band, for contrasts and contamination; none: r, or the middle one."
    )
    match_radius: float = Field(
        default=1.0, gt=0, le=10, description="Farthest distance of a source's object, in FWHM of the PSF."
    )
    recovered_snr: float = Field(
        default=3.0,
        ge=0,
        description="A source is recovered if its object's aperture flux in the reference band is above this many "
        "standard deviations.",
    )
    seed: int = Field(default=1, ge=0, description="Seed of everything that is random.")
