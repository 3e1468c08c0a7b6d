"""Three toy tasks on lists of numbers: find bright ones, fit them, measure the fits."""

from dataclasses import dataclass
from enum import Enum
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from meas_deblend.exceptions import NoWorkFoundError
from meas_deblend.framework import (
    Config,
    Connection,
    Connections,
    Outcome,
    PipelineTask,
    RegistryChoice,
    TaskOutputs,
    progress,
)

PATCH = ("tract", "patch")


class Mode(Enum):
    FAST = "fast"
    EXACT = "exact"


class FitOptions(BaseModel):
    """Options of the fit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_iter: int = Field(100, ge=1, le=500, description="Most iterations of a fit.")
    e_rel: float = Field(1e-4, gt=0, description="Relative change of the loss at which a fit has converged.")


class DetectConfig(Config):
    """How bright numbers are found."""

    threshold: float = Field(5.0, gt=0, description="Lowest number that is bright, image units.")
    bands: tuple[str, ...] = Field(("g", "r"), min_length=1, description="Bands to look at.")
    per_band: dict[str, float] = Field({"g": 1.0}, description="Weight of each band.")
    mode: Mode = Field(Mode.FAST, description="How hard to look.")
    name: str | None = Field(None, description="Name for the log.")


class SingleOptions(BaseModel):
    """Options of the single-band way."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    strength: float = Field(1.0, ge=0, le=10, description="How strongly.")


class DeblenderChoice(RegistryChoice):
    """Which way, and the options of each."""

    name: Literal["none", "single", "multi"] = Field("multi", description="The way that is used.")
    single: SingleOptions = Field(SingleOptions(), description="Options of single.")
    multi: FitOptions = Field(FitOptions(max_iter=30), description="Options of multi.")


class FitConfig(Config):
    """How bright numbers are fitted."""

    fit: FitOptions = Field(FitOptions(), description="The fit.")
    deblender: DeblenderChoice = Field(DeblenderChoice(), description="The deblender.")
    low: int = Field(1, description="Lower end, pixels.")
    high: int = Field(3, description="Upper end, pixels.")

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low ({self.low}) must be below high ({self.high})")
        return self


class MeasureConfig(Config):
    """Nothing to set."""


@dataclass(frozen=True)
class DetectOutputs(TaskOutputs):
    peaks: list[float]
    background: float | None = None

    @property
    def counts(self) -> dict[str, int]:
        return {"peaks": len(self.peaks)}


@dataclass(frozen=True)
class FitOutputs(TaskOutputs):
    models: list[float]

    @property
    def outcome(self) -> Outcome:
        return Outcome.DEGRADED if any(value > 100 for value in self.models) else Outcome.OK


@dataclass(frozen=True)
class MeasureOutputs:
    catalog: dict[str, float]


class DetectTask(PipelineTask[DetectConfig]):
    """Find bright numbers."""

    connections = Connections(
        inputs=(Connection("image", "image", "list", PATCH, doc="Numbers."),),
        outputs=(
            Connection("peaks", "peaks", "list", PATCH, doc="Bright numbers."),
            Connection("background", "background", "float", PATCH, optional=True, doc="Mean of the rest."),
        ),
    )

    def run(self, image: list[float]) -> DetectOutputs:
        peaks = [value for value in image if value >= self.config.threshold]
        if not peaks:
            raise NoWorkFoundError("no number is bright")
        return DetectOutputs(peaks)


class FitTask(PipelineTask[FitConfig]):
    """Fit bright numbers: halve them."""

    connections = Connections(
        inputs=(
            Connection("peaks", "peaks", "list", PATCH, doc="Bright numbers."),
            Connection("prior", "prior", "float", (), optional=True, doc="Added to each."),
        ),
        outputs=(Connection("models", "models", "list", PATCH, doc="Halves."),),
    )

    def run(self, peaks: list[float], prior: float = 0.0) -> FitOutputs:
        if 13.0 in peaks:
            raise ZeroDivisionError("13 cannot be fitted")
        return FitOutputs([value / 2 + prior for value in progress(peaks, description="peaks")])


class MeasureTask(PipelineTask[MeasureConfig]):
    """Add up the fits."""

    connections = Connections(
        inputs=(Connection("models", "models", "list", PATCH, doc="Halves."),),
        outputs=(Connection("catalog", "catalog", "dict", PATCH, doc="Sums."),),
    )

    def run(self, models: list[float]) -> MeasureOutputs:
        return MeasureOutputs({"sum": sum(models)})
