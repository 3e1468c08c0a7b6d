"""Options of the single-band deblender."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator

__all__ = ["SingleBandConfig", "TemplateConfig"]

Fraction = Annotated[float, Field(ge=0, le=1)]


class TemplateConfig(BaseModel):
    """How the templates of a parent are made and its flux is shared in one band."""

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
    min_peak_spacing: float = Field(
        default=0.0,
        ge=0,
        description="Peaks closer than this many pixels to one before them in the list are dropped, and their light "
        "goes to it; 0: none. The SDSS used 2.",
    )
    template_bias: bool = Field(
        default=False,
        description="Add σ/√π = 0.5642 σ to the smaller pixel of each pair, as the SDSS did: the mean by which the "
        "smaller of two noisy pixels is too low.",
    )
    edge_handling: Literal["ramp", "clip", "noclip"] = Field(
        default="ramp",
        description="A template that is still bright (3σ) at its edge is continued outwards with the PSF's profile "
        "(ramp) or left cut (clip); or a template at the edge of the exposure takes over the data where its mirror "
        "lies beyond the parent (noclip).",
    )
    patch_edges: bool = Field(
        default=False, description="Patch templates at the edge of the exposure as noclip does, together with a ramp."
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
    iterate_templates: int = Field(
        default=0,
        ge=0,
        description="Most rounds in which symmetric templates are built again from the data without the neighbours' "
        "templates, which frees sources that stand between others; 0: none, as in Rubin's task.",
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

    mask_planes: tuple[str, ...] = Field(
        default=("SAT", "INTRP", "NO_DATA"),
        description="Pixels with one of these mask planes set do not count where the noise of a pixel near the parent "
        "is estimated, which says when an edge is bright.",
    )

    @property
    def patches(self) -> bool:
        """Whether templates at the edge of the exposure are patched."""
        return self.patch_edges or self.edge_handling == "noclip"

    @property
    def shares_stray_flux(self) -> bool:
        """Whether flux that no template covers goes to children."""
        return self.assign_stray_flux and self.stray_flux_rule != "trim"


class SingleBandConfig(TemplateConfig):
    """What the single-band deblender does; the defaults are those of Rubin's SourceDeblendTask.

    The names are that task's, in snake_case.  Everything from ``max_number_of_peaks`` on is about which parents are
    deblended and what is kept of them: it acts where a whole exposure is deblended, not in `deblend_parent`.
    """

    max_number_of_peaks: int = Field(
        default=0, ge=0, description="Deblend only so many peaks of a parent, the brightest; 0: all."
    )
    max_footprint_area: int = Field(
        default=10_000, ge=0, description="Parents with a larger footprint, in pixels, are not deblended; 0: no limit."
    )
    max_footprint_size: int = Field(
        default=0, ge=0, description="Parents whose bounding box has a longer side are not deblended; 0: no limit."
    )
    min_footprint_axis_ratio: Fraction = Field(
        default=0.0,
        description="Parents that are more elongated (minor / major axis of the footprint's moments below this) are "
        "not deblended, as satellite trails are; 0: no limit.",
    )
    mask_limits: dict[str, Fraction] = Field(
        default={"NO_DATA": 0.25},
        description="Mask plane: largest fraction of a parent's pixels with it set in a band; parents above it are "
        "not deblended.",
    )
    not_deblended_mask: str | None = Field(
        default="NOT_DEBLENDED",
        min_length=1,
        description="Mask plane that is set on the pixels of parents that were not deblended; null: none.",
    )
    propagate_all_peaks: bool = Field(
        default=False,
        description="A peak that no template fits gets the PSF, scaled to its pixel, so that it has a share of the "
        "light; otherwise its light goes to the other peaks, and its row in the catalog says so.",
    )
    catch_failures: bool = Field(
        default=True, description="Go on without a band whose templates raised an error, instead of raising it."
    )
    use_ci_limits: bool = Field(
        default=False, description="Deblend isolated parents and a few others only, to test a pipeline quickly."
    )
    ci_deblend_child_range: tuple[int, int] = Field(
        default=(2, 10), description="With use_ci_limits: fewest and most peaks of the other parents."
    )
    ci_num_parents_to_deblend: int = Field(
        default=10, ge=1, description="With use_ci_limits: how many other parents are deblended, the first ones."
    )

    @field_validator("ci_deblend_child_range")
    @classmethod
    def _range(cls, ends: tuple[int, int]) -> tuple[int, int]:
        if not 1 <= ends[0] <= ends[1]:
            raise ValueError(f"must be (fewest, most) with 1 ≤ fewest ≤ most, got {ends}")
        return ends

    @classmethod
    def core(cls, **options: Any) -> Self:
        """Return the defaults of the bare algorithm: no ramp, and stray flux shared by distance to the peaks.

        Parameters
        ----------
        **options
            Fields that differ.
        """
        return cls(**{"edge_handling": "clip", "stray_flux_rule": "r-to-peak", **options})
