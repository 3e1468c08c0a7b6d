"""Options of the multi-band deblender."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ..profiles.config import ProfileFitConfig
from ..scarlet.config import FitConfig
from ..sdss.config import TemplateConfig
from .blend_fit import FluxErrors
from .cost_model import BlendSize, Cost, CostModel
from .ladder import Trouble
from .limits import BlendLimits
from .rungs import RUNG_NAMES, check_ladder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..geometry import Box, Peak

__all__ = ["MultiBandOptions"]

MEGABYTE = 1e6

CLOCK_MARGIN = 4
"""Least ratio of the time after which a fit is ended to the time that it may be predicted to take."""


class MultiBandOptions(BaseModel):
    """How blends are fitted in all bands at once, and what happens to those that are not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fit: FitConfig = Field(FitConfig(), description="The joint fit.")
    init: Literal["detect", "single_band", "profiles", "templates"] = Field(
        "detect",
        description="What morphologies start from: the deconvolved detection image (made of the blend's own pixels "
        "where the parent has none), templates of single bands, profiles that were fitted jointly to the parent, or "
        "its seeds.",
    )
    ladder: tuple[str, ...] = Field(
        RUNG_NAMES,
        description="What is tried on a blend, one after the other, until one is within the budgets and does not fail; "
        "of full_multi_band, joint_profiles, one_component, symmetric_templates, psf_templates and, as the last, "
        "parent_only.",
    )
    memory_budget: float = Field(
        1000.0, gt=0, description="Most memory that one blend may be predicted to take, in Mbyte, beyond the exposure."
    )
    cost_budget: float = Field(
        300.0, gt=0, description="Most processor time that one blend may be predicted to take, in seconds."
    )
    cost: CostModel = Field(
        CostModel(), description="What predictions are made with; `meas-deblend calibrate` measures it."
    )
    timeout: float | None = Field(
        3600.0,
        gt=0,
        description="Time on the clock after which a fit counts as hung and is ended, in seconds: at least 4 times "
        "cost_budget, so that the clock decides nothing else; None: never.",
    )
    limits: BlendLimits = Field(
        BlendLimits(), description="Blends beyond these are not fitted jointly, but go down the ladder to templates."
    )
    templates: TemplateConfig = Field(
        TemplateConfig(),
        description="Templates of single bands, as a first guess, and symmetric templates of all bands.",
    )
    profiles: ProfileFitConfig = Field(
        ProfileFitConfig(),
        description="The fit of profiles, on the ladder and as a first guess; its models are kept in the resolution of "
        "the joint fit.",
    )
    fit_isolated: bool = Field(
        True, description="Fit parents with one peak too; else their child simply has all pixels (deblender none)."
    )
    subtract_neighbours: bool = Field(
        True, description="Take the light of a parent's brighter blends off before a blend is fitted."
    )
    flux_errors: FluxErrors = Field(
        "marginal",
        description="Covariance of the model fluxes that is kept with the models: with the morphologies fitted too "
        "(about as costly as the fit), held fixed, or none.",
    )
    psf_tolerance: float = Field(
        1e-3,
        ge=0.0,
        le=0.05,
        description="Largest difference, as a fraction of the peak, up to which PSFs that vary over the image are "
        "taken as one: parents then share their kernels, and the blends of a parent its PSF. 0: each has its own.",
    )
    not_deblended_mask: str | None = Field(
        "NOT_DEBLENDED",
        min_length=1,
        description="Mask plane that is set on the pixels of blends none of whose objects has a model; null: none.",
    )
    degraded_mask: str | None = Field(
        "DEBLEND_DEGRADED",
        min_length=1,
        description="Mask plane that is set on the pixels of blends with an object that is not on the first rung of "
        "the ladder, though some have a model; null: none.",
    )
    catch_failures: bool = Field(
        True, description="Send a blend on which a rung raised an error down the ladder, instead of raising it."
    )

    @field_validator("ladder")
    @classmethod
    def _known(cls, ladder: tuple[str, ...]) -> tuple[str, ...]:
        return check_ladder(ladder)

    @model_validator(mode="after")
    def _patient(self) -> MultiBandOptions:
        if self.timeout is not None and self.timeout < CLOCK_MARGIN * self.cost_budget:
            raise ValueError(
                f"timeout = {self.timeout:g} s must be at least {CLOCK_MARGIN} × cost_budget = "
                f"{CLOCK_MARGIN * self.cost_budget:g} s, or null: the clock is to end hung fits only"
            )
        return self

    @property
    def memory_bytes(self) -> float:
        """The budget of memory in bytes."""
        return self.memory_budget * MEGABYTE

    @property
    def rungs(self) -> tuple[str, ...]:
        """The ladder without what would only do the same again: one component where the full fit has no more."""
        same = self.fit.max_components <= 1 and "full_multi_band" in self.ladder
        return tuple(rung for rung in self.ladder if not (same and rung == "one_component"))

    def predict(self, rung: str, peaks: Sequence[Peak], box: Box, bands: int) -> Cost:
        """Predict what the peaks in a box cost on a rung; see `CostModel.predict`."""
        return self.cost.predict(rung, BlendSize.of(peaks, box, bands, self.profiles))

    def over_budget(self, cost: Cost) -> Trouble:
        """Tell which budget a cost exceeds, memory first; no reason if it is within both."""
        if cost.memory > self.memory_bytes:
            needed = cost.memory / MEGABYTE
            what = f"{needed:.0f} Mbyte predicted, more than the budget of {self.memory_budget:g} Mbyte"
            return Trouble("over_memory_budget", what)
        if cost.seconds > self.cost_budget:
            what = f"{cost.seconds:.0f} s predicted, more than the budget of {self.cost_budget:g} s"
            return Trouble("over_cost_budget", what)
        return Trouble()
