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
    out = np.zeros((len(ellipses), *box.shape))
    if not ellipses:
        return out
    a, b, cos, sin = np.array([(e.a, e.b, np.cos(e.theta), np.sin(e.theta)) for e in ellipses]).T[:, :, None, None]
    near = Box((round(center[0]), round(center[1])), (1, 1)).grow(int(np.ceil(a.max())) + 2) & box
    dy, dx = _offsets(center, near)
    radius = np.sqrt(((dx * cos + dy * sin) / a) ** 2 + ((dy * cos - dx * sin) / b) ** 2)
    reach = np.sqrt(0.5) / b + 1e-9
    area = (radius < 1 - reach).astype(np.float64)
    which, rows, columns = np.nonzero(np.abs(radius - 1) <= reach)
    # Corners of those pixels, once around.
    y = dy[rows, 0][:, None] + np.array([-0.5, -0.5, 0.5, 0.5, -0.5])
    x = dx[0, columns][:, None] + np.array([-0.5, 0.5, 0.5, -0.5, -0.5])
    a, b, cos, sin = (values[which, :, 0] for values in (a, b, cos, sin))
    corners = np.stack([(x * cos + y * sin) / a, (y * cos - x * sin) / b])
    shared = _triangles(corners[:, :, :-1], corners[:, :, 1:]).sum(axis=1)
    area[which, rows, columns] = np.clip((a * b)[:, 0] * shared, 0.0, 1.0)
    out[(slice(None), *near.slices_in(box))] = area
    return out


def _offsets(center: tuple[float, float], box: Box) -> tuple[Float, Float]:
    (y0, x0), (height, width) = box.origin, box.shape
    dy, dx = np.arange(y0, y0 + height) - center[0], np.arange(x0, x0 + width) - center[1]
    return np.asarray(dy[:, None], dtype=np.float64), np.asarray(dx[None, :], dtype=np.float64)


def _triangles(start: Float, end: Float) -> Float:
    """Signed area that the unit disc shares with the triangles (0, start, end); arrays (2, ...)."""
    step = end - start
    square, along = (step**2).sum(axis=0), (start * step).sum(axis=0)
    depth = along**2 - square * ((start**2).sum(axis=0) - 1)
    root = np.sqrt(np.maximum(depth, 0.0))
    # Between these two the edge is inside the disc; one that misses it has an empty piece at its start.
    enter = np.clip((-along - root) / square, 0.0, 1.0)
    leave = np.maximum(np.clip((-along + root) / square, 0.0, 1.0), enter)
    first, last = start + enter * step, start + leave * step
    return _sector(start, first) + _cross(first, last) / 2 + _sector(last, end)


def _cross(p: Float, q: Float) -> Float:
    return np.asarray(p[0] * q[1] - p[1] * q[0])


def _sector(p: Float, q: Float) -> Float:
    """Signed area of the unit disc's sector between two directions."""
    return np.asarray(np.arctan2(_cross(p, q), (p * q).sum(axis=0)) / 2)
