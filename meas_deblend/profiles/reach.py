"""How far models are followed: the sides of stamps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaincinv, gammaln

from .planes import N_PARAMETERS
from .stamps import SIZES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .stamps import PsfTransforms

__all__ = ["stamp_sizes"]


def stamp_sizes(
    parameters: NDArray[np.float64],
    fluxes: NDArray[np.float64],
    noise: NDArray[np.float64],
    psfs: tuple[PsfTransforms, ...],
    threshold: float,
) -> NDArray[np.int64]:
    """Side of the smallest stamp at whose edge a source is below ``threshold`` of the noise in all bands.

    Parameters
    ----------
    parameters : float64 array (source, 8 + band)
    fluxes : float64 array (source, band)
    noise : float64 array (band,)
        Standard deviation of a pixel; inf in a band without data.
    psfs : tuple of PsfTransforms
        Per source.
    threshold : float

    Returns
    -------
    int64 array (source,)
    """
    radii = np.array(SIZES) / 2 - 2.0
    out = np.full(len(parameters), SIZES[-1])
    with np.errstate(over="ignore", under="ignore"):
        for k, values in enumerate(parameters):
            levels = np.maximum(fluxes[k], 0) / noise
            bright = (levels[:, None] * np.maximum(psfs[k].rings, _brightness(values, radii))).max(axis=0)
            small = np.flatnonzero(bright < threshold)
            out[k] = SIZES[small[0]] if small.size else SIZES[-1]
    return out


def _brightness(parameters: NDArray[np.float64], radii: NDArray[np.float64]) -> NDArray[np.float64]:
    """Surface brightness of unit flux along the major axis; the PSF is left aside."""
    _, _, s, p, q, logit, t, log_index = (float(value) for value in parameters[:N_PARAMETERS])
    if s == -np.inf:
        return np.zeros(len(radii))
    share, stretch = 1 / (1 + np.exp(-logit)), np.exp(np.hypot(p, q) / 2)
    disc = (1 - share) * _sersic(radii, np.exp(s / 2), stretch, float(np.exp(log_index)))
    return np.asarray(disc + share * _sersic(radii, np.exp(t / 2), 1.0, 4.0) if share > 0 else disc)


def _sersic(radii: NDArray[np.float64], radius: float, stretch: float, index: float) -> NDArray[np.float64]:
    b = float(gammaincinv(2 * index, 0.5))
    log_norm = 2 * index * np.log(b) - np.log(2 * np.pi * index * radius**2) - gammaln(2 * index)
    return np.asarray(np.exp(log_norm - b * (radii / (radius * stretch)) ** (1 / index)))
