"""Kron radii and half-light radii, measured by sep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Box
from .pixels import cropped

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray
    from .ellipses import Ellipse
    from .pixels import Window

    Float = NDArray[np.float64]

__all__ = ["HalfLight", "KronRadius", "half_light_radii", "kron_radius"]

# Kron radii are taken within this many standard deviations, as Bertin & Arnouts (1996) do.
_REACH = 6.0


@dataclass(frozen=True, slots=True)
class KronRadius:
    """First-moment radius of one image.

    Parameters
    ----------
    value, error : float
        In units of the ellipse's axes; NaN where flagged.
    flag : bool
        It could not be measured.
    """

    value: float
    error: float
    flag: bool


@dataclass(frozen=True, slots=True, eq=False)
class HalfLight:
    """Radii of the circles that hold half of the light, in B bands.

    Parameters
    ----------
    radius, error : float64 array (B,)
        [px]; NaN where flagged.
    flag : bool array (B,)
        It could not be measured.
    """

    radius: Float
    error: Float
    flag: BoolArray


def kron_radius(window: Window, center: tuple[float, float], ellipse: Ellipse) -> KronRadius:
    """First-moment radius Σ r I / Σ I of the sum of all bands over an ellipse (Kron 1980, ApJS 43, 305).

    Each band is weighted with the inverse of its mean variance, so that deep bands decide.

    Parameters
    ----------
    window : Window
        B images, and their noise.
    center : tuple of float
        ``(y, x)`` [px].
    ellipse : Ellipse
        One standard deviation of the object along its axes.
    """
    import sep  # noqa: PLC0415 - a compiled library that only this needs

    mean = window.noise.mean(axis=(1, 2))
    weight = np.divide(1.0, mean, out=np.zeros_like(mean), where=mean > 0)
    weight = weight / weight.sum() if weight.any() else np.full(len(mean), 1 / len(mean))
    reach = int(np.ceil(_REACH * ellipse.a)) + 2
    window = cropped(window, Box((round(center[0]), round(center[1])), (1, 1)).grow(reach))
    image = np.ascontiguousarray(np.einsum("b,byx->yx", weight, window.flux))
    noise = np.einsum("b,byx->yx", weight**2, window.noise)
    y, x = center[0] - window.box.origin[0], center[1] - window.box.origin[1]
    radius, flag = sep.kron_radius(image, [x], [y], [ellipse.a], [ellipse.b], [ellipse.theta], _REACH)
    value = float(radius[0])
    distance = ellipse.radii(center, window.box)
    inside = distance < _REACH
    total = float(image[inside].sum())
    if not (np.isfinite(value) and value > 0 and total > 0) or flag[0] & ~sep.APER_TRUNC:
        return KronRadius(float("nan"), float("nan"), flag=True)
    # R = Σ r I / Σ I is linear in small changes of I, with the weights (r − R) / Σ I.
    error = float(np.sqrt(((distance - value)[inside] ** 2 * noise[inside]).sum())) / total
    return KronRadius(value, error, flag=False)


def half_light_radii(window: Window, center: tuple[float, float], reach: float) -> HalfLight:
    """Radii within which half of the light inside ``reach`` lies.

    Parameters
    ----------
    window : Window
        B images, and their noise.
    center : tuple of float
        ``(y, x)`` [px].
    reach : float
        Radius of the circle that counts as all [px].
    """
    import sep  # noqa: PLC0415 - a compiled library that only this needs

    count = len(window.flux)
    radius, flag = np.full(count, np.nan), np.ones(count, dtype=bool)
    if not np.isfinite(center).all():
        return HalfLight(radius, radius, flag)
    window = cropped(window, Box((round(center[0]), round(center[1])), (1, 1)).grow(int(np.ceil(reach)) + 1))
    y, x = center[0] - window.box.origin[0], center[1] - window.box.origin[1]
    for k, image in enumerate(window.flux):
        first = k if window.same is None else int(window.same[k])
        if first < k:
            # A positive factor does not matter.
            radius[k], flag[k] = radius[first], flag[first]
            continue
        if not image.any():
            continue
        found, problem = sep.flux_radius(np.ascontiguousarray(image), [x], [y], [reach], 0.5, subpix=3)
        if not problem[0] & ~sep.APER_TRUNC and 0 < found[0] < reach:
            radius[k], flag[k] = found[0], False
    error = _radius_errors(window, (y, x), radius, reach)
    return HalfLight(radius, error, flag | ~np.isfinite(error))


def _radius_errors(window: Window, center: tuple[float, float], radius: Float, reach: float) -> Float:
    """Noise of (flux within R − half of all), over the flux per pixel of radius at R."""
    height, width = window.box.shape
    distance = np.sqrt((np.arange(height)[:, None] - center[0]) ** 2 + (np.arange(width)[None, :] - center[1]) ** 2)
    offset = distance - np.where(np.isfinite(radius), radius, np.inf)[:, None, None]
    half = (offset < 0) - 0.5 * (distance < reach)
    slope = np.einsum("byx,byx->b", np.abs(offset) < 1.0, window.flux) / 2.0
    spread = np.sqrt(np.einsum("byx,byx,byx->b", half, half, window.noise))
    known = np.isfinite(radius) & (slope > 0)
    return np.where(known, spread / np.where(known, slope, 1.0), np.nan)
