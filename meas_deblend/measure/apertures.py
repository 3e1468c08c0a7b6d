"""How much of each pixel a circle covers, exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Box, Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import FloatArray

__all__ = ["aperture_weights"]


def aperture_weights(center: tuple[float, float], radius: float) -> Image:
    """Fraction of each pixel's area inside a circle.

    A flux needs Σ area · D and its error Σ area² · V, so the areas themselves are wanted. They are exact: the
    circle's area left of and below each pixel corner has a closed form, and differences of it are the pixels'.

    Parameters
    ----------
    center : tuple of float
        ``(y, x)`` [px].
    radius : float
        Radius of the circle, above 0 [px].

    Returns
    -------
    Image
        Areas in [0, 1] (h, w), on the box that holds the circle.
    """
    y0, x0 = (int(np.floor(c - radius + 0.5)) for c in center)
    y1, x1 = (int(np.ceil(c + radius + 0.5)) for c in center)
    box = Box.from_bounds(y0, y1, x0, x1)
    # Corners lie half a pixel from the pixel centres, which are on integers.
    y = (np.arange(y0, y1 + 1) - 0.5 - center[0]) / radius
    x = (np.arange(x0, x1 + 1) - 0.5 - center[1]) / radius
    corner = _area_below_left(y[:, None], x[None, :])
    area = radius**2 * np.diff(np.diff(corner, axis=0), axis=1)
    return Image(np.clip(area, 0.0, 1.0), box)


def _area_below_left(y: FloatArray, x: FloatArray) -> NDArray[np.float64]:
    """Area of the unit disc with ordinates below ``y`` and abscissae below ``x`` (broadcast together).

    By symmetry the area is π/4 + (half strips up to x and up to y) + the signed corner (0, 0) … (x, y).
    """
    y, x = np.clip(y, -1.0, 1.0), np.clip(x, -1.0, 1.0)
    return np.asarray(np.pi / 4 + _half_strip(x) + _half_strip(y) + np.sign(x) * np.sign(y) * _corner(abs(y), abs(x)))


def _half_strip(x: FloatArray) -> NDArray[np.float64]:
    """Area of the upper half of the unit disc between 0 and ``x`` in [−1, 1], signed: ∫ √(1 − t²) dt."""
    return np.asarray((x * np.sqrt(1 - x**2) + np.arcsin(x)) / 2)


def _corner(y: FloatArray, x: FloatArray) -> NDArray[np.float64]:
    """Area that the unit disc and the rectangle (0, 0) … (``y``, ``x``) share; both in [0, 1]."""
    inside = y**2 + x**2 <= 1
    crossing = np.sqrt(1 - y**2)
    # Left of the abscissa where the arc meets the rectangle's upper side the rectangle ends first, then the arc.
    arc = y * crossing + _half_strip(np.maximum(x, crossing)) - _half_strip(crossing)
    return np.where(inside, y * x, arc)
