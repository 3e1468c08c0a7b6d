"""The row nearest to a position."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import ModelError

if TYPE_CHECKING:
    from ..geometry import FloatArray

__all__ = ["nearest", "nearest_on_sky"]


def _separations(position: tuple[float, float], others: tuple[FloatArray, FloatArray]) -> FloatArray:
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


def nearest_on_sky(objects: Any, position: tuple[float, float], radius: float) -> int:
    """Return the identifier of the object nearest to a position on the sky.

    Parameters
    ----------
    objects : astropy.table.Table
        With the columns objectId, coord_ra and coord_dec.
    position : tuple of float
        (ra, dec), ICRS, degrees.
    radius : float
        Largest distance, arcseconds.

    Raises
    ------
    ModelError
        If there is no object within the radius; the message tells the distance of the nearest.
    """
    ra, dec = position
    distance = _separations(position, (np.asarray(objects["coord_ra"]), np.asarray(objects["coord_dec"])))
    row = nearest(distance, radius, f"(ra, dec) = ({ra:.6f}, {dec:.6f})", '"')
    return int(objects["objectId"][row])
