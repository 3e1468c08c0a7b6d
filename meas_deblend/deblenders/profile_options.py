"""Options of the deblenders that fit profiles."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from ..profiles.config import ProfileFitConfig

__all__ = ["HybridOptions", "JointProfilesOptions"]

_STRUCTURE = (
    "A source that was added because the residual demanded it becomes a part of the source that is brightest at its "
    "place, if that one is brighter there than this fraction of it. None: none does."
)


class JointProfilesOptions(BaseModel):
    """How profiles are fitted, and how they are drawn afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    deblender: ClassVar[str] = "joint_profiles"

    fit: ProfileFitConfig = Field(ProfileFitConfig(), description="The joint fit.")
    margin: int = Field(
        8, ge=0, le=200, description="A parent that is fitted without the others is fitted on so many pixels around it."
    )
    psf_tolerance: float = Field(
        1e-3,
        ge=0.0,
        le=0.05,
        description="Largest difference, as a fraction of the peak, up to which PSFs that vary over the image are "
        "taken as one. 0: each parent has its own.",
    )
    model_psf_sigma: float | None = Field(
        None, gt=0, le=5, description="Standard deviation [px] of the model PSF in which models are kept; None: chosen."
    )
    model_psf_size: int = Field(15, ge=3, le=101, description="Side of its stamp [px].")
    kernel_floor: float | None = Field(
        None, ge=0, lt=1, description="Floor of the kernels with which models are drawn; None: chosen."
    )
    structure: float | None = Field(None, ge=0, description=_STRUCTURE)
    catch_failures: bool = Field(True, description="Leave a parent without models if its fit raised an error.")


class HybridOptions(JointProfilesOptions):
    """How profiles and the structure on top of them are fitted."""

    deblender: ClassVar[str] = "hybrid"

    fit: ProfileFitConfig = Field(ProfileFitConfig(add_min_snr=4.5, add_model_error=0.1), description="The joint fit.")
    structure: float | None = Field(0.3, ge=0, description=_STRUCTURE)
