"""Options of the joint profile fit."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ProfileFitConfig", "ProfilePriors"]


class ProfilePriors(BaseModel):
    """What is known of galaxies before they are seen; widths are those of Gaussians.

    The defaults are those of the CFHTLenS shape catalogue (Miller et al. 2013, MNRAS 429, 2858, appendix B), which
    come from HST: discs follow ln(r_d / arcsec) = −1.145 − 0.269 (i − 23) in the exponential scale length r_d (after
    Simard et al. 2002, ApJS 142, 1); a bulge's half-light radius is that scale length.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["published", "flat"] = Field(
        "published", description="flat: sizes, ellipticities and bulges are bounded by what a fit can bear, no more."
    )
    size_at_23: float = Field(
        -1.145, ge=-5.0, le=5.0, description="ln of a disc's scale length in arcsec at magnitude 23 of the size band."
    )
    size_slope: float = Field(-0.269, ge=-2.0, le=2.0, description="Its change per magnitude.")
    size_width: float = Field(
        1.0,
        gt=0,
        le=10.0,
        description="Width of ln(a b), twice that of ln r (0.3 to 0.5 for one luminosity; Shen et al. 2003, MNRAS 343, "
        "978).",
    )
    truncation: float = Field(
        3.0,
        gt=0,
        le=100.0,
        description="Sizes end at so many widths above the expected one: else faint sources take what profiles of "
        "bright neighbours leave over.",
    )
    center_truncation: float = Field(
        5.0,
        gt=0,
        le=100.0,
        description="Centres end at so many widths from their positions: else, in a crowd, a source moves onto a "
        "neighbour, which is then left without light.",
    )
    ellipticity_width: float = Field(
        0.38,
        gt=0,
        le=5.0,
        description="Width of both components of ln(a / b); its tanh, (a² − b²) / (a² + b²), has an r.m.s."
        " of 0.365 (Reyes et al. 2012, MNRAS 425, 2610).",
    )
    bulge_logit: float = Field(-2.6, ge=-10.0, le=10.0, description="Logit of the bulge's share of the light.")
    bulge_logit_width: float = Field(1.6, gt=0, le=10.0, description="Its width.")
    bulge_size: float = Field(
        -1.035, ge=-5.0, le=5.0, description="ln of the bulge's r_e² over the disc's a b: −2 ln 1.678 for r_e = r_d."
    )
    bulge_size_width: float = Field(1.0, gt=0, le=10.0, description="Its width.")
    gradient_width: float = Field(
        0.5,
        gt=0,
        le=5.0,
        description="Width of the difference between a band and the mean of all in the logit of the bulge's share: "
        "bulges and discs differ in colour (Kennedy et al. 2016, MNRAS 460, 3458), here by half a magnitude.",
    )
    log_index_width: float = Field(
        0.25, gt=0, le=5.0, description="Width of ln n of the disc around 0, where n is free."
    )
    size_band: str = Field("i", description="Band of the size–magnitude relation; else the one with most light.")
    zeropoint: float | None = Field(
        None,
        description="AB magnitude of one image unit where the image states none; None: scale_length_unknown is used.",
    )
    pixel_scale: float = Field(0.2, gt=0, le=10.0, description="Arcsec per pixel where the image has no WCS.")
    scale_length_unknown: float = Field(
        -1.677,
        ge=-5.0,
        le=5.0,
        description="Expected ln of a disc's scale length in arcsec where magnitudes are not known.",
    )


class ProfileFitConfig(BaseModel):
    """How profiles are fitted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    priors: ProfilePriors = Field(ProfilePriors(), description="Priors of shapes.")
    max_iter: int = Field(15, ge=1, le=500, description="Most steps of each stage of the fit.")
    tolerance: float = Field(
        0.05, gt=0, le=10.0, description="A stage ends when a step lowers −ln(posterior) by less than this per source."
    )
    first_bands: float = Field(
        0.4,
        gt=0,
        le=1.0,
        description="First shapes come from the bands with most signal that together hold this part of its square; "
        "final ones from all.",
    )
    sky: Literal["none", "constant"] = Field("constant", description="Level that is fitted under the sources.")
    sky_width: float = Field(
        0.05, gt=0, le=10.0, description="Width of the prior of the level, in units of a pixel's noise."
    )
    model_error: float = Field(
        0.03,
        ge=0,
        le=1.0,
        description="Error of the model itself as a fraction of its brightness: galaxies are no Sérsic profiles, and "
        "without it the structure of their centres decides on their wings.",
    )
    bulge_min_snr: float = Field(60.0, ge=0, description="Signal-to-noise ratio above which a bulge is fitted.")
    index_min_snr: float = Field(100.0, ge=0, description="The same for the disc's Sérsic index.")
    gradient_min_snr: float = Field(
        100.0,
        ge=0,
        description="Signal-to-noise ratio above which bulges may have spectra of their own, where the Bayes factor "
        "says so.",
    )
    point_odds: float = Field(
        0.02,
        ge=0,
        le=1e6,
        description="Points per galaxy among sources, before their sizes are seen. 0: none is taken for a point.",
    )
    merge_distance: float = Field(
        1.0,
        ge=0,
        le=20.0,
        description="Two listed sources closer than this [px] become one where one explains the light of both. 0: "
        "none.",
    )
    add_min_snr: float = Field(
        5.0,
        ge=0,
        description="Where the residual under the sources has a peak of this signal-to-noise ratio, a source is added "
        "to the fit: else its light becomes a part of its neighbours' shapes. 0: none is added.",
    )
    add_most: float = Field(
        4.0, ge=0, le=1000.0, description="At most so many are added per source; those of most signal first."
    )
    add_distance: float = Field(3.0, ge=0, le=50.0, description="None is added closer than this to a source [px].")
    add_model_error: float = Field(
        0.3,
        ge=0,
        le=10.0,
        description="Nor where the peak is below this fraction of the models: knots and arms are no sources.",
    )
    given_center_width: float = Field(
        0.02, gt=0, le=10.0, description="Standard deviation [px] of positions that were given with sub-pixels."
    )
    peak_center_width: float = Field(0.3, gt=0, le=10.0, description="The same of detected peaks.")
    stamp_threshold: float = Field(
        0.02,
        gt=0,
        le=1.0,
        description="While shapes are fitted, models are followed to where they are below this fraction of the noise.",
    )
    reach_threshold: float = Field(
        0.005,
        gt=0,
        le=1.0,
        description="The same when they are done: their last fluxes, and what is drawn of them.  Light that is cut off "
        "would go to the neighbours.",
    )
    group_radius: float = Field(
        60.0, gt=0, le=500.0, description="Sources closer than this are fitted together [px], directly or in a chain."
    )
    turns: int = Field(
        4, ge=1, le=50, description="How often groups are fitted after the first time where a larger one was cut."
    )
    turn_iter: int = Field(
        4,
        ge=1,
        le=500,
        description="Most steps of a group in each of these times but the first: while another part still moves, more "
        "of them are for nothing.",
    )
    group_size: int = Field(40, ge=1, le=500, description="Most sources that are fitted together.")

    def roughly(self) -> ProfileFitConfig:
        """Return the same of a fit that may end earlier: a start for another, or one that has little left to do."""
        return self.model_copy(update={"tolerance": 4 * self.tolerance})
