"""Compiled areas that pixels share with ellipses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..scarlet._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float = NDArray[np.float64]

__all__ = ["shared_areas"]


@jit
def shared_areas(offset: tuple[float, float], ellipses: Float, out: Float) -> None:
    """Fraction of each pixel's area inside ellipses around one centre; the formula stands in `ellipse_weights`.

    Parameters
    ----------
    offset : tuple of float
        ``(y, x)`` of the first pixel from the centre [px].
    ellipses : float64 array (n, 3)
        Semi-axes a ≥ b > 0 [px], and the angle of the long axis from +x towards +y [rad].
    out : float64 array (n, h, w)
        Zeros; is filled.
    """
    height, width = out.shape[1:]
    for n in range(len(ellipses)):
        a, b, theta = ellipses[n]
        cos, sin = np.cos(theta), np.sin(theta)
        # No pixel farther from the ellipse's box than half its diagonal has a part in it.
        tall, wide = np.hypot(a * sin, b * cos) + 1.0, np.hypot(a * cos, b * sin) + 1.0
        reach = np.sqrt(0.5) / b + 1e-9
        first_y, stop_y = _span(offset[0], tall, height)
        first_x, stop_x = _span(offset[1], wide, width)
        for row in range(first_y, stop_y):
            y = row + offset[0]
            for column in range(first_x, stop_x):
                x = column + offset[1]
                radius = np.hypot((x * cos + y * sin) / a, (y * cos - x * sin) / b)
                if radius < 1 - reach:
                    out[n, row, column] = 1.0
                elif radius <= 1 + reach:
                    area = a * b * _pixel(y, x, (cos / a, sin / a, -sin / b, cos / b))
                    out[n, row, column] = min(max(area, 0.0), 1.0)


@jit
def _span(first: float, reach: float, count: int) -> tuple[int, int]:
    """Which of ``count`` places, one apart from ``first`` on, lie within ``reach`` of 0."""
    return max(int(np.ceil(-reach - first)), 0), min(int(np.floor(reach - first)) + 1, count)


@jit
def _pixel(y: float, x: float, frame: tuple[float, float, float, float]) -> float:
    """Area that the unit disc shares with a pixel around (y, x), in the frame where the ellipse is that disc."""
    along_x, along_y, across_x, across_y = frame
    total = 0.0
    # Corners, once around.
    py, px = y - 0.5, x - 0.5
    start_u, start_v = px * along_x + py * along_y, px * across_x + py * across_y
    for corner in range(4):
        py, px = y + (0.5 if corner in (1, 2) else -0.5), x + (0.5 if corner in (0, 1) else -0.5)
        end_u, end_v = px * along_x + py * along_y, px * across_x + py * across_y
        total += _triangle(start_u, start_v, end_u, end_v)
        start_u, start_v = end_u, end_v
    return total


@jit
def _triangle(start_u: float, start_v: float, end_u: float, end_v: float) -> float:
    """Signed area that the unit disc shares with the triangle of the origin and an edge."""
    step_u, step_v = end_u - start_u, end_v - start_v
    square, along = step_u**2 + step_v**2, start_u * step_u + start_v * step_v
    depth = along**2 - square * (start_u**2 + start_v**2 - 1)
    root = np.sqrt(depth) if depth > 0 else 0.0
    # Between these two the edge is inside the disc; one that misses it has no such piece.
    enter = min(max((-along - root) / square, 0.0), 1.0)
    leave = max(min(max((-along + root) / square, 0.0), 1.0), enter)
    if leave == enter:
        return _sector(start_u, start_v, end_u, end_v)
    first_u, first_v = start_u + enter * step_u, start_v + enter * step_v
    last_u, last_v = start_u + leave * step_u, start_v + leave * step_v
    area = (first_u * last_v - first_v * last_u) / 2
    if enter > 0:
        area += _sector(start_u, start_v, first_u, first_v)
    if leave < 1:
        area += _sector(last_u, last_v, end_u, end_v)
    return area


@jit
def _sector(u: float, v: float, other_u: float, other_v: float) -> float:
    """Signed area of the unit disc's sector between two directions."""
    return float(np.arctan2(u * other_v - v * other_u, u * other_u + v * other_v) / 2)
