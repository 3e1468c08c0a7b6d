"""Settings of detection and of the split of parents, declared once and nested by the steps that use them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ..scarlet.config import DeconvolveConfig as IterationConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DeconvolveConfig", "DetectConfig", "HierarchyConfig", "StructureConfig"]


class DetectConfig(BaseModel):
    """How sources are found in each band, and how the bands are brought together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: float = Field(
        5.0, gt=0, description="Signal-to-noise ratio of a point source above which a pixel is detected (σ)."
    )
    smoothing: Literal["psf", "gaussian"] = Field(
        "psf", description="Matched filter: the band's PSF, or a Gaussian of the PSF's width."
    )
    default_fwhm: float = Field(
        4.0, gt=0, le=100, description="FWHM in pixels of the Gaussian filter of a band that has no PSF."
    )
    min_coverage: float = Field(
        0.1,
        gt=0,
        le=1,
        description="Share of the filter (Σ P² over usable pixels / Σ P²) below which a pixel counts as not seen.",
    )
    min_area: int = Field(1, ge=1, description="Smallest number of connected pixels above the threshold.")
    grow: float = Field(
        2.4, ge=0, le=50, description="Radius by which footprints grow, in standard deviations of the band's PSF."
    )
    peak_threshold: float = Field(
        5.0, gt=0, description="Significance of a peak over its surroundings, all bands together (σ)."
    )
    peak_scales: tuple[Annotated[float, Field(ge=0.3, le=5)], ...] = Field(
        (0.9, 0.6, 1.5),
        min_length=1,
        max_length=8,
        description="Radii of the discs that are a peak's surroundings (FWHM of the PSF): of two that find the same, "
        "the first counts. The widest finds what is extended.",
    )
    prominence: float = Field(
        2.0,
        ge=0,
        description="Depth of the dip in that significance between a peak and a higher one nearby, below which it is "
        "noise on the ridge of an elongated source (σ).",
    )
    roughness: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Relative structure per pixel that PSF models and galaxies are allowed before it is a peak.",
    )
    calibrate_noise: bool = Field(
        True,
        description="Significance in units of the scatter measured away from sources, where it exceeds the variances'.",
    )
    min_separation: float = Field(
        0.6, ge=0, le=50, description="Peaks of one footprint that are closer are one (FWHM of the broadest PSF)."
    )
    merge_radius: float = Field(
        0.5,
        ge=0,
        le=50,
        description="Peaks of bands that were detected apart and are closer are one (FWHM of the broadest PSF).",
    )
    tile_size: int = Field(
        512,
        ge=64,
        le=1 << 16,
        description="Side in pixels of the tiles in which a coadd is gone through, each with the PSF in its middle; "
        "it bounds the memory.",
    )
    psf_tolerance: float = Field(
        0.01,
        ge=0,
        le=0.5,
        description="Difference, as a fraction of the peak, up to which tiles share a PSF; of a matched filter that is "
        "off by as much, the loss of signal is a ten-thousandth.",
    )


class StructureConfig(BaseModel):
    """Which peaks are parts of a large source, and are merged into it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(
        True, description="Merge peaks that arms, clumps or noise of a large source explain; they are listed."
    )
    min_significance: float = Field(
        50.0, gt=0, description="Signal-to-noise ratio of the peak of a source that may take in others."
    )
    min_radius: float = Field(
        2.0, gt=0, description="Half-light radius of a source that may take in others (FWHM of the broadest PSF)."
    )
    max_distance: float = Field(
        2.5, gt=0, description="Distance along isophotes up to which peaks are parts (half-light radii of the source)."
    )
    max_contrast: float = Field(
        0.4,
        ge=0,
        description="Light of a peak above the smooth light of the source, over that light, up to which it is a part.",
    )
    max_color_chi2: float = Field(
        3.0, ge=0, description="Reduced χ² up to which what is above the smooth light counts as having its colour."
    )
    color_scatter: float = Field(
        0.2, ge=0, description="Relative differences between bands that parts of one galaxy are allowed."
    )


class DeconvolveConfig(IterationConfig):
    """How an exposure is deconvolved: the iteration, and the resolution that it aims at."""

    max_iter: int = Field(
        12,
        ge=0,
        description="Most updates of a band; 0 returns the image itself. Twelve accelerated updates come as far as "
        "some sixty plain ones; more of them sharpen the noise.",
    )
    e_rel: float = Field(
        0.0,
        ge=0,
        description="Converged when the loss changes by less than this fraction of itself. 0: never, so that the "
        "result at a place does not depend on what else is on the coadd.",
    )
    accelerate: bool = Field(
        True, description="Start each update ahead of the model; False: plain updates, which take four times as many."
    )
    use_footprints: bool = Field(True, description="Allow light within the parents' footprints only.")
    tile_size: int = Field(
        512,
        ge=64,
        le=1 << 16,
        description="Side in pixels of the tiles in which a coadd is deconvolved, each with the PSF in its middle; it "
        "bounds the memory.",
    )
    psf_tolerance: float = Field(
        1e-3,
        ge=0,
        le=0.5,
        description="Difference, as a fraction of the peak, up to which tiles share a PSF.",
    )
    model_psf_sigma: float | None = Field(
        None,
        gt=0,
        le=5,
        description="Standard deviation of the model PSF in pixels, and of that of the multi-band fit if it has none "
        "of its own; None: the widest up to 0.8 whose kernels reproduce the PSFs to 0.2 % and ring by at most 1 %.",
    )
    model_psf_size: int = Field(15, ge=3, le=101, description="Side of the model PSF's stamp in pixels, odd.")

    @field_validator("model_psf_size")
    @classmethod
    def _odd(cls, size: int) -> int:
        if size % 2 == 0:
            raise ValueError(f"the side of the model PSF must be odd, so that there is a middle pixel; got {size}")
        return size


class HierarchyConfig(BaseModel):
    """How parents are split into blends on their deconvolved image."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    former_names: ClassVar[Mapping[str, str]] = {
        "threshold": "footprint_snr_thresh",
        "min_area": "min_deconvolved_area",
        "grow": "grow_size",
    }

    footprint_snr_thresh: float = Field(
        2.5, gt=0, description="Cut on the smoothed sum over bands of deconvolved image / noise (σ of one band)."
    )
    min_deconvolved_area: int = Field(9, ge=1, description="Smallest number of connected pixels above the threshold.")
    grow_size: int = Field(
        2, ge=0, le=50, description="Radius in pixels of the disc by which deconvolved islands grow."
    )
