"""Where the sources of a simulated field are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..exceptions import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["Region", "clustered", "in_a_row", "in_core", "uniform"]

# Separations at which companions are drawn [arcsec], and the slope of their correlation function.
_COMPANION = (0.6, 6.0)
_CORRELATION = 0.8


@dataclass(frozen=True, slots=True)
class Region:
    """Rectangle in which centres lie.

    Parameters
    ----------
    low, high : pair of float
        ``(y, x)`` of its corners [px]: the lowest position, and the first that is outside.
    """

    low: tuple[float, float]
    high: tuple[float, float]

    @classmethod
    def middle(cls, shape: tuple[int, int], side: int | None) -> Region:
        """Square of ``side`` pixels in the middle of an image, or all of it."""
        if side is None:
            return cls((-0.5, -0.5), (shape[0] - 0.5, shape[1] - 0.5))
        y, x = (shape[0] - 1) / 2, (shape[1] - 1) / 2
        return cls((y - side / 2, x - side / 2), (y + side / 2, x + side / 2))

    @property
    def pixels(self) -> int:
        """How many pixels have their centre inside, roughly."""
        return int((self.high[0] - self.low[0]) * (self.high[1] - self.low[1]))

    def holds(self, position: NDArray[np.float64]) -> bool:
        """Whether ``position`` (y, x) is inside."""
        return bool(np.all(position >= self.low) and np.all(position < self.high))


def uniform(rng: np.random.Generator, n: int, region: Region) -> NDArray[np.float64]:
    """Positions (n, 2) uniform in ``region``, no two with the same nearest pixel.

    Raises
    ------
    InputError
        If there are fewer pixels than twice the positions.
    """
    return _draw(n, region, lambda _: rng.uniform(region.low, region.high))


def clustered(
    rng: np.random.Generator, n: int, region: Region, companions: float, pixel_scale: float
) -> NDArray[np.float64]:
    """Positions (n, 2) of which a part are companions of others, no two with the same nearest pixel.

    Separations of companions follow the angular correlation function w(θ) ∝ θ^−0.8 (Peebles 1980) from 0.6 to 6
    arcsec, so p(θ) ∝ θ^0.2.

    Parameters
    ----------
    rng : numpy Generator
        Source of randomness.
    n : int
        Number of positions.
    region : Region
        Where.
    companions : float
        Share of the positions that lie beside an earlier one.
    pixel_scale : float
        Arcseconds per pixel.

    Raises
    ------
    InputError
        If there are fewer pixels than twice the positions.
    """
    power = 2 - _CORRELATION
    low, high = (s**power for s in _COMPANION)

    def trial(earlier: NDArray[np.float64]) -> NDArray[np.float64]:
        if len(earlier) == 0 or rng.random() >= companions:
            return rng.uniform(region.low, region.high)
        distance = (low + rng.random() * (high - low)) ** (1 / power) / pixel_scale
        angle = rng.uniform(0, 2 * np.pi)
        return np.asarray(earlier[rng.integers(len(earlier))] + distance * np.array([np.sin(angle), np.cos(angle)]))

    return _draw(n, region, trial)


def in_a_row(rng: np.random.Generator, n: int, region: Region, separation: float) -> NDArray[np.float64]:
    """Positions (n, 2), equally spaced on a line of random direction through the middle of ``region``.

    Parameters
    ----------
    rng : numpy Generator
        Source of randomness.
    n : int
        Number of positions.
    region : Region
        Its middle, but for a part of a pixel, is that of the row.
    separation : float
        Of neighbours [px].
    """
    middle = (np.array(region.low) + np.array(region.high)) / 2 + rng.uniform(-0.5, 0.5, 2)
    angle = rng.uniform(0, math.pi)
    steps = separation * (np.arange(n) - (n - 1) / 2)
    return np.asarray(middle + steps[:, None] * np.array([math.sin(angle), math.cos(angle)]))


def in_core(
    rng: np.random.Generator, n: int, region: Region, center: NDArray[np.float64], edge: float
) -> NDArray[np.float64]:
    """Positions (n, 2) of surface density ∝ 1 / (1 + (r / r_c)²) within ``edge`` = 3 r_c, no two in the same pixel.

    Parameters
    ----------
    rng : numpy Generator
        Source of randomness.
    n : int
        Number of positions.
    region : Region
        What is outside of it is drawn again.
    center : float64 array (2,)
        ``(y, x)`` [px].
    edge : float
        [px]

    Raises
    ------
    InputError
        If there are fewer pixels than twice the positions.
    """
    core = edge / 3

    def trial(_: NDArray[np.float64]) -> NDArray[np.float64]:
        # The number within r goes as ln(1 + r² / r_c²), which is inverted here.
        radius = core * math.sqrt(10 ** rng.random() - 1)
        angle = rng.uniform(0, 2 * np.pi)
        return center + radius * np.array([np.sin(angle), np.cos(angle)])

    return _draw(n, region, trial)


def _draw(n: int, region: Region, trial: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> NDArray[np.float64]:
    """Take trials, which see the positions before them, that are inside and in a pixel of their own."""
    if 2 * n > region.pixels:
        raise InputError(f"{n} sources do not fit into {region.pixels} pixels with room between them")
    out = np.empty((n, 2))
    taken: set[tuple[int, int]] = set()
    count = 0
    while count < n:
        position = trial(out[:count])
        pixel = (math.floor(position[0] + 0.5), math.floor(position[1] + 0.5))
        if region.holds(position) and pixel not in taken:
            taken.add(pixel)
            out[count] = position
            count += 1
    return out
