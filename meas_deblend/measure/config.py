"""Options of the measurements."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["MeasureConfig"]


class MeasureConfig(BaseModel):
    """What is measured on an object's pixels, and when the numbers are not to be trusted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    aperture_radii: tuple[Annotated[float, Field(gt=0, le=500)], ...] = Field(
        default=(3.0, 6.0, 9.0, 12.0), description="Radii of the circular apertures [px]."
    )
    position: Literal["centroid", "given"] = Field(
        default="centroid",
        description="Where fluxes are measured, in all bands alike: at the mean centroid, or where the object is "
        "said to be. The centroid is used only where it is certain enough (max_position_error).",
    )
    max_position_error: float = Field(
        default=0.3, gt=0, le=10, description="A centroid with a larger standard deviation is not measured at [px]."
    )
    max_lost_fraction: float = Field(
        default=0.02,
        ge=0,
        le=1,
        description="A number is flagged if more than this part of its pixels' area, or of the light that the PSF "
        "predicts there, is masked or beyond the image's edge.",
    )
    weight_scale: float = Field(
        default=1.0, gt=0, le=10, description="σ of the centroid's Gaussian weight, in units of the PSF's."
    )
    fallback_sigma: float = Field(
        default=1.7, gt=0.3, le=50, description="σ of that weight where a band has no usable PSF [px]."
    )
    max_shift: float = Field(
        default=3.0, gt=0, le=100, description="A centroid farther from its start than this has failed [px]."
    )
    window_radius: int = Field(
        default=40, ge=5, le=1000, description="Pixels farther out (in x or y) do not enter centroid and moments [px]."
    )
    max_iterations: int = Field(default=100, ge=1, le=10000, description="Iterations of centroid and moments.")
    tolerance: float = Field(
        default=5e-3,
        gt=0,
        le=0.01,
        description="Change per iteration, relative to the weight's size, that ends them; a last step of Newton's "
        "method makes the result better by orders of magnitude.",
    )
    match_radius: float = Field(
        default=2.0,
        gt=0,
        le=100,
        description="A forced position is measured on the pixels of the nearest object within this distance; farther "
        "from all objects, on the sky with all of them replaced by noise [px].",
    )
    ellipse_scale: float = Field(
        default=3.0, gt=0, le=20, description="Semi-axes of the elliptical aperture, in units of the object's own σ."
    )
    kron_factor: float = Field(default=2.5, gt=0, le=10, description="Semi-axes of the Kron aperture, in Kron radii.")
    kron_minimum: float = Field(
        default=3.5, gt=0, le=20, description="They are at least this many times the object's own σ."
    )
    color_sigma: float = Field(
        default=3.0,
        gt=0.5,
        le=50,
        description="σ of the Gaussian aperture above the atmosphere of gaapFlux, in all bands; it must be wider than "
        "the PSFs, or the flux is flagged [px].",
    )
    extended_above: float = Field(
        default=0.1, gt=0, lt=1, description="Excess of size 1 − T(PSF) / T above which a source counts as extended."
    )
    share_error: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="How well the ratio of two templates is known, as a fraction, apart from their amplitudes: errors "
        "of fluxes in blends grow with the light that two objects contest. Calibrated on simulated pairs.",
    )
    noise_lag: int = Field(
        default=4, ge=0, le=16, description="Largest lag of the noise's autocorrelation; 0: noise is white [px]."
    )
    noise_seed: int = Field(
        default=0, ge=0, description="Seed, with the object's place, of the noise that replaces its neighbours."
    )
    plugins: tuple[str, ...] = Field(
        default=(), description="Names of measurements of installed plug-ins that are made besides."
    )
