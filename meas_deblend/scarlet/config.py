"""Options of the fit and of the deconvolution."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

__all__ = ["DeconvolveConfig", "FitConfig", "MonotoneKind", "OptimizerName"]

OptimizerName = Literal["amsgrad", "adam", "nadam", "adamx", "padam", "radam", "fista"]
MonotoneKind = Literal["angle", "flat", "nearest"]


class FitConfig(BaseModel):
    """Options of `deblend_blend`.

    The defaults judge convergence over a window of iterations and return the best iterate. `production` gives the
    algorithm that Rubin's pipelines ran in 2025, step by step.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_iter: int = Field(
        100, ge=0, description="Most updates of a blend, preconditioned ones included; 0: the initial model."
    )
    min_iter: int = Field(6, ge=0, description="Updates before convergence is judged.")
    e_rel: float = Field(
        1.5e-3,
        ge=0,
        description="Converged when logL gains less than this fraction of itself (per window, or per update).",
    )
    stop: Literal["window", "last_two"] = Field(
        "window",
        description="Judge the gain of the best logL over a window, or the difference of the last two values.",
    )
    window: int = Field(6, ge=1, description="Updates over which the gain is judged where stop is 'window'.")
    keep_best: bool = Field(
        True,
        description="Return the iterate with the highest logL among those that meet the constraints, else the last.",
    )
    precondition: int = Field(
        50, ge=0, description="Most preconditioned steps before those of the optimizer; 0: none of them."
    )
    precondition_floor: float = Field(
        0.08, gt=0, description="Floor of the kernel's power in the preconditioner, whose largest value is about 1."
    )
    optimizer: OptimizerName = Field("amsgrad", description="Proximal gradient scheme for spectra and morphologies.")
    morph_step: float = Field(
        1e-3,
        gt=0,
        description="Step of a morphology, whose maximum is 1 (for fista: fraction of the inverse curvature).",
    )
    spectrum_step: float = Field(
        1e-3, gt=0, description="Step of a spectrum as a fraction of its mean (for fista: of the inverse curvature)."
    )
    spectrum_step_floor: float = Field(
        0.1, ge=0, description="Least step of a spectrum per band, in units of the noise."
    )
    warm_up: int = Field(10, ge=1, description="Updates over which steps grow from a tenth to their full length.")
    scale_free: bool = Field(
        True, description="Let the optimizer's floor for spectra follow the noise, so that units do not matter."
    )
    resize_every: int = Field(3, ge=1, description="Updates between changes of the boxes.")
    resize_padding: int = Field(
        5, ge=0, description="Pixels by which a box exceeds the significant pixels after a change."
    )
    bg_thresh: float = Field(0.1, ge=0, description="Pixels fainter than this times the noise in every band become 0.")
    monotonic: bool = Field(True, description="Morphologies do not rise away from their peaks.")
    monotonic_weights: MonotoneKind = Field(
        "angle",
        description="Weights of a pixel's neighbours in the monotonicity: by the cosine, all the same, or the nearest.",
    )
    symmetric: bool = Field(False, description="Morphologies are symmetric under a half turn about their peaks.")
    symmetry: Literal["minimum", "mean"] = Field(
        "minimum", description="Value of both pixels of a pair, where morphologies are symmetric."
    )
    normalization: Literal["max", "sum", "spectrum"] = Field(
        "max",
        description="What is 1 in the returned components: a morphology's maximum, its sum, or the spectrum's sum.",
    )
    edge_damping: bool = Field(
        False,
        description="Let pixels outside a box count as 0 in the monotonicity at its edge, instead of leaving them out.",
    )
    rescale_spectrum: bool = Field(
        True, description="When a morphology is scaled to maximum 1, scale its spectrum by the inverse factor."
    )
    initial_bg_thresh: float = Field(
        1.0, ge=0, description="The initial image is trimmed below this times the mean noise."
    )
    subpixel_start: bool = Field(
        True,
        description="Make initial images symmetric about the given positions, not about the pixels that hold them.",
    )
    padding: int = Field(2, ge=0, description="Initial boxes exceed the trimmed image by twice as many pixels.")
    min_snr: float = Field(
        50.0, gt=0, description="Point-source S/N per component; twice as much gives bulge and disk."
    )
    max_components: int = Field(
        2, ge=0, le=2, description="Most components of a source; 0 makes all sources point sources."
    )
    point_source_snr: float | None = Field(
        100.0,
        gt=0,
        description="Point-source S/N above which a source becomes a point source at a fitted position if the PSF "
        "explains its core, and its width, to within the noise; None: never.",
    )
    late_points: bool = Field(
        False,
        description="Look for point sources once more when their neighbours have been fitted, and go on with the fit: "
        "stars beside galaxies lose less to them, for about twice the cost.",
    )
    fit_positions: bool = Field(
        False, description="Fit the positions of point sources, all sources where max_components is 0."
    )
    sky: bool = Field(False, description="Fit a flat sky in every band, of either sign, together with the sources.")
    disk_percentile: float = Field(
        25.0, gt=0, lt=100, description="Percentage of the peak below which the initial image belongs to the disk."
    )
    spectra: Literal["nonnegative", "least_squares"] = Field(
        "nonnegative",
        description="Joint solution of the initial spectra: weighted and non-negative, or unweighted and clipped at 0.",
    )
    final_spectra: bool = Field(
        True, description="Solve the spectra of the fitted morphologies together at the end, weighted and non-negative."
    )
    spectra_limit: int | None = Field(
        None,
        ge=0,
        description="Solve the initial spectra only if sources × pixels of the frame is below this; None: always.",
    )
    model_psf_sigma: float | None = Field(
        None,
        gt=0,
        le=5,
        description="Standard deviation of the model PSF in pixels; None: the widest up to 0.8 whose kernels reproduce "
        "the PSFs to 0.2 % and ring by at most 1 %.",
    )
    model_psf_size: int = Field(15, ge=3, le=101, description="Side of the model PSF's stamp in pixels, odd.")
    kernel_floor: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Floor of the difference kernels, as a fraction of the model PSF's transform at 0; 0: the "
        "exact ratio; None: the least that the same rule allows.",
    )

    @field_validator("model_psf_size")
    @classmethod
    def _odd(cls, size: int) -> int:
        if size % 2 == 0:
            raise ValueError(
                f"the side of the model PSF's stamp must be odd, so that it has a central pixel, got {size}"
            )
        return size

    @classmethod
    def production(cls) -> FitConfig:
        """Options that reproduce the algorithm of Rubin's pipelines of 2025, its stop rule and last iterate."""
        return cls(
            precondition=0,
            warm_up=1,
            scale_free=False,
            max_iter=300,
            min_iter=5,
            e_rel=1e-3,
            stop="last_two",
            keep_best=False,
            morph_step=1e-2,
            spectrum_step=1e-2,
            bg_thresh=1.0,
            edge_damping=True,
            subpixel_start=False,
            rescale_spectrum=False,
            model_psf_sigma=0.8,
            kernel_floor=0.0,
            final_spectra=False,
            point_source_snr=None,
            spectra="least_squares",
            spectra_limit=1_000_000,
        )


class DeconvolveConfig(BaseModel):
    """Options of `deconvolve`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_iter: int = Field(100, ge=0, description="Most updates of a band; 0 returns the image itself.")
    min_iter: int = Field(10, ge=0, description="Updates before convergence is judged.")
    e_rel: float = Field(
        1e-3, ge=0, description="Converged when the loss changes by less than this fraction of itself."
    )
