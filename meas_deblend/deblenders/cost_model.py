"""What a blend will cost on each rung of the ladder, in time and memory, predicted before it is tried.

Predictions follow from counts alone, with coefficients that are frozen in the settings: the same blend is treated alike
on every run, whatever else the machine does meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .calibration import Measured
    from .options import MultiBandOptions

__all__ = ["Coefficients", "Cost", "CostModel", "RungCost", "calibrate"]


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
    """Coefficients of ``constant + (peak + peak_band · bands) · peaks + pair · peaks² + pixel · bands · area``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    constant: float = Field(0.0, ge=0, description="Whatever the blend.")
    peak: float = Field(0.0, ge=0, description="Per peak: what its morphology takes.")
    peak_band: float = Field(0.0, ge=0, description="Per peak and band: what it takes to draw it.")
    pair: float = Field(0.0, ge=0, description="Per square of the number of peaks: what is solved together.")
    pixel: float = Field(0.0, ge=0, description="Per pixel of the bounding box and band.")

    def of(self, peaks: int, area: int, bands: int) -> float:
        """Evaluate the formula."""
        of_peaks = (self.peak + self.peak_band * bands + self.pair * peaks) * peaks
        return self.constant + of_peaks + self.pixel * bands * area


class RungCost(BaseModel):
    """Cost of one rung."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: Coefficients = Field(Coefficients(), description="Processor time in seconds.")
    memory: Coefficients = Field(Coefficients(), description="Memory in bytes.")


def _cost(seconds: tuple[float, ...], memory: tuple[float, ...]) -> RungCost:
    names = ("constant", "peak", "peak_band", "pair", "pixel")
    return RungCost(
        seconds=Coefficients(**dict(zip(names, seconds, strict=True))),
        memory=Coefficients(**dict(zip(names, memory, strict=True))),
    )


_FULL = _cost((0.0342, 7.5e-3, 5.12e-4, 4.95e-5, 5.34e-7), (4.15e6, 9.23e5, 0.0, 0.0, 117.0))


class CostModel(BaseModel):
    """Coefficients per rung; `calibrate` measures them for a machine, and the defaults were measured so.

    Time grows with the pixels of every band that are transformed in each iteration, and with the sources; the joint
    solution of their spectra, and their covariance, grow with the pairs. Coefficients of memory hold a reserve
    (`calibration.MEMORY_RESERVE`). Profiles of sources on top of each other take several times as many steps as those
    of the blends that are drawn to calibrate: the default of their ``pair`` is four times what those gave.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    full_multi_band: RungCost = Field(_FULL, description="The joint fit, bulges and disks apart.")
    joint_profiles: RungCost = Field(
        _cost((0.049, 9.24e-3, 1.03e-3, 1e-3, 5e-7), (3.68e6, 0.0, 3.08e5, 0.0, 152.0)),
        description="The joint fit of profiles.",
    )
    one_component: RungCost = Field(
        _cost((0.0183, 6.79e-3, 5.94e-4, 3.46e-5, 5.19e-7), (4.15e6, 6.92e5, 2.02e4, 0.0, 79.3)),
        description="The joint fit with one component per source.",
    )
    symmetric_templates: RungCost = Field(
        _cost((0.018, 1.31e-3, 0.0, 1.48e-5, 3.97e-8), (3.16e6, 0.0, 6850.0, 0.0, 56.9)),
        description="Symmetric templates, shapes shared.",
    )
    psf_templates: RungCost = Field(
        _cost((0.0114, 0.0, 1.63e-4, 0.0, 7.44e-8), (3.55e6, 4.12e4, 1.01e4, 2800.0, 15.5)),
        description="The PSF for every peak.",
    )
    parent_only: RungCost = Field(
        _cost((1e-3, 0.0, 0.0, 0.0, 0.0), (1e5, 0.0, 0.0, 0.0, 0.0)), description="The parent is kept as it is."
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
        of_rungs = {
            "full_multi_band": self.full_multi_band,
            "joint_profiles": self.joint_profiles,
            "one_component": self.one_component,
            "symmetric_templates": self.symmetric_templates,
            "psf_templates": self.psf_templates,
            "parent_only": self.parent_only,
        }
        if rung not in of_rungs:
            raise ValueError(f"there are no costs of a rung {rung!r}; known: {', '.join(of_rungs)}")
        cost = of_rungs[rung]
        return Cost(cost.seconds.of(peaks, area, bands), cost.memory.of(peaks, area, bands))


def calibrate(
    options: MultiBandOptions | None = None,
    blends: Sequence[tuple[int, int, int]] | None = None,
    watch: Callable[[Measured], None] | None = None,
) -> CostModel:
    """Measure what blends cost on this machine, on drawn ones of several sizes: about a minute.

    Parameters
    ----------
    options : MultiBandOptions, optional
        How blends are fitted, and the rungs that are measured; default: the deblender's.
    blends : sequence of (int, int, int), optional
        Peaks, side in pixels and bands (at most five) of the blends; default: `calibration.BLENDS`.
    watch : callable, optional
        Is told each measurement, with ``rung``, ``peaks``, ``area``, ``bands`` and ``cost``, as it is made.

    Returns
    -------
    CostModel
        Rungs that ``options`` lack have the coefficients that stand there.
    """
    # What is measured has a cost model itself.
    from .calibration import BLENDS, fit_costs, measure_costs  # noqa: PLC0415
    from .options import MultiBandOptions as Options  # noqa: PLC0415

    options = Options() if options is None else options
    return fit_costs(measure_costs(options, BLENDS if blends is None else blends, watch), options.cost)
