"""How much of each pixel an ellipse covers, exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Float = NDArray[np.float64]

__all__ = ["Ellipse", "ellipse_weights"]


@dataclass(frozen=True, slots=True)
class Ellipse:
    """An ellipse on the sky.

    Parameters
    ----------
    a, b : float
        Semi-axes, a ≥ b > 0 [px].
    theta : float
        Angle of the long axis from +x towards +y, −π/2 … π/2 [rad].
    """

    a: float
    b: float
    theta: float

    @classmethod
    def from_moments(cls, yy: float, yx: float, xx: float) -> Ellipse:
        """Ellipse of one standard deviation along both axes of the moments [px²]."""
        mean, half = (yy + xx) / 2, math.hypot((xx - yy) / 2, yx)
        # Rounding may leave less than nothing of the short axis of a line.
        a, b = math.sqrt(max(mean + half, 0.0)), math.sqrt(max(mean - half, 0.0))
        return cls(a, b, math.atan2(2 * yx, xx - yy) / 2)

    def scaled(self, factor: float) -> Ellipse:
        """Return the ellipse with both axes ``factor`` times as long."""
        return Ellipse(self.a * factor, self.b * factor, self.theta)

    def radii(self, center: tuple[float, float], box: Box) -> Float:
        """Elliptical radius of the pixels of ``box`` (h, w), 1 on the ellipse itself."""
        dy, dx = _offsets(center, box)
        cos, sin = np.cos(self.theta), np.sin(self.theta)
        return np.asarray(np.sqrt(((dx * cos + dy * sin) / self.a) ** 2 + ((dy * cos - dx * sin) / self.b) ** 2))


def ellipse_weights(center: tuple[float, float], ellipses: Sequence[Ellipse], box: Box) -> Float:
    """Fraction of each pixel's area inside ellipses around one centre.

    In the frame in which the ellipse is the unit circle pixels are parallelograms; what they share with it is the sum
    over their edges of what the triangles of the edge and the centre share with it, signed (Green's theorem).

    Parameters
    ----------
    center : tuple of float
        ``(y, x)`` [px].
    ellipses : sequence of Ellipse (n,)
        May be larger than ``box``.
    box : Box
        Pixels that are asked for.

    Returns
    -------
    float64 array (n, h, w)
        In [0, 1].
    """
    from ._area_kernels import shared_areas  # noqa: PLC0415 - loads the compiler

    out = np.zeros((len(ellipses), *box.shape))
    if ellipses:
        (y, x), (y0, x0) = center, box.origin
        shapes = np.array([(e.a, e.b, e.theta) for e in ellipses], dtype=np.float64)
        shared_areas((float(y0 - y), float(x0 - x)), shapes, out)
    return out


def _offsets(center: tuple[float, float], box: Box) -> tuple[Float, Float]:
    (y0, x0), (height, width) = box.origin, box.shape
    dy, dx = np.arange(y0, y0 + height) - center[0], np.arange(x0, x0 + width) - center[1]
    return np.asarray(dy[:, None], dtype=np.float64), np.asarray(dx[None, :], dtype=np.float64)
