"""What a blend will cost on each rung of the ladder, in time and memory, predicted before it is tried.

Predictions follow from counts alone, with coefficients that are frozen in the settings: the same blend is treated alike
on every run, whatever else the machine does meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Coefficients", "Cost", "CostModel", "RungCost"]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a blend takes.

    Parameters
    ----------
    seconds : float
        Processor time of one core.
    memory : float
        Largest memory while it is worked on, in bytes, beyond that of the exposure and of the program.
    """

    seconds: float
    memory: float


class Coefficients(BaseModel):
    """Coefficients of ``constant + bands · (peak · peaks + pixel · area + pair · peaks²)``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    constant: float = Field(0.0, ge=0, description="Whatever the blend.")
    peak: float = Field(0.0, ge=0, description="Per peak and band.")
    pixel: float = Field(0.0, ge=0, description="Per pixel of the bounding box and band.")
    pair: float = Field(0.0, ge=0, description="Per square of the number of peaks, and band.")

    def of(self, peaks: int, area: int, bands: int) -> float:
        """Evaluate the formula."""
        return self.constant + bands * (self.peak * peaks + self.pixel * area + self.pair * peaks**2)


class RungCost(BaseModel):
    """Cost of one rung."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: Coefficients = Field(Coefficients(), description="Processor time in seconds.")
    memory: Coefficients = Field(Coefficients(), description="Memory in bytes.")


def _cost(seconds: tuple[float, float, float, float], memory: tuple[float, float, float, float]) -> RungCost:
    names = ("constant", "peak", "pixel", "pair")
    return RungCost(
        seconds=Coefficients(**dict(zip(names, seconds, strict=True))),
        memory=Coefficients(**dict(zip(names, memory, strict=True))),
    )


_FULL = _cost((0.05, 6e-3, 2.5e-6, 2e-5), (4e6, 9e4, 40.0, 40.0))


class CostModel(BaseModel):
    """Coefficients per rung; `calibrate` measures them for a machine, and the defaults were measured so.

    Time grows with the pixels of every band that are transformed in each iteration, and with the sources; the joint
    solution of their spectra, and their covariance, grow with the pairs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    full_multi_band: RungCost = Field(_FULL, description="The joint fit, bulges and disks apart.")
    joint_profiles: RungCost = Field(_FULL, description="The joint fit of profiles.")
    one_component: RungCost = Field(
        _cost((0.05, 4e-3, 2.5e-6, 1e-5), (4e6, 8e4, 40.0, 40.0)),
        description="The joint fit with one component per source.",
    )
    symmetric_templates: RungCost = Field(
        _cost((0.02, 2e-3, 1e-6, 0.0), (4e6, 2e4, 20.0, 8.0)), description="Symmetric templates, shapes shared."
    )
    psf_templates: RungCost = Field(
        _cost((0.01, 2e-4, 2e-7, 0.0), (2e6, 8e3, 20.0, 8.0)), description="The PSF for every peak."
    )
    parent_only: RungCost = Field(
        _cost((1e-3, 0.0, 0.0, 0.0), (1e5, 0.0, 0.0, 0.0)), description="The parent is kept as it is."
    )

    def predict(self, rung: str, peaks: int, area: int, bands: int) -> Cost:
        """Predict the cost of a blend.

        Parameters
        ----------
        rung : str
            One of the rungs of the ladder.
        peaks : int
            Peaks of the blend.
        area : int
            Pixels of its bounding box.
        bands : int

        Returns
        -------
        Cost

        Raises
        ------
        ValueError
            If there is no such rung.
        """
        if rung not in type(self).model_fields:
            known = ", ".join(type(self).model_fields)
            raise ValueError(f"there are no costs of a rung {rung!r}; known: {known}")
        cost: RungCost = getattr(self, rung)
        return Cost(cost.seconds.of(peaks, area, bands), cost.memory.of(peaks, area, bands))
