"""Priors of shapes as Gaussians around values that depend on the magnitude."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .planes import N_PARAMETERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .config import ProfilePriors

__all__ = ["Calibration", "Priors", "expected_size", "shape_priors", "start_size", "unknown_size"]

_FLAT = np.array([np.nan, np.nan, 3.0, 2.0, 2.0, 5.0, 3.0, 1.0])
_FLAT_GRADIENT = 2.0
_STEEPEST = 4.0  # Nothing of disc or bulge is left in a band where the logit of the share has changed by so much.
_LIMITS = np.array(
    [
        [-np.inf, np.inf],
        [-np.inf, np.inf],
        [-6.0, 9.0],
        [-2.0, 2.0],
        [-2.0, 2.0],
        [-8.0, 8.0],
        [-6.0, 9.0],
        [-0.69, 1.79],
    ]
)

FLATTEST = 1.8
"""Largest ln(a / b): discs seen edge-on are a sixth as thick as wide (Padilla & Strauss 2008, MNRAS 388, 1321)."""

_HALF_LIGHT = 1.678  # Half-light radius of an exponential profile in units of its scale length.
_LOG_PER_MAG = -2.5 / np.log(10)

_FIRST = np.array([0.1213, 0.4234])
"""Smallest and largest half-light radius that a fit starts from, in arcsec: most are faint and small."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """From image units and pixels to what priors are stated in.

    Parameters
    ----------
    band : int
        Whose magnitudes sizes go with.
    zeropoint : float or None
        AB magnitude of one image unit in that band.
    pixel_scale : float
        Arcsec per pixel.
    """

    band: int
    zeropoint: float | None
    pixel_scale: float


@dataclass(frozen=True, slots=True, eq=False)
class Priors:
    """−ln(prior) = ½ Σ ((T x − mean) / width)², where T takes s from t: bulges go with their discs.

    Parameters
    ----------
    means, widths : float64 array (source, 8 + band)
    truncation, center_truncation : float
        Sizes are not taken further than so many widths above their means, and centres from them.
    """

    means: NDArray[np.float64]
    widths: NDArray[np.float64]
    truncation: float
    center_truncation: float = np.inf

    def allowed(self, parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        """Nearest parameters (source, 8 + band) that are allowed."""
        out = np.clip(parameters, -_STEEPEST, _STEEPEST)
        out[:, :N_PARAMETERS] = np.clip(parameters[:, :N_PARAMETERS], _LIMITS[:, 0], _LIMITS[:, 1])
        out[:, 2] = np.minimum(out[:, 2], self.means[:, 2] + self.truncation * self.widths[:, 2])
        away = self.center_truncation * self.widths[:, :2]
        out[:, :2] = np.clip(out[:, :2], self.means[:, :2] - away, self.means[:, :2] + away)
        flatness = np.hypot(out[:, 3], out[:, 4])
        out[:, 3:5] *= np.minimum(FLATTEST / np.maximum(flatness, FLATTEST), 1.0)[:, None]
        return out

    def deviations(self, parameters: NDArray[np.float64], free: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Deviations (source, 8 + band) in units of the widths; 0 for what is not free."""
        moved = parameters.copy()
        with np.errstate(invalid="ignore"):
            moved[:, 6] -= parameters[:, 2]
            return np.where(free, (moved - self.means) / self.widths, 0.0)

    def cost(self, parameters: NDArray[np.float64], free: NDArray[np.bool_]) -> float:
        """Σ of squared deviations: −2 ln(prior)."""
        return float((self.deviations(parameters, free) ** 2).sum())

    def terms(
        self, parameters: NDArray[np.float64], free: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Gradient (source, n) of ln(prior) by all parameters, and the negative of its curvature (source, n, n)."""
        scaled = self.deviations(parameters, free) / self.widths
        precision = np.where(free, self.widths**-2.0, 0.0)
        n = free.shape[1]
        curvature = np.zeros((len(free), n, n))
        index = np.arange(n)
        curvature[:, index, index] = precision
        gradient = -scaled
        gradient[:, 2] += scaled[:, 6]
        curvature[:, 2, 2] += precision[:, 6]
        curvature[:, 2, 6] -= precision[:, 6]
        curvature[:, 6, 2] -= precision[:, 6]
        return gradient, curvature


def expected_size(fluxes: NDArray[np.float64], priors: ProfilePriors, calibration: Calibration) -> NDArray[np.float64]:
    """Return the expected ln(a b / px²) of discs (source,) with those fluxes (source, band)."""
    if calibration.zeropoint is None:
        return np.full(len(fluxes), unknown_size(priors, calibration))
    flux = np.maximum(fluxes[:, calibration.band], 1e-30)
    # Beyond these magnitudes nobody has measured sizes.
    magnitude = np.clip(calibration.zeropoint + _LOG_PER_MAG * np.log(flux), 16.0, 28.0)
    log_scale = priors.size_at_23 + priors.size_slope * (magnitude - 23)
    return np.asarray(2 * (log_scale + np.log(_HALF_LIGHT / calibration.pixel_scale)))


def unknown_size(priors: ProfilePriors, calibration: Calibration) -> float:
    """Return the expected ln(a b / px²) of a disc of unknown magnitude."""
    return float(2 * (priors.scale_length_unknown + np.log(_HALF_LIGHT / calibration.pixel_scale)))


def start_size(fluxes: NDArray[np.float64], priors: ProfilePriors, calibration: Calibration) -> NDArray[np.float64]:
    """Return ln(a b / px²) of discs (source,) from where their fit starts: the expected ones within limits.

    A bright point would have a long way to go from the size of a bright galaxy.
    """
    low, high = 2 * np.log(_FIRST / calibration.pixel_scale)
    return np.clip(expected_size(fluxes, priors, calibration), low, high)


def shape_priors(
    fluxes: NDArray[np.float64],
    centers: NDArray[np.float64],
    center_widths: NDArray[np.float64],
    priors: ProfilePriors,
    calibration: Calibration,
) -> Priors:
    """Priors of sources with the given fluxes (source, band) at given positions (source, 2)."""
    n, bands = fluxes.shape
    means, widths = np.zeros((n, N_PARAMETERS + bands)), np.full((n, N_PARAMETERS + bands), priors.gradient_width)
    means[:, :2] = centers
    means[:, 2] = expected_size(fluxes, priors, calibration)
    means[:, 5], means[:, 6] = priors.bulge_logit, priors.bulge_size
    widths[:, :N_PARAMETERS] = (
        1.0,
        1.0,
        priors.size_width,
        priors.ellipticity_width,
        priors.ellipticity_width,
        priors.bulge_logit_width,
        priors.bulge_size_width,
        priors.log_index_width,
    )
    if priors.kind == "flat":
        widths[:, :N_PARAMETERS], widths[:, N_PARAMETERS:] = _FLAT, _FLAT_GRADIENT
    widths[:, :2] = center_widths[:, None]
    truncation = priors.truncation if priors.kind == "published" else np.inf
    return Priors(means, widths, truncation, priors.center_truncation)
