"""Sources over an image: their state, and how they are drawn together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .stamps import draw_stamps
from .sums import add_scaled, chi_square, flux_equations, solve_bands

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .stamps import PsfTransforms

__all__ = ["IMAGE", "Data", "Drawn", "Sources", "residual_of", "solve_fluxes", "starts_of"]

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

    def select(self, bands: tuple[int, ...]) -> Data:
        """Return those of some bands; itself for all of them."""
        if len(bands) == len(self.images):
            return self
        index = list(bands)
        return Data(self.images[index], self.weights[index], self.noise[index], self.sky_precision[index])


@dataclass(frozen=True, slots=True, eq=False)
class Sources:
    """Sources under way.

    Parameters
    ----------
    parameters : float64 array (source, 8 + band)
        See `planes`.
    free : bool array (source, 8 + band)
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

    def in_bands(self, bands: tuple[int, ...]) -> Sources:
        """Return the same, to be drawn in some of the bands."""
        return replace(self, psfs=tuple(psf.select(bands) for psf in self.psfs))

    def only(self, k: int) -> Sources:
        """Return one of them."""
        one = slice(k, k + 1)
        return Sources(self.parameters[one], self.free[one], self.origins[one], self.sizes[one], self.psfs[one])

    def origin(self, k: int) -> tuple[int, int]:
        """First pixel of a stamp."""
        return int(self.origins[k, 0]), int(self.origins[k, 1])


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Unit images of all sources, with the fluxes that fit best.

    Parameters
    ----------
    units : list of float32 array (band, size, size)
    equations : tuple of float64 array
        Σ w unit unit' (band, source + 1, source + 1) and Σ w unit data (band, source + 1); the sky is the last.
    fluxes : float64 array (source, band)
    sky : float64 array (band,)
    residual : float32 array (band, y, x)
        Data − model.
    chi2 : float
        Σ w (data − model)², with the term of the sky's prior.
    """

    units: list[NDArray[np.float32]]
    equations: tuple[NDArray[np.float64], NDArray[np.float64]]
    fluxes: NDArray[np.float64]
    sky: NDArray[np.float64]
    residual: NDArray[np.float32]
    chi2: float


def starts_of(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where parts of these lengths (n,) begin one after the other, and where the last ends (n + 1,)."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def solve_fluxes(
    sources: Sources,
    data: Data,
    before: tuple[Sources, Drawn] | None = None,
    *,
    known: Mapping[int, NDArray[np.float32]] | None = None,
    nonnegative: bool = False,
) -> Drawn:
    """Find the fluxes and the sky that fit best with the shapes as they are: linear least squares, band by band.

    Parameters
    ----------
    sources : Sources
    data : Data
    before : tuple of Sources and Drawn, optional
        The same sources on the same stamps: images of those that have not moved are used again.
    known : mapping of int to float32 array (band, size, size), optional
        Unit images of sources that need not be drawn.
    nonnegative : bool
        Fluxes of sources must be at least 0.

    Returns
    -------
    Drawn
    """
    n, bands = len(sources), len(data.images)
    moved = np.ones(n, dtype=bool)
    equations = np.zeros((bands, n + 1, n + 1)), np.zeros((bands, n + 1))
    if before is not None:
        moved = (sources.parameters != before[0].parameters).any(axis=1)
        equations = before[1].equations[0].copy(), before[1].equations[1].copy()
    starts = starts_of(bands * sources.sizes**2)
    pool = np.empty(int(starts[-1]), dtype=np.float32)
    units = [pool[starts[k] : starts[k + 1]].reshape(bands, -1, int(sources.sizes[k])) for k in range(n)]
    known = known or {}
    for i, unit in known.items():
        units[i][:] = unit
    which = np.array([k for k in np.flatnonzero(moved) if k not in known], dtype=np.int64)
    for k, cube in zip(which, draw_stamps(which, sources, [IMAGE] * len(which)), strict=True):
        units[k][:] = cube[:, 0]
    if before is not None:
        for k in np.flatnonzero(~moved):
            units[k][:] = before[1].units[k]
    flux_equations(pool, (starts, sources.sizes, sources.origins, moved), (data.images, data.weights), equations)
    solution = solve_bands(*equations, data.sky_precision.astype(np.float64), nonnegative)
    fluxes, sky = solution[:, :n].T.copy(), solution[:, n].copy()
    residual = residual_of(sources, units, fluxes, sky, data)
    finite = np.isfinite(data.sky_precision)
    chi2 = chi_square(residual, data.weights) + float((data.sky_precision[finite] * sky[finite] ** 2).sum())
    return Drawn(units, equations, fluxes, sky, residual, chi2)


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
