"""Sources over an image: their state, and how they are drawn together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .stamps import draw
from .sums import add_scaled, chi_square, flux_equations

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .stamps import PsfTransforms

__all__ = ["IMAGE", "Data", "Drawn", "Sources", "draw_units", "residual_of", "solve_fluxes"]

IMAGE = np.array([-1])
"""What `draw` is told to draw a source itself."""


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """What is fitted.

    Parameters
    ----------
    images : float32 array (band, y, x)
        Finite.
    weights : float32 array (band, y, x)
        Inverse variances; 0 where there is no data.
    noise : float64 array (band,)
        Typical standard deviation of a pixel; inf in a band without data.
    sky_precision : float64 array (band,)
        Inverse variance of the prior of the sky's level; inf for no sky.
    """

    images: NDArray[np.float32]
    weights: NDArray[np.float32]
    noise: NDArray[np.float64]
    sky_precision: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Sources:
    """Sources under way.

    Parameters
    ----------
    parameters : float64 array (source, 8)
        See `planes`.
    free : bool array (source, 8)
        Which of them are fitted.
    origins : int64 array (source, 2)
        First pixels of the stamps.
    sizes : int64 array (source,)
        Sides of the stamps.
    psfs : tuple of PsfTransforms
        Per source.
    """

    parameters: NDArray[np.float64]
    free: NDArray[np.bool_]
    origins: NDArray[np.int64]
    sizes: NDArray[np.int64]
    psfs: tuple[PsfTransforms, ...]

    def __len__(self) -> int:
        return len(self.sizes)

    def moved(self, parameters: NDArray[np.float64]) -> Sources:
        """Return the same with other parameters."""
        return replace(self, parameters=parameters)

    def origin(self, k: int) -> tuple[int, int]:
        """First pixel of a stamp."""
        return int(self.origins[k, 0]), int(self.origins[k, 1])


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Unit images of all sources, with the fluxes that fit best.

    Parameters
    ----------
    units : list of float32 array (band, size, size)
    fluxes : float64 array (source, band)
    sky : float64 array (band,)
    residual : float32 array (band, y, x)
        Data − model.
    chi2 : float
        Σ w (data − model)², with the term of the sky's prior.
    """

    units: list[NDArray[np.float32]]
    fluxes: NDArray[np.float64]
    sky: NDArray[np.float64]
    residual: NDArray[np.float32]
    chi2: float


def draw_units(sources: Sources, before: tuple[Sources, Drawn] | None = None) -> list[NDArray[np.float32]]:
    """Draw every source with unit flux; those that have not moved since ``before`` are taken from there."""
    units = []
    for k in range(len(sources)):
        if before is not None and np.array_equal(sources.parameters[k], before[0].parameters[k]):
            units.append(before[1].units[k])
        else:
            size = int(sources.sizes[k])
            units.append(draw(sources.parameters[k], sources.origin(k), size, sources.psfs[k], IMAGE)[:, 0])
    return units


def solve_fluxes(
    sources: Sources, data: Data, before: tuple[Sources, Drawn] | None = None, *, nonnegative: bool = False
) -> Drawn:
    """Find the fluxes and the sky that fit best with the shapes as they are: linear least squares, band by band.

    Parameters
    ----------
    sources : Sources
    data : Data
    before : tuple of Sources and Drawn, optional
        The same sources on the same stamps: images of those that have not moved are used again.
    nonnegative : bool
        Fluxes of sources must be at least 0.

    Returns
    -------
    Drawn
    """
    units = draw_units(sources, before)
    n, bands = len(sources), len(data.images)
    starts = np.concatenate([[0], np.cumsum(bands * sources.sizes**2)]).astype(np.int64)
    pool = np.empty(int(starts[-1]), dtype=np.float32)
    for k, unit in enumerate(units):
        pool[starts[k] : starts[k + 1]] = unit.ravel()
    matrix, right = flux_equations(pool, sources.sizes, sources.origins, data.images, data.weights)
    solution = np.zeros((bands, n + 1))
    for band in range(bands):
        solution[band] = _solve(matrix[band], right[band], data.sky_precision[band], nonnegative=nonnegative)
    fluxes, sky = solution[:, :n].T.copy(), solution[:, n].copy()
    residual = residual_of(sources, units, fluxes, sky, data)
    finite = np.isfinite(data.sky_precision)
    chi2 = chi_square(residual, data.weights) + float((data.sky_precision[finite] * sky[finite] ** 2).sum())
    return Drawn(units, fluxes, sky, residual, chi2)


def _solve(
    matrix: NDArray[np.float64], right: NDArray[np.float64], precision: float, *, nonnegative: bool
) -> NDArray[np.float64]:
    """Solve for fluxes and sky of one band; what no pixel tells of is 0."""
    n = len(right) - 1
    matrix = matrix.copy()
    told = np.append(np.diag(matrix)[:n] > 0, np.isfinite(precision) and matrix[n, n] > 0)
    if told[n]:
        matrix[n, n] += precision
    out = np.zeros(n + 1)
    while told.any():
        use = np.flatnonzero(told)
        scale = np.sqrt(np.diag(matrix)[use])
        normal = matrix[np.ix_(use, use)] / np.outer(scale, scale)
        # Two sources at one place share their light.
        normal[np.diag_indices(len(use))] += 1e-6
        out[:] = 0
        out[use] = np.linalg.solve(normal, right[use] / scale) / scale
        negative = told[:n] & (out[:n] < 0)
        if not (nonnegative and negative.any()):
            break
        told[:n] &= ~negative
    return out


def residual_of(
    sources: Sources,
    units: list[NDArray[np.float32]],
    fluxes: NDArray[np.float64],
    sky: NDArray[np.float64],
    data: Data,
) -> NDArray[np.float32]:
    """Return data − model (band, y, x)."""
    residual = np.asarray(data.images - sky[:, None, None].astype(np.float32))
    for k in range(len(sources)):
        add_scaled(residual, units[k], sources.origin(k), -fluxes[k])
    return residual
