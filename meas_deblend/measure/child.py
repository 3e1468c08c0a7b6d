"""Centroids and moments of one object in all bands, and where its fluxes are measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .flags import FlagReason, add_reason
from .fluxes import draw_psfs
from .moments import adaptive_moments
from .pixels import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..geometry import BoolArray, IntArray
    from ..image import Psf
    from .config import MeasureConfig
    from .moments import GaussianFit

    Float = NDArray[np.float64]

__all__ = [
    "CentroidSet",
    "ShapeSet",
    "centroid_set",
    "flux_position",
    "joint_centroid",
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
    covariance : float64 array (B, 3, 3)
        Of their errors [px⁴]; NaN likewise.
    reasons : int array (B,)
        `FlagReason`s.
    center : float64 array (B, 2), optional
        ``(y, x)`` about which they are taken, which was fitted with them [px]; PSFs have none.
    """

    moments: NDArray[np.float64]
    covariance: NDArray[np.float64]
    reasons: IntArray
    center: NDArray[np.float64] | None = None

    @property
    def errors(self) -> NDArray[np.float64]:
        """Standard deviations (B, 3) of the moments [px²]."""
        return np.sqrt(np.diagonal(self.covariance, axis1=1, axis2=2))

    def error_of(self, slopes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the standard deviation (B,) of what changes with the moments by ``slopes`` (B, 3), to first order."""
        return np.asarray(np.sqrt(np.maximum(np.einsum("bi,bij,bj->b", slopes, self.covariance, slopes), 0.0)))

    @property
    def flag(self) -> BoolArray:
        """True (B,) where the moments are not to be trusted."""
        return np.asarray(self.reasons != 0)


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
        unknown = np.full((len(psfs), 3, 3), np.nan)
        return ShapeSet(nothing, unknown, np.full(len(psfs), int(FlagReason.NO_PSF)))
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
    covariance = fit.covariance[:, 2:, 2:]
    reasons, failed = _settle(fit.reasons, np.concatenate([fit.moments, covariance.reshape(-1, 9)], axis=1))
    moments = np.where(failed[:, None], np.nan, fit.moments)
    return ShapeSet(moments, np.where(failed[:, None, None], np.nan, covariance), reasons, fit.center)


def _settle(reasons: IntArray, values: NDArray[np.float64]) -> tuple[IntArray, BoolArray]:
    """Say which fits have failed (N,), those with ``values`` (N, …) that are not finite included."""
    # A fit that lost some of its light has a result, though not one to trust.
    failed = (reasons & int(~(FlagReason.EDGE | FlagReason.MASKED))) != 0
    broken = ~np.isfinite(values).all(axis=1)
    return add_reason(reasons, broken & ~failed, FlagReason.NON_FINITE), failed | broken
