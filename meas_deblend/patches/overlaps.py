"""Patches that show the same sky: which of them owns a position.

A patch sees least near its border, where footprints are cut and backgrounds are estimated from one side. So of all
patches that show a position, the one owns it that shows it farthest from its own border. Only borders behind which
another patch goes on count: there is nobody who would see more beyond an outer one. Two patches that overlap like this
share their overlap in the middle. The part that a patch owns is its inner region; it can also be given.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..image import CelestialGrid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["PatchFrame", "Sky"]

_Edges = tuple[bool, bool, bool, bool]

_PLACES = 33
"""An edge is looked at in so many places."""
_COVERED = 0.5
"""An edge counts as a seam if other patches go on behind this part of it; where neighbours overlap at a corner only, it
is less."""
_EQUAL = 1e-4
"""Distances that differ by less [arcsec] are equal, whatever rounding there was on the way over the sky; then the first
patch, by tract and number, owns the position."""


@dataclass(frozen=True)
class PatchFrame:
    """Pixel grid of a patch.

    Parameters
    ----------
    tract, number : int
        The patch; who comes first wins ties.
    shape : tuple of int
        (y, x).
    wcs : astropy.wcs.WCS or None
        Without one, the patch overlaps with none.
    inner : tuple of int, optional
        Inner region (X0, X1, Y0, Y1), if it is given.
    """

    tract: int
    number: int
    shape: tuple[int, int]
    wcs: Any = None
    inner: tuple[int, int, int, int] | None = None

    def contains(self, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether positions (n,) lie on the image; pixel centres are integers, and not-a-number lies nowhere."""
        height, width = self.shape
        inside = (y >= -0.5) & (y < height - 0.5) & (x >= -0.5) & (x < width - 0.5)
        return np.asarray(inside)

    @cached_property
    def grid(self) -> CelestialGrid | None:
        """Its pixels on the sky; None without world coordinates."""
        return None if self.wcs is None else CelestialGrid(self.wcs)

    @cached_property
    def scale(self) -> float:
        """Arcseconds per pixel; 1 without world coordinates."""
        return 1.0 if self.grid is None else self.grid.scale(self.shape)

    def circle(self, grid: CelestialGrid) -> tuple[NDArray[np.float64], float]:
        """Return the unit vector (3,) of the middle, and the radius in radians of a circle that holds all corners."""
        height, width = self.shape
        y = np.array([(height - 1) / 2, -0.5, -0.5, height - 0.5, height - 0.5])
        x = np.array([(width - 1) / 2, -0.5, width - 0.5, -0.5, width - 0.5])
        vectors = grid.directions(y, x)
        cosine = np.clip(vectors[1:] @ vectors[0], -1.0, 1.0)
        return vectors[0], float(np.arccos(cosine).max())

    def edges(self, beyond: float = 0.0) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Positions (y, x) along the left, right, lower and upper edge, on the outermost pixels or so far beyond."""
        height, width = self.shape
        ys, xs = np.linspace(0, height - 1, _PLACES), np.linspace(0, width - 1, _PLACES)
        whole = np.ones(_PLACES)
        low, high = -beyond * whole, beyond * whole
        return [(ys, low), (ys, width - 1 + high), (low, xs), (height - 1 + high, xs)]

    def depths(self, y: NDArray[np.float64], x: NDArray[np.float64], seams: _Edges) -> NDArray[np.float64]:
        """Distances (n,) in pixels to the nearest seam, infinite without one.

        With a given inner region: infinite inside it, and behind its border the negative distance to it.
        """
        height, width = self.shape
        if self.inner is not None:
            x0, x1, y0, y1 = self.inner
            outside = np.maximum.reduce([x0 - 0.5 - x, x - (x1 - 0.5), y0 - 0.5 - y, y - (y1 - 0.5)])
            # The upper borders belong to the next region.
            within = (x >= x0 - 0.5) & (x < x1 - 0.5) & (y >= y0 - 0.5) & (y < y1 - 0.5)
            return np.where(within, np.inf, -np.maximum(outside, 0.0))
        distances = (x + 0.5, width - 0.5 - x, y + 0.5, height - 0.5 - y)
        found = [distance for distance, seam in zip(distances, seams, strict=True) if seam]
        return np.minimum.reduce(found) if found else np.full(np.shape(y), np.inf)


class Sky:
    """Patches on the sky.

    Parameters
    ----------
    frames : sequence of PatchFrame
        In the order in which ties are decided.
    """

    def __init__(self, frames: Sequence[PatchFrame]) -> None:
        self.frames = tuple(frames)
        self._near = _neighbours(self.frames)
        both = [self._seams_of(index) for index in range(len(self.frames))]
        self._seams, self._beyond = [at for at, _ in both], [beyond for _, beyond in both]

    def owners(
        self, index: int, y: NDArray[np.float64], x: NDArray[np.float64], tract: int | None = None
    ) -> NDArray[np.int64]:
        """Say who owns positions in a patch.

        Parameters
        ----------
        index : int
            The patch.
        y, x : array (n,)
            Its pixels.
        tract : int, optional
            Only patches of this tract come into question.

        Returns
        -------
        array (n,)
            Index of the owner; -1 where none of those in question owns it: with an inner region that was given, and
            nobody behind it.
        """
        best = np.full(np.shape(y), -np.inf)
        owner = np.full(np.shape(y), -1, dtype=np.int64)
        own = self.frames[index]
        for other in sorted({index, *self._near[index]}):
            frame = self.frames[other]
            if tract is not None and frame.tract != tract:
                continue
            at_y, at_x = self._pixels_on(other, index, y, x)
            depth = frame.depths(at_y, at_x, self._seams[other]) * frame.scale
            better = frame.contains(at_y, at_x) & (depth > best + _EQUAL)
            best[better], owner[better] = depth[better], other
        if own.wcs is None and own.inner is not None:
            # Who lies behind the border is not known, but somebody does.
            owner[best < 0] = -1
        return owner

    def in_one_tract(self, index: int) -> bool:
        """Whether all patches near a patch are of its own tract: then it makes no difference to ask for that."""
        tracts = {self.frames[other].tract for other in self._near[index]}
        return tracts <= {self.frames[index].tract}

    def seams(self, index: int) -> _Edges:
        """Behind which edges of a patch (left, right, lower, upper) others show more of the sky.

        Those that a given inner region keeps away from count too, whoever lies behind them.
        """
        frame = self.frames[index]
        left, right, lower, upper = self._beyond[index]
        if frame.inner is None:
            return left, right, lower, upper
        (height, width), (x0, x1, y0, y1) = frame.shape, frame.inner
        return left or x0 > 0, right or x1 < width, lower or y0 > 0, upper or y1 < height

    def _seams_of(self, index: int) -> tuple[_Edges, _Edges]:
        """Which edges (left, right, lower, upper) other patches show, and behind which of them they go on."""
        frame = self.frames[index]
        if not self._near[index]:
            return (False,) * 4, (False,) * 4
        # All of them at once: what a conversion costs hardly depends on the number of positions.
        lines = [*frame.edges(), *frame.edges(beyond=1.0)]
        y, x = (np.concatenate(axis) for axis in zip(*lines, strict=True))
        covered = np.zeros(len(y), dtype=bool)
        for other in self._near[index]:
            covered |= self.frames[other].contains(*self._pixels_on(other, index, y, x))
        left, right, lower, upper, *beyond = (covered.reshape(-1, _PLACES).mean(axis=1) >= _COVERED).tolist()
        return (left, right, lower, upper), tuple(beyond)

    def _pixels_on(
        self, other: int, index: int, y: NDArray[np.float64], x: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pixels on another patch of pixels (n,) of a patch."""
        here, there = self.frames[index].grid, self.frames[other].grid
        if other == index or here is None or there is None or not len(y):
            return y, x
        return here.pixels_on(there, y, x)


def _neighbours(frames: Sequence[PatchFrame]) -> list[list[int]]:
    """Per patch, those whose circles overlap its own."""
    placed = {index: frame.circle(frame.grid) for index, frame in enumerate(frames) if frame.grid is not None}
    near: list[list[int]] = [[] for _ in frames]
    if not placed:
        return near
    indices = list(placed)
    middles = np.stack([middle for middle, _ in placed.values()])
    radii = np.array([radius for _, radius in placed.values()])
    for k, index in enumerate(indices):
        distances = 2 * np.arcsin(np.clip(np.linalg.norm(middles - middles[k], axis=1) / 2, 0.0, 1.0))
        # Chords between corners and middles are rounded; a few of them are a thousandth of an arcsecond at most.
        close = np.flatnonzero(distances < radii + radii[k] + 1e-8)
        near[index] = [indices[j] for j in close if j != k]
    return near
