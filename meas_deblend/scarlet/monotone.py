"""Monotonicity away from a peak: the angle-weighted projection, and the flood that masks rising pixels.

Melchior et al. 2018 (Astronomy and Computing 24, 129), section 3.1, introduced the constraint; here the reference value
of a pixel is the mean of all neighbours that are closer to the peak, weighted with the cosine of the angle between
their directions.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..geometry import BoolArray, FloatArray
from ._jit import jit

__all__ = ["find_peak", "monotone_weights", "monotonic", "monotonic_mask"]


@lru_cache(maxsize=8)
def monotone_weights(radius: int, dtype: str = "float64") -> FloatArray:
    """Weights of the closer neighbours of a pixel at offset (u, v) from the peak, 0 ≤ v ≤ u ≤ ``radius``.

    Other offsets follow by reflection. With strictly smaller distance there are at most four neighbours, at
    (u−1, v−1), (u−1, v), (u−1, v+1) and (u, v−1); their weights are |cos| of the angle between the two directions, and
    sum to 1. The peak's own direction is taken as 0.

    Returns
    -------
    array (radius + 1, radius + 1, 4)
        In the order above; 0 for neighbours that are not closer, and for v > u.
    """
    u, v = np.meshgrid(np.arange(radius + 1), np.arange(radius + 1), indexing="ij")
    steps = np.array([(-1, -1), (-1, 0), (-1, 1), (0, -1)])
    qu, qv = u[..., None] + steps[:, 0], v[..., None] + steps[:, 1]
    r2, q2 = (u * u + v * v)[..., None], qu * qu + qv * qv
    closer = (q2 < r2) & (v <= u)[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = np.abs(u[..., None] * qu + v[..., None] * qv) / np.sqrt(r2 * q2)
    # Only (1, 0) and (1, 1) have the peak among their neighbours: all of theirs weigh the same.
    weights = np.where(closer, np.where(q2 > 0, cosine, np.sqrt(0.5)), 0)
    total = weights.sum(axis=-1, keepdims=True)
    out: FloatArray = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0).astype(dtype)
    out.setflags(write=False)
    return out


def monotonic(
    image: FloatArray, center: tuple[int, int], *, fit_radius: int = 1, edge_damping: bool = False
) -> FloatArray:
    """Lower every pixel of ``image`` (y, x) to the mean of its neighbours closer to the peak, from the inside outwards.

    Parameters
    ----------
    image : array (y, x)
    center : tuple of int
        Pixel ``(y, x)`` inside the image.
    fit_radius : int
        The peak is the brightest pixel within so many rows and columns of ``center``.
    edge_damping : bool
        True: neighbours outside the image count as 0. False: they are left out of the mean.

    Returns
    -------
    array (y, x)
        Nowhere above ``image``; idempotent for a fixed peak.

    Raises
    ------
    ValueError
        If ``center`` is not a pixel of a 2-D ``image``.
    """
    if image.ndim != 2 or not (0 <= center[0] < image.shape[0] and 0 <= center[1] < image.shape[1]):
        raise ValueError(f"center {center} is not a pixel of an image of shape {image.shape}, expected (y, x) inside")
    out = np.array(image, order="C")
    monotonic_inplace(out, (int(center[0]), int(center[1])), weights_for(out), fit_radius, edge_damping)
    return out


def weights_for(image: FloatArray) -> FloatArray:
    """Weights large enough for any peak in ``image``; the radius is a power of two, so that few tables are made."""
    return monotone_weights(1 << max(image.shape).bit_length(), image.dtype.name)


@jit
def find_peak(image: FloatArray, center: tuple[int, int], radius: int) -> tuple[int, int]:
    """First brightest pixel, in raster order, within ``radius`` rows and columns of ``center``."""
    ny, nx = image.shape
    peak_y, peak_x = center
    first = True
    for y in range(max(center[0] - radius, 0), min(center[0] + radius + 1, ny)):
        for x in range(max(center[1] - radius, 0), min(center[1] + radius + 1, nx)):
            if first or image[y, x] > image[peak_y, peak_x]:
                peak_y, peak_x, first = y, x, False
    return peak_y, peak_x


@jit
def monotonic_inplace(
    image: FloatArray, center: tuple[int, int], weights: FloatArray, fit_radius: int, edge_damping: bool
) -> None:
    """`monotonic`, in place, sweeping square rings: a closer neighbour never lies on a larger ring.

    Within a ring the sweep goes from the axes to the corners, so that every neighbour is final when it is read.
    """
    ny, nx = image.shape
    cy, cx = find_peak(image, center, fit_radius)
    for u in range(1, max(cy, ny - 1 - cy, cx, nx - 1 - cx) + 1):
        for sign in (-1, 1):
            x = cx + sign * u
            if 0 <= x < nx:
                _lower_side(image[:, x], image[:, x - sign], cy, weights[u], u - 1, edge_damping)
        # Corners belong to the rows above and below the peak, and read the columns' ends.
        for sign in (-1, 1):
            y = cy + sign * u
            if 0 <= y < ny:
                _lower_side(image[y], image[y - sign], cx, weights[u], u, edge_damping)


@jit
def _lower_side(  # noqa: PLR0917 -- a compiled loop, called with plain arrays and numbers
    line: FloatArray, inner: FloatArray, middle: int, weights: FloatArray, last: int, edge_damping: bool
) -> None:
    """Lower one side of a ring, out to ``last`` pixels from its middle, to the means of closer neighbours.

    ``inner`` is the line next to it on the side of the peak.
    """
    n = len(line)
    total, norm = weights[0, 1] * inner[middle], weights[0, 1]
    for turn in (-1, 1):
        if 0 <= middle + turn < n:
            total += weights[0, 0] * inner[middle + turn]
            norm += weights[0, 0]
    if not edge_damping and norm > 0:
        total /= norm
    line[middle] = min(line[middle], total)
    for turn in (-1, 1):
        room = n - 1 - middle if turn > 0 else middle
        for v in range(1, min(last, room) + 1):
            i = middle + turn * v
            w0, w1, w2, w3 = weights[v, 0], weights[v, 1], weights[v, 2], weights[v, 3]
            total = w1 * inner[i] + w0 * inner[i - turn] + w3 * line[i - turn]
            norm = w1 + w0 + w3
            if v < room:
                total += w2 * inner[i + turn]
                norm += w2
            if not edge_damping:
                total /= norm
            line[i] = min(line[i], total)


@jit
def monotonic_mask(image: FloatArray, center: tuple[int, int], fit_radius: int) -> BoolArray:
    """Pixels (y, x) that are reached from the peak by steps up, down, left or right that never rise and stay above 0.

    The peak is the brightest pixel within ``fit_radius`` rows and columns of ``center``, and is always a member.
    """
    ny, nx = image.shape
    valid = np.zeros((ny, nx), dtype=np.bool_)
    stack = np.empty((ny * nx, 2), dtype=np.int64)
    y, x = find_peak(image, center, fit_radius)
    valid[y, x] = True
    stack[0, 0], stack[0, 1] = y, x
    size = 1
    while size > 0:
        size -= 1
        y, x = stack[size]
        for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            j, i = y + dy, x + dx
            if 0 <= j < ny and 0 <= i < nx and not valid[j, i] and 0 < image[j, i] <= image[y, x]:
                valid[j, i] = True
                stack[size, 0], stack[size, 1] = j, i
                size += 1
    return valid
