"""The row nearest to a position."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..exceptions import ModelError

if TYPE_CHECKING:
    from ..geometry import FloatArray

__all__ = ["nearest", "separations"]


def separations(position: tuple[float, float], others: tuple[FloatArray, FloatArray]) -> FloatArray:
    """Angles between a position and others, arcseconds; all ``(ra, dec)`` in degrees.

    The haversine formula, which loses no digits at small angles.
    """
    ra, dec = np.radians(position)
    other_ra, other_dec = np.radians(others)
    chord = np.sin((other_dec - dec) / 2) ** 2 + np.cos(dec) * np.cos(other_dec) * np.sin((other_ra - ra) / 2) ** 2
    return np.asarray(np.degrees(2 * np.arcsin(np.sqrt(np.clip(chord, 0, 1)))) * 3600)


def nearest(distance: FloatArray, radius: float, where: str, unit: str) -> int:
    """Index of the smallest distance.

    Raises
    ------
    ModelError
        If none is within ``radius``; the message tells the distance of the nearest.
    """
    known = np.where(np.isfinite(distance), distance, np.inf)
    if known.size == 0 or not np.isfinite(known.min()):
        raise ModelError(f"no object at {where}: there are none with a position")
    if known.min() > radius:
        raise ModelError(f"no object within {radius:g}{unit} of {where}; the nearest is {known.min():.2f}{unit} away")
    return int(known.argmin())
