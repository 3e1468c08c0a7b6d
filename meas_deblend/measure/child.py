"""All measurements of one object."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Box
from .flags import FlagReason, add_reason
from .fluxes import Fluxes, draw_psfs, measure_fluxes
from .moments import adaptive_moments, gaussian_centroid
from .pixels import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..geometry import BoolArray, IntArray
    from ..image import Psf
    from .config import MeasureConfig
    from .moments import GaussianFit
    from .pixels import ObjectPixels

    Float = NDArray[np.float64]

__all__ = [
    "CentroidSet",
    "Measurement",
    "ShapeSet",
    "centroid_set",
    "flux_position",
    "joint_centroid",
    "measure_child",
    "psf_shape",
    "shape_set",
]


@dataclass(frozen=True, slots=True, eq=False)
class CentroidSet:
    """Centroids of one object in B bands.

    Parameters
    ----------
    y, x : float64 array (B,)
        Position [px]; where it was started, with a reason, if it could not be measured.
    y_error, x_error : float64 array (B,)
        Standard deviations [px]; NaN, with a reason, where they could not be measured.
    reasons : int array (B,)
        `FlagReason`s.
    """

    y: NDArray[np.float64]
    x: NDArray[np.float64]
    y_error: NDArray[np.float64]
    x_error: NDArray[np.float64]
    reasons: IntArray

    @property
    def flag(self) -> BoolArray:
        """True (B,) where the centroid is not to be trusted."""
        return np.asarray(self.reasons != 0)


@dataclass(frozen=True, slots=True, eq=False)
class ShapeSet:
    """Adaptive second moments of one object in B bands, PSF included.

    Parameters
    ----------
    moments : float64 array (B, 3)
        Iyy, Iyx, Ixx [px²]; NaN, with a reason, where they could not be measured.
    errors : float64 array (B, 3)
        Their standard deviations [px²]; NaN likewise.
    reasons : int array (B,)
        `FlagReason`s.
    """

    moments: NDArray[np.float64]
    errors: NDArray[np.float64]
    reasons: IntArray

    @property
    def flag(self) -> BoolArray:
        """True (B,) where the moments are not to be trusted."""
        return np.asarray(self.reasons != 0)


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """All that is measured of one object in B bands.

    Parameters
    ----------
    fluxes : Fluxes
        PSF flux and aperture fluxes, and where they were measured.
    centroid : CentroidSet
        Centroid in each band.
    joint_centroid : CentroidSet
        Mean over the bands with trusted centroids, in arrays of one element; flagged where there is none.
    shape, psf_shape : ShapeSet
        Moments of the object and of its PSF.
    masked_fraction : float64 array (B,)
        Part of its pixels that is not usable; NaN if it has no pixels.
    """

    fluxes: Fluxes
    centroid: CentroidSet
    joint_centroid: CentroidSet
    shape: ShapeSet
    psf_shape: ShapeSet
    masked_fraction: NDArray[np.float64]


def measure_child(
    pixels: ObjectPixels, psfs: Sequence[Psf | None], center: tuple[float, float], config: MeasureConfig
) -> Measurement:
    """Measure one object in every band.

    Centroids and moments are measured per band, from ``center``. Fluxes are measured at one position in all
    bands, so that colours compare the same place: at the mean of the bands' trusted centroids, weighted with their
    inverse variances, or at ``center`` where that is less certain than `MeasureConfig.max_position_error`.

    Parameters
    ----------
    pixels : ObjectPixels
        The object's re-apportioned pixels, or the image's own (`image_pixels`); B bands.
    psfs : sequence of Psf or None (B,)
        One per band.
    center : tuple of float
        Where the object is said to be, ``(y, x)`` [px].
    config : MeasureConfig
        Options.

    Returns
    -------
    Measurement
        Trouble on the sky never raises: each number that could not be measured is flagged with its reasons.

    Raises
    ------
    ValueError
        If there is not one PSF, or None, per band.
    """
    if len(psfs) != len(pixels.flux):
        raise ValueError(f"{len(psfs)} PSFs for {len(pixels.flux)} bands: give one PSF or None per band")
    # Values near the largest float may overflow; what comes of it is flagged.
    with np.errstate(over="ignore", invalid="ignore"):
        return _measure(pixels, psfs, center, config)


def _measure(
    pixels: ObjectPixels, psfs: Sequence[Psf | None], center: tuple[float, float], config: MeasureConfig
) -> Measurement:
    psf_moments = psf_shape(psfs, center, config)
    sigma = np.sqrt((psf_moments.moments[:, 0] + psf_moments.moments[:, 2]) / 2)
    sigma = np.where(psf_moments.flag, config.fallback_sigma, sigma)
    weight = config.weight_scale * sigma
    core = pixels.window(_core_box(center, float(weight.max()), config))
    centroid = centroid_set(gaussian_centroid(core, center, weight, config), center)
    joint = joint_centroid(centroid, center)
    whole = pixels.window(_whole_box(pixels, core.box, config))
    return Measurement(
        fluxes=measure_fluxes(pixels, psfs, flux_position(joint, center, config), config),
        centroid=centroid,
        joint_centroid=joint,
        shape=shape_set(adaptive_moments(whole, center, sigma, config)),
        psf_shape=psf_moments,
        masked_fraction=pixels.masked_fraction,
    )


def _core_box(center: tuple[float, float], sigma: float, config: MeasureConfig) -> Box:
    """Pixels under the weight of the centroid, wherever that may go."""
    if not np.isfinite(center).all():
        return Box((0, 0), (1, 1))
    # At 5 σ the weight is 4e-6.
    reach = int(np.ceil(5 * sigma + config.max_shift))
    return Box((round(center[0]), round(center[1])), (1, 1)).grow(reach)


def _whole_box(pixels: ObjectPixels, core: Box, config: MeasureConfig) -> Box:
    """Pixels that moments look at: all of the object's around ``core``'s middle, within the window's radius."""
    (y, x), (y0, x0), (y1, x1) = (round(c) for c in core.center), pixels.box.origin, pixels.box.stop
    reach = max(abs(y - y0), abs(y1 - 1 - y), abs(x - x0), abs(x1 - 1 - x), core.shape[0] // 2)
    return Box((y, x), (1, 1)).grow(min(reach, config.window_radius))


def joint_centroid(centroid: CentroidSet, center: tuple[float, float]) -> CentroidSet:
    """Mean of the bands' trusted centroids, weighted with their inverse variances; in arrays of one element."""
    good = ~centroid.flag & (centroid.y_error > 0) & (centroid.x_error > 0)
    if not good.any():
        start, unknown = np.array(center, dtype=np.float64), np.array([np.nan])
        common = int(np.bitwise_or.reduce(centroid.reasons)) or int(FlagReason.NO_FLUX)
        return CentroidSet(start[:1], start[1:], unknown, unknown, np.array([common]))
    y, y_error = _weighted_mean(centroid.y[good], centroid.y_error[good])
    x, x_error = _weighted_mean(centroid.x[good], centroid.x_error[good])
    return CentroidSet(y, x, y_error, x_error, np.zeros(1, dtype=np.int64))


def _weighted_mean(values: NDArray[np.float64], errors: NDArray[np.float64]) -> tuple[Float, Float]:
    """Mean with inverse variances as weights, and its error, in arrays of one element."""
    # In units of the smallest error, since the inverse square of a tiny one overflows.
    unit = errors.min()
    weights = (unit / errors) ** 2
    total = weights.sum(keepdims=True)
    return (values * weights).sum(keepdims=True) / total, unit / np.sqrt(total)


def flux_position(joint: CentroidSet, center: tuple[float, float], config: MeasureConfig) -> tuple[float, float]:
    """Return where fluxes are measured: at the joint centroid if it is wanted and certain enough, else ``center``."""
    good = config.position == "centroid" and not joint.flag[0]
    if good and max(joint.y_error[0], joint.x_error[0]) <= config.max_position_error:
        return float(joint.y[0]), float(joint.x[0])
    return center


def psf_shape(psfs: Sequence[Psf | None], center: tuple[float, float], config: MeasureConfig) -> ShapeSet:
    """Moments of PSFs, drawn at a position (y, x) [px]."""
    drawn = draw_psfs(psfs, center)
    stamp, box = drawn.cube, drawn.box
    if box.is_empty:
        nothing = np.full((len(psfs), 3), np.nan)
        return ShapeSet(nothing, nothing, np.full(len(psfs), int(FlagReason.NO_PSF)))
    everywhere = np.broadcast_to(drawn.usable[:, None, None], stamp.shape)
    window = Window(box, stamp, np.zeros_like(stamp), everywhere, np.ones(box.shape, dtype=bool))
    fit = adaptive_moments(window, center, np.full(len(psfs), config.fallback_sigma), config)
    return shape_set(replace(fit, reasons=np.where(drawn.usable, fit.reasons, int(FlagReason.NO_PSF))))


def centroid_set(fit: GaussianFit, start: tuple[float, float]) -> CentroidSet:
    """Centroids of N images, where they were started if the fit failed."""
    variance = np.diagonal(fit.covariance, axis1=1, axis2=2)[:, :2]
    reasons, failed = _settle(fit.reasons, np.concatenate([fit.center, variance], axis=1))
    y, x = np.where(failed, start[0], fit.center[:, 0]), np.where(failed, start[1], fit.center[:, 1])
    error = np.sqrt(np.where(failed[:, None], np.nan, variance))
    return CentroidSet(y, x, error[:, 0], error[:, 1], reasons)


def shape_set(fit: GaussianFit) -> ShapeSet:
    """Moments of N images, NaN where the fit failed."""
    variance = np.diagonal(fit.covariance, axis1=1, axis2=2)[:, 2:]
    reasons, failed = _settle(fit.reasons, np.concatenate([fit.moments, variance], axis=1))
    moments = np.where(failed[:, None], np.nan, fit.moments)
    error = np.sqrt(np.where(failed[:, None], np.nan, variance))
    return ShapeSet(moments, error, reasons)


def _settle(reasons: IntArray, values: NDArray[np.float64]) -> tuple[IntArray, BoolArray]:
    """Say which fits have failed (N,), those with ``values`` (N, …) that are not finite included."""
    # A fit that lost some of its light has a result, though not one to trust.
    failed = (reasons & int(~(FlagReason.EDGE | FlagReason.MASKED))) != 0
    broken = ~np.isfinite(values).all(axis=1)
    return add_reason(reasons, broken & ~failed, FlagReason.NON_FINITE), failed | broken
