"""Kron radii and half-light radii."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Box
from .pixels import cropped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..geometry import BoolArray
    from .ellipses import Ellipse
    from .noise import NoiseCorrelation
    from .pixels import Window

    Float = NDArray[np.float64]

__all__ = ["REACH", "HalfLight", "KronRadius", "half_light_radii", "kron_radius", "stack_weights", "with_correlation"]

REACH = 6.0
"""Kron radii are taken within this many standard deviations, as Bertin & Arnouts (1996) do."""

# Half-light radii [px] change by as much from one place in a pixel to the next, since pixels are divided in 3×3.
_DIVISION = 0.005


@dataclass(frozen=True, slots=True)
class KronRadius:
    """First-moment radius of one image.

    Parameters
    ----------
    value, error : float
        In units of the ellipse's axes; NaN where flagged.
    flag : bool
        It could not be measured.
    total : float
        Light of the weighted sum of all bands that it was measured on; NaN where flagged.
    """

    value: float
    error: float
    flag: bool
    total: float = float("nan")


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


def kron_radius(
    window: Window, center: tuple[float, float], ellipse: Ellipse, noise: NoiseCorrelation | None = None
) -> KronRadius:
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
    noise : NoiseCorrelation, optional
        Of the bands' noise; default: white.
    """
    from ._radius_kernels import first_moment  # noqa: PLC0415 - loads the compiler

    weight = stack_weights(window)
    shape = (ellipse.a, ellipse.b, ellipse.theta, REACH)
    value, total, variance = first_moment(window.flux, window.noise, weight, _offset(window, center), shape)
    if not (np.isfinite(value) and value > 0 and total > 0):
        return KronRadius(float("nan"), float("nan"), flag=True)
    found = KronRadius(value, math.sqrt(variance) / total, flag=False, total=float(total))
    return found if noise is None else with_correlation(found, window, center, ellipse, noise)


def with_correlation(
    found: KronRadius, window: Window, center: tuple[float, float], ellipse: Ellipse, noise: NoiseCorrelation
) -> KronRadius:
    """Return a Kron radius with the error that correlated noise gives it; as it is for white noise."""
    from ._influence_kernels import radius_influence  # noqa: PLC0415 - loads the compiler

    if found.flag or not noise.lags:
        return found
    shape, (value, total) = (ellipse.a, ellipse.b, ellipse.theta, REACH), (found.value, found.total)
    # R = Σ r I / Σ I is linear in small changes of I, with the weights (r − R) / Σ I.
    near = cropped(window, Box((round(center[0]), round(center[1])), (1, 1)).grow(math.ceil(REACH * ellipse.a) + 1))
    change = np.empty(near.noise.shape)
    radius_influence(stack_weights(window), _offset(near, center), shape, (value, total), change)
    variance = (value * total / 2) ** 2 * float(noise.variance(change * np.sqrt(near.noise)).sum())
    return replace(found, error=math.sqrt(variance) / total)


def stack_weights(window: Window) -> Float:
    """Weights (B,) of the bands in the sum that Kron radii are measured on: inverse mean variances; their sum is 1."""
    mean = window.noise.reshape(len(window.noise), -1).mean(axis=1)
    weight = np.divide(1.0, mean, out=np.zeros_like(mean), where=mean > 0)
    return weight / weight.sum() if weight.any() else np.full(len(mean), 1 / len(mean))


def half_light_radii(
    window: Window, center: tuple[float, float], reach: float | Sequence[float], noise: NoiseCorrelation | None = None
) -> HalfLight:
    """Radii within which half of the light inside ``reach`` lies.

    Parameters
    ----------
    window : Window
        N images: B bands of G flavours.
    center : tuple of float
        ``(y, x)`` [px].
    reach : float or sequence of float (G,)
        Radius of the circle that counts as all, of each flavour [px].
    noise : NoiseCorrelation, optional
        Of the bands' noise; default: white.
    """
    from ._radius_kernels import half_light  # noqa: PLC0415 - loads the compiler

    count = len(window.flux)
    if not np.isfinite(center).all():
        nothing = np.full(count, np.nan)
        return HalfLight(nothing, nothing, np.ones(count, dtype=bool))
    reaches = np.atleast_1d(np.asarray(reach, dtype=np.float64))
    middle = round(center[0]) - window.box.origin[0], round(center[1]) - window.box.origin[1]
    # A positive factor does not matter.
    lead = np.arange(count) if window.same is None else window.same
    flux, spread = np.ascontiguousarray(window.flux), np.ascontiguousarray(window.noise)
    radius, light, variance = half_light((flux, spread), (_offset(window, center), middle), reaches, lead)
    if noise is not None and noise.lags:
        for part, one, limit in zip(
            np.split(variance, len(reaches)), np.split(radius, len(reaches)), reaches, strict=True
        ):
            near = cropped(window, Box((round(center[0]), round(center[1])), (1, 1)).grow(math.ceil(limit) + 1))
            part[:] = noise.variance(_half_weights(near, _offset(near, center), one, limit) * np.sqrt(near.noise))
    # Noise of (flux within R − half of all), over the flux per pixel of radius at R.
    slope = light / 2.0
    known = np.isfinite(radius) & (slope > 0)
    error = np.where(known, np.hypot(np.sqrt(variance) / np.where(known, slope, 1.0), _DIVISION), np.nan)
    return HalfLight(radius, error, ~np.isfinite(error))


def _half_weights(window: Window, offset: tuple[float, float], radius: Float, reach: float) -> Float:
    """½ within each radius, −½ from there to ``reach`` (B, h, w); without a radius −½ everywhere."""
    (height, width), (y, x) = window.box.shape, offset
    distance = np.hypot(np.arange(height)[:, None] + y, np.arange(width)[None, :] + x)
    inner = distance < np.where(np.isfinite(radius), radius, -1.0)[:, None, None]
    return np.asarray(inner - 0.5 * (distance < reach))


def _offset(window: Window, center: tuple[float, float]) -> tuple[float, float]:
    """Where the window's first pixel lies, as seen from the centre."""
    return float(window.box.origin[0] - center[0]), float(window.box.origin[1] - center[1])
