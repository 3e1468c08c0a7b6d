"""What a blend will cost on each rung of the ladder, in time and memory, predicted before it is tried.

Predictions follow from counts alone, with coefficients that are frozen in the settings: the same blend is treated alike
on every run, whatever else the machine does meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.spatial import cKDTree

from ..profiles.groups import group_sources

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from ..geometry import Box, Peak
    from ..profiles import ProfileFitConfig
    from .calibration import Measured
    from .options import MultiBandOptions

__all__ = ["BlendSize", "Coefficients", "Cost", "CostModel", "RungCost", "calibrate", "coefficients_of", "terms_of"]

OVERLAP = 20
"""Distance [px] along either axis within which the profiles of two sources share much of their light and stamps."""


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


@dataclass(frozen=True, slots=True)
class BlendSize:
    """What predictions are made from: counts that are known before anything is fitted.

    Parameters
    ----------
    peaks : int
    area : int
        Pixels of the bounding box.
    bands : int
    overlaps : int
        Pairs of peaks within `OVERLAP` pixels of each other along both axes.
    repeats : int
        How often such pairs are fitted again, all together, because their group is cut and its parts take turns.
    """

    peaks: int
    area: int
    bands: int
    overlaps: int = 0
    repeats: int = 0

    @classmethod
    def of(cls, peaks: Sequence[Peak], box: Box, bands: int, config: ProfileFitConfig) -> BlendSize:
        """Count in a blend, or in a part of one; ``config`` is that of the fit of profiles."""
        centers = np.array([peak.center for peak in peaks], dtype=np.float64).reshape(-1, 2)
        centers = centers[np.isfinite(centers).all(axis=1)]
        if len(centers) < 2:
            return cls(len(peaks), box.area, bands)
        tree = cKDTree(centers)
        overlaps = (int(tree.count_neighbors(tree, OVERLAP, p=np.inf)) - len(centers)) // 2
        return cls(len(peaks), box.area, bands, overlaps, overlaps * _turns_again(centers, config))


def _turns_again(centers: NDArray[np.float64], config: ProfileFitConfig) -> int:
    """Count how often sources are fitted again because their group has to be cut."""
    if len(centers) <= config.group_size:
        return 0
    groups = group_sources(centers, config.group_radius, len(centers))
    return config.turns - 1 if any(len(group) > config.group_size for group in groups) else 0


class Coefficients(BaseModel):
    """Coefficients of what a blend takes, each of something that is counted in it (`BlendSize`).

    ``constant + (peak + peak_band · bands + pair · peaks) · peaks + (overlap · overlaps + (repeat + crowding ·
    sqrt(overlaps / peaks)) · repeats + pixel · area) · bands``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    constant: float = Field(0.0, ge=0, description="Whatever the blend.")
    peak: float = Field(0.0, ge=0, description="Per peak: what its morphology takes.")
    peak_band: float = Field(0.0, ge=0, description="Per peak and band: what it takes to draw it.")
    pair: float = Field(0.0, ge=0, description="Per square of the number of peaks: what is solved together.")
    overlap: float = Field(
        0.0, ge=0, description="Per band and pair of peaks next to each other: what their profiles share."
    )
    repeat: float = Field(0.0, ge=0, description="Per band, such pair and time that it is fitted again, in turns.")
    crowding: float = Field(
        0.0,
        ge=0,
        description="The same times the root of such pairs per peak: the more crowded, the later the parts agree.",
    )
    pixel: float = Field(0.0, ge=0, description="Per pixel of the bounding box and band.")

    def of(self, size: BlendSize) -> float:
        """Evaluate the formula."""
        return float(np.dot(coefficients_of(self), terms_of(size)))


def terms_of(size: BlendSize) -> tuple[float, ...]:
    """Return what the coefficients are multiplied with, in the order of their fields."""
    peaks, bands = size.peaks, size.bands
    again = size.repeats * bands
    crowding = again * float(np.sqrt(size.overlaps / max(peaks, 1)))
    return (1, peaks, peaks * bands, peaks**2, size.overlaps * bands, again, crowding, bands * size.area)


def coefficients_of(model: Coefficients) -> tuple[float, ...]:
    """Return the coefficients in the order of their fields."""
    by_peak = (model.constant, model.peak, model.peak_band, model.pair)
    return (*by_peak, model.overlap, model.repeat, model.crowding, model.pixel)


class RungCost(BaseModel):
    """Cost of one rung."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: Coefficients = Field(Coefficients(), description="Processor time in seconds.")
    memory: Coefficients = Field(Coefficients(), description="Memory in bytes.")


def _cost(seconds: tuple[float, ...], memory: tuple[float, ...]) -> RungCost:
    names = tuple(Coefficients.model_fields)
    return RungCost(
        seconds=Coefficients(**dict(zip(names, seconds, strict=True))),
        memory=Coefficients(**dict(zip(names, memory, strict=True))),
    )


_FULL = _cost(
    (0.00502, 0.00647, 0.000915, 2.14e-5, 0.0, 0.0, 0.0, 4.97e-7), (4.15e6, 9.23e5, 0.0, 0.0, 0.0, 0.0, 0.0, 117.0)
)


class CostModel(BaseModel):
    """Coefficients per rung; `calibrate` measures them for a machine, and the defaults were measured so.

    Time grows with the pixels of every band that are transformed in each iteration, and with the sources; the joint
    solution of their spectra, and their covariance, grow with the pairs. Profiles of sources next to each other take
    more steps, each of which forms products of all their derivatives, and a group that has to be cut is fitted several
    times, the more steps the more crowded it is: hence the counts of such pairs. Coefficients of memory hold a reserve
    (`calibration.MEMORY_RESERVE`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    full_multi_band: RungCost = Field(_FULL, description="The joint fit, bulges and disks apart.")
    joint_profiles: RungCost = Field(
        _cost(
            (0.0242, 0.0056, 0.00103, 0.0, 0.000847, 0.0, 0.00204, 3.39e-7),
            (2.35e6, 2.23e5, 1.44e5, 5020.0, 1.89e4, 5.99e4, 0.0, 146.0),
        ),
        description="The joint fit of profiles.",
    )
    one_component: RungCost = Field(
        _cost(
            (0.00574, 0.00561, 0.000542, 2.14e-5, 0.0, 0.0, 0.0, 5.21e-7),
            (4.15e6, 6.92e5, 2.02e4, 0.0, 0.0, 0.0, 0.0, 79.3),
        ),
        description="The joint fit with one component per source.",
    )
    symmetric_templates: RungCost = Field(
        _cost(
            (0.0119, 3.89e-4, 2.34e-4, 2.59e-5, 0.0, 0.0, 0.0, 4.62e-8), (3.16e6, 0.0, 6850.0, 0.0, 0.0, 0.0, 0.0, 56.9)
        ),
        description="Symmetric templates, shapes shared.",
    )
    psf_templates: RungCost = Field(
        _cost(
            (0.0112, 0.0, 1.92e-4, 0.0, 0.0, 0.0, 0.0, 6.42e-8), (3.55e6, 4.12e4, 1.01e4, 2800.0, 0.0, 0.0, 0.0, 15.5)
        ),
        description="The PSF for every peak.",
    )
    parent_only: RungCost = Field(
        _cost((1e-3, *(0.0,) * 7), (1e5, *(0.0,) * 7)),
        description="The parent is kept as it is.",
    )

    def predict(self, rung: str, size: BlendSize) -> Cost:
        """Predict the cost of a blend.

        Parameters
        ----------
        rung : str
            One of the rungs of the ladder.
        size : BlendSize
            What there is of it.

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
        return Cost(cost.seconds.of(size), cost.memory.of(size))


def calibrate(
    options: MultiBandOptions | None = None,
    blends: Sequence[tuple[int, int, int]] | None = None,
    watch: Callable[[Measured], None] | None = None,
) -> CostModel:
    """Measure what blends cost on this machine, on drawn ones of several sizes: some minutes.

    Parameters
    ----------
    options : MultiBandOptions, optional
        How blends are fitted, and the rungs that are measured; default: the deblender's.
    blends : sequence of (int, int, int), optional
        Peaks, side in pixels and bands (at most five) of the blends; default: `calibration.BLENDS`.
    watch : callable, optional
        Is told each measurement, with ``rung``, ``size`` and ``cost``, as it is made.

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
