"""The cost of blends, measured on drawn ones."""

from __future__ import annotations

import time
import tracemalloc
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize

from ..detect import DeconvolveConfig, HierarchyConfig, deconvolve_exposure, split_parents
from ..geometry import Footprint, Parent, Peak
from ..scarlet import warmup
from ..simulate import HSC_WIDE, Sersic, SimulatedComponent, SimulatedSource, SkyConfig, observe
from .cost_model import BlendSize, Coefficients, Cost, CostModel, RungCost, terms_of
from .multi_band import MultiBand
from .options import MultiBandOptions
from .rungs import PARENT_ONLY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from ..image import MultibandExposure

__all__ = ["BLENDS", "MEMORY_RESERVE", "Measured", "drawn_blend", "fit_costs", "measure_costs"]

BLENDS = (
    *((1, 40, 5), (1, 200, 5), (4, 40, 2), (4, 150, 2), (12, 90, 5), (12, 50, 3), (24, 70, 3)),
    *((30, 110, 2), (30, 250, 5), (44, 88, 2), (48, 126, 3), (60, 110, 1), (80, 200, 5), (80, 150, 1)),
)
"""Peaks, side in pixels and bands of the drawn blends: sparse, crowded, with groups that are cut, and large."""

MEMORY_RESERVE = 1.2
"""Predicted memory over that of the blends it is fitted to; without it others, held out, took up to 1.18 times that."""

_SCATTER = 0.2
"""Scatter of the logarithm of times that depend on the number of steps."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one drawn blend took on a rung."""

    rung: str
    size: BlendSize
    cost: Cost


def measure_costs(
    options: MultiBandOptions,
    blends: Sequence[tuple[int, int, int]] = BLENDS,
    watch: Callable[[Measured], None] | None = None,
) -> list[Measured]:
    """Deblend drawn blends on each rung of the ladder, and see what that takes.

    Parameters
    ----------
    options : MultiBandOptions
        How blends are fitted; its budgets do not act.
    blends : sequence of (int, int, int)
        Peaks, side in pixels and number of bands, at most five, of each.
    watch : callable, optional
        Is told each measurement as it is made.

    Returns
    -------
    list of Measured
        The peak of the memory that a first run allocates, and the processor time of a second, which finds its kernels
        made.
    """
    warmup()
    measured: list[Measured] = []
    for peaks, side, bands in blends:
        exposure, parent = drawn_blend(peaks, side, bands)
        size = BlendSize.of(parent.footprint.peaks, parent.footprint.box, bands, options.profiles)
        for rung in (rung for rung in options.rungs if rung != PARENT_ONLY):
            if not any(one.rung == rung for one in measured):
                MultiBand()(exposure, parent, _only(options, rung))  # what is loaded on first use is not the blend's
            cost = _measured(exposure, parent, _only(options, rung))
            measured.append(Measured(rung, size, cost))
            if watch is not None:
                watch(measured[-1])
    return measured


def fit_costs(measured: Sequence[Measured], start: CostModel) -> CostModel:
    """Fit the coefficients of the rungs that were measured, and leave the others as they are in ``start``.

    Times are fitted by the logarithms of their ratios, without negative coefficients; a few that are far off, as fits
    that take many more steps than others, hardly move them. Memory is what must not run out: its coefficients are the
    lowest with which no blend that was measured took more than `MEMORY_RESERVE` leaves of what is predicted.
    """
    rungs = {}
    for rung in {one.rung for one in measured}:
        own = [one for one in measured if one.rung == rung]
        terms = np.array([terms_of(one.size) for one in own], dtype=float)
        rungs[rung] = RungCost(
            seconds=_coefficients(_fitted(terms, np.array([o.cost.seconds for o in own]))),
            memory=_coefficients(_lowest_above(terms, MEMORY_RESERVE * np.array([o.cost.memory for o in own]))),
        )
    return start.model_copy(update=rungs)


def drawn_blend(peaks: int, side: int, bands: int) -> tuple[MultibandExposure, Parent]:
    """Draw galaxies on a square that is one blend: always the same for the same numbers."""
    config = SkyConfig(bands=HSC_WIDE[:bands], shape=(side, side), seed=peaks)
    rng = np.random.default_rng([peaks, side])
    # A few galaxies on many pixels are large ones, whose morphologies reach far.
    size = np.clip(0.05 * side / np.sqrt(peaks), 1.0, 8.0)
    sources = []
    for k in range(peaks):
        y, x = rng.uniform(3, side - 4, 2)
        magnitude = rng.uniform(20.5, 24.0) - 2.5 * np.log10(size)
        flux = 10 ** (-0.4 * (magnitude + rng.uniform(0, 1) * np.linspace(0.6, 0, bands) - config.zeropoint))
        shape = Sersic(float(size * rng.uniform(0.7, 1.5)), 1.0, float(rng.uniform(0.4, 1)), float(rng.uniform(0, 180)))
        sources.append(SimulatedSource(k + 1, y, x, (SimulatedComponent(shape, tuple(map(float, flux))),), False))
    exposure = observe(sources, config).exposure
    at = tuple(Peak(k, round(s.y), round(s.x), float(peaks - k)) for k, s in enumerate(sources))
    parent = Parent(1, Footprint.from_box(exposure.box, at))
    # As in a run, where the image is deconvolved before anything is fitted.
    deconvolved = deconvolve_exposure(exposure, [parent], DeconvolveConfig())
    return exposure, replace(split_parents([parent], deconvolved, HierarchyConfig())[0], blends=())


def _only(options: MultiBandOptions, rung: str) -> MultiBandOptions:
    """Return the options with one rung and without budgets; what fails is an error."""
    return options.model_copy(
        update={
            "ladder": (rung, PARENT_ONLY),
            "memory_budget": np.inf,
            "cost_budget": np.inf,
            "timeout": None,
            "init": "detect",
            "catch_failures": False,
        }
    )


def _measured(exposure: MultibandExposure, parent: Parent, options: MultiBandOptions) -> Cost:
    deblender = MultiBand()
    tracemalloc.start()
    try:
        deblender(exposure, parent, options)
        memory = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    start = time.process_time()
    deblender(exposure, parent, options)
    return Cost(time.process_time() - start, float(memory))


def _fitted(terms: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coefficients ≥ 0 by the ratios of predictions and values, then by their logarithms, outliers damped."""
    relative, scale = _scaled(terms, values)
    first, _ = optimize.nnls(relative, np.ones(len(values)))
    # Squares of what is varied are at least 0. From a 0 nothing would move.
    start = np.sqrt(np.maximum(first, 1e-6))

    def off(root: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.log(relative @ root**2))

    found = optimize.least_squares(off, start, loss="soft_l1", f_scale=_SCATTER)
    return np.asarray(found.x**2 / scale)


def _lowest_above(terms: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coefficients ≥ 0 of the predictions that are nowhere below the values, and least above them as ratios."""
    relative, scale = _scaled(terms, values)
    found = optimize.linprog(relative.sum(axis=0), A_ub=-relative, b_ub=-np.ones(len(values)), method="highs")
    if found.x is None:  # There is always a solution: a large constant is one.
        raise ArithmeticError(f"no coefficients of memory were found: {found.message}")
    return np.asarray(found.x / scale)


def _scaled(terms: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Terms over the values, columns scaled to at most 1, and the scales; 1 for a term that none of the blends has."""
    relative = terms / values[:, None]
    scale = np.abs(relative).max(axis=0)
    scale[scale == 0] = 1.0
    return relative / scale, scale


def _coefficients(values: NDArray[np.float64]) -> Coefficients:
    """Return coefficients rounded to three digits, as they stand in a file of settings."""
    names = Coefficients.model_fields
    return Coefficients(**{name: float(f"{value:.3g}") for name, value in zip(names, values, strict=True)})
