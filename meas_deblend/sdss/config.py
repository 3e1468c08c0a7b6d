"""Options of the single-band deblender."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["SingleBandConfig"]


class SingleBandConfig(BaseModel):
    """What the single-band deblender does; the defaults are those of a survey run, `core` those of the bare algorithm.

    The names are those of Rubin's SourceDeblendTask, in snake_case.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fit_psfs: bool = Field(default=True, description="Try a point source at each peak before a symmetric template.")
    psf_chisq1: float = Field(
        default=1.5, ge=0, description="Largest reduced χ² at which an unshifted PSF is accepted; 0 accepts none."
    )
    psf_chisq2: float = Field(
        default=1.5, ge=0, description="Largest reduced χ² at which the PSF fit with a shift is followed up."
    )
    psf_chisq2b: float = Field(
        default=1.5, ge=0, description="Largest reduced χ² at which the PSF, drawn again with its shift, is accepted."
    )
    tiny_footprint_size: int = Field(
        default=2, ge=2, description="Peaks whose PSF fit box has a side of at most this many pixels are dropped."
    )
    edge_handling: Literal["ramp", "clip"] = Field(
        default="ramp",
        description="A template that is still bright (3σ) at its edge is continued outwards with the PSF's profile "
        "(ramp) or left cut (clip).",
    )
    median_smooth_template: bool = Field(default=True, description="Smooth symmetric templates with a median filter.")
    median_filter_halfsize: int = Field(
        default=2, ge=1, description="The median filter's box is 2·halfsize + 1 pixels wide."
    )
    monotonic_template: bool = Field(
        default=True, description="Make symmetric templates decrease outwards from their peak."
    )
    clip_footprint_to_nonzero: bool = Field(
        default=True, description="Trim zeros from both ends of each horizontal run of a template's footprint."
    )
    weight_templates: bool = Field(
        default=False, description="Scale the templates together to fit the parent by least squares."
    )
    remove_degenerate_templates: bool = Field(
        default=False, description="Drop one of two templates that look alike; its flux goes to the others."
    )
    max_temp_dot_prod: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Templates are alike above this cosine, with remove_degenerate_templates.",
    )
    assign_stray_flux: bool = Field(
        default=True,
        description="Give positive flux that no template covers to children; the rule 'trim' never does.",
    )
    stray_flux_rule: Literal["r-to-peak", "r-to-footprint", "nearest-footprint", "trim"] = Field(
        default="trim",
        description="Share stray flux by 1/(1+r²) to each peak or to each template's footprint, give it to the nearest "
        "footprint, or trim the parent to the union of the templates' footprints.",
    )
    stray_flux_to_point_sources: Literal["necessary", "always", "never"] = Field(
        default="necessary",
        description="Whether point sources get stray flux: only where there is no other child, always, or never.",
    )
    clip_stray_flux_fraction: float = Field(
        default=0.001, ge=0, lt=1, description="Shares of a stray pixel below this fraction are dropped."
    )

    @classmethod
    def core(cls) -> SingleBandConfig:
        """Return the defaults of the bare algorithm: no ramp, and stray flux shared by distance to the peaks."""
        return cls(edge_handling="clip", stray_flux_rule="r-to-peak")
