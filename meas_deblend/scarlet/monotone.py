"""Monotonicity away from a peak: the angle-weighted projection, and the flood that masks rising pixels.

Melchior et al. 2018 (Astronomy and Computing 24, 129), section 3.1, introduced the constraint; here the reference value
of a pixel is the mean of all neighbours that are closer to the peak, weighted with the cosine of the angle between
their directions.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ..geometry import BoolArray, FloatArray
from ._jit import jit
from .config import MonotoneKind

__all__ = ["find_peak", "monotone_weights", "monotonic", "monotonic_mask"]

Number = np.floating[Any]
Whole = int | np.int64


@lru_cache(maxsize=8)
def monotone_weights(radius: int, dtype: str = "float64", kind: MonotoneKind = "angle") -> FloatArray:
    """Weights of the closer neighbours of a pixel at offset (u, v) from the peak, 0 ≤ v ≤ u ≤ ``radius``.

    Other offsets follow by reflection. With strictly smaller distance there are at most four neighbours, at
    (u−1, v−1), (u−1, v), (u−1, v+1) and (u, v−1); their weights sum to 1. They are |cos| of the angle between the two
    directions, as seen from the peak, whose own direction is taken as 0 ("angle"); or all the same ("flat"); or only
    the neighbour that lies most in the direction of the peak counts ("nearest").

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
    if kind == "flat":
        weights = closer.astype(float)
    elif kind == "nearest":
        # The step to (u−1, v−1) has the direction of the peak if v > u tan(π/8), else that to (u−1, v) has.
        diagonal = (v > u * (np.sqrt(2) - 1)) & (v <= u)
        weights = np.zeros_like(weights)
        weights[..., 0], weights[..., 1] = diagonal, ~diagonal & (v <= u) & (u > 0)
    total = weights.sum(axis=-1, keepdims=True)
    out: FloatArray = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0).astype(dtype)
    out.setflags(write=False)
    return out


def monotonic(
    image: FloatArray,
    center: tuple[int, int],
    *,
    fit_radius: int = 1,
    edge_damping: bool = False,
    kind: MonotoneKind = "angle",
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
    kind : {"angle", "flat", "nearest"}
        Weights of the neighbours, see `monotone_weights`.

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
    monotonic_inplace(out, (int(center[0]), int(center[1])), weights_for(out, kind), fit_radius, edge_damping)
    return out


def weights_for(image: FloatArray, kind: MonotoneKind = "angle") -> FloatArray:
    """Weights large enough for any peak in ``image``; the radius is a power of two, so that few tables are made."""
    return monotone_weights(1 << max(image.shape).bit_length(), image.dtype.str, kind)


@jit
def find_peak(image: FloatArray, center: tuple[int, int], radius: Whole) -> tuple[Whole, Whole]:
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
    image: FloatArray, center: tuple[int, int], weights: FloatArray, fit_radius: Whole, edge_damping: bool | np.bool_
) -> None:
    """`monotonic`, in place, sweeping square rings: a closer neighbour never lies on a larger ring.

    Within a ring the sweep goes from the axes to the corners, so that every neighbour is final when it is read. The
    image must be contiguous.
    """
    ny, nx = image.shape
    cy, cx = find_peak(image, center, fit_radius)
    # A step that is written as a number is a type of its own to the compiler: this one is not.
    flat, peak, one = image.ravel(), cy * nx + cx, np.int64(1)
    whole = min(cy, ny - 1 - cy, cx, nx - 1 - cx)
    for u in range(1, whole + 1):
        _lower_ring(flat, peak, nx, weights[u], u)
    for u in range(whole + 1, max(cy, ny - 1 - cy, cx, nx - 1 - cx) + 1):
        room = (cy, ny - 1 - cy)
        if u <= cx:
            _lower_side(flat, peak - u, (-one, nx), room, weights[u], u - 1, edge_damping)
        if u <= nx - 1 - cx:
            _lower_side(flat, peak + u, (one, nx), room, weights[u], u - 1, edge_damping)
        # Corners belong to the rows above and below the peak, and read the columns' ends.
        room = (cx, nx - 1 - cx)
        if u <= cy:
            _lower_side(flat, peak - u * nx, (-nx, one), room, weights[u], u, edge_damping)
        if u <= ny - 1 - cy:
            _lower_side(flat, peak + u * nx, (nx, one), room, weights[u], u, edge_damping)


@jit
def _lower(  # noqa: PLR0917 -- compiled, and called for every pixel
    image: FloatArray, pixel: Whole, out: Whole, along: Whole, weights: FloatArray, before: Number
) -> Number:
    """Lower one pixel, whose four neighbours exist, and return its value.

    ``out`` and ``along`` lead one pixel away from the peak, across and along the side of the ring; ``before`` is the
    value of the neighbour on the same side.
    """
    inner = pixel - out
    mean = weights[1] * image[inner] + weights[0] * image[inner - along] + weights[2] * image[inner + along]
    mean += weights[3] * before
    value: Number = min(image[pixel], mean)
    image[pixel] = value
    return value


@jit
def _lower_ring(image: FloatArray, peak: int, nx: int, weights: FloatArray, u: int) -> None:
    """Lower a ring that lies inside the image: its eight half sides side by side, which keeps the processor busy."""
    top, bottom, left, right = peak - u * nx, peak + u * nx, peak - u, peak + u
    middle, zero, one = weights[0], image.dtype.type(0), np.int64(1)
    a = b = _lower(image, top, -nx, one, middle, zero)
    c = d = _lower(image, bottom, nx, one, middle, zero)
    e = f = _lower(image, left, -one, nx, middle, zero)
    g = h = _lower(image, right, one, nx, middle, zero)
    for v in range(1, u):
        w, down = weights[v], v * nx
        a = _lower(image, top - v, -nx, -one, w, a)
        b = _lower(image, top + v, -nx, one, w, b)
        c = _lower(image, bottom - v, nx, -one, w, c)
        d = _lower(image, bottom + v, nx, one, w, d)
        e = _lower(image, left - down, -one, -nx, w, e)
        f = _lower(image, left + down, -one, nx, w, f)
        g = _lower(image, right - down, one, -nx, w, g)
        h = _lower(image, right + down, one, nx, w, h)
    # The corners: their weights are symmetric, and the missing neighbour has none.
    w = weights[u]
    for corner, out, along in ((top - u, -nx, -1), (top + u, -nx, 1), (bottom - u, nx, -1), (bottom + u, nx, 1)):
        mean = w[1] * image[corner - out] + w[0] * image[corner - out - along] + w[3] * image[corner - along]
        image[corner] = min(image[corner], mean)


@jit
def _lower_side(  # noqa: PLR0917 -- compiled
    image: FloatArray,
    middle: Whole,
    steps: tuple[Whole, Whole],
    rooms: tuple[Whole, Whole],
    weights: FloatArray,
    last: int,
    edge_damping: bool | np.bool_,
) -> None:
    """Lower one side of a ring, out to ``last`` pixels from its ``middle``, as far as there is ``room`` either way.

    ``steps`` lead one pixel away from the peak, and one pixel along the side.
    """
    out, along = steps
    total, norm = weights[0, 1] * image[middle - out], weights[0, 1]
    for turn in (-1, 1):
        if rooms[(turn + 1) // 2] > 0:
            total += weights[0, 0] * image[middle - out + turn * along]
            norm += weights[0, 0]
    if not edge_damping and norm > 0:
        total /= norm
    image[middle] = min(image[middle], total)
    for turn in (-1, 1):
        room, step = rooms[(turn + 1) // 2], turn * along
        value = image[middle]
        for v in range(1, min(last, room - 1) + 1):
            value = _lower(image, middle + v * step, out, step, weights[v], value)
        if room <= last and room > 0:
            # At the image's edge one neighbour is missing.
            pixel, w = middle + room * step, weights[room]
            total = w[1] * image[pixel - out] + w[0] * image[pixel - out - step] + w[3] * value
            if not edge_damping:
                total /= w[1] + w[0] + w[3]
            image[pixel] = min(image[pixel], total)


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
