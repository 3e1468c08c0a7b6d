"""Whether a source is resolved: points against discs, by their Bayes factor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .normal import products_of_one
from .planes import N_PARAMETERS
from .scene import IMAGE
from .stamps import draw
from .sums import weighted_stamp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .fit import Stage
    from .scene import Data

__all__ = ["log_odds_of_point"]

_SHAPES = slice(2, 5)


def log_odds_of_point(stage: Stage, k: int, data: Data, prior_odds: float) -> float:
    """Return ln of the odds that source ``k`` is a point rather than the disc that it was fitted with.

    The evidence of the disc is Laplace's approximation around the fit (MacKay 2003, Information Theory, Inference and
    Learning Algorithms, chapter 28): its likelihood times the ratio of what is left of the prior's volume in size and
    ellipticity.  Fluxes have flat priors in both models, and cancel.

    Parameters
    ----------
    stage : Stage
        A fit of discs.
    k : int
        A source with free size and ellipticity.
    data : Data
    prior_odds : float
        Points per galaxy among such sources.

    Returns
    -------
    float
        Above 0: a point.
    """
    sources, drawn, priors = stage.sources, stage.drawn, stage.priors
    size, origin = int(sources.sizes[k]), sources.origin(k)
    weights = weighted_stamp(data.weights, origin, size)
    alone = (
        weighted_stamp(drawn.residual, origin, size)
        + drawn.fluxes[k][:, None, None].astype(np.float32) * (drawn.units[k])
    )
    point = sources.parameters[k].copy()
    point[2] = -np.inf
    unit = draw(point, origin, size, sources.psfs[k], IMAGE)[:, 0]
    gained = _gain(drawn.units[k], alone, weights) - _gain(unit, alone, weights)
    deviations = priors.deviations(sources.parameters, sources.free)[k, _SHAPES]
    widths = priors.widths[k, _SHAPES]
    volume = 0.5 * np.linalg.slogdet(_covariance(stage, k, data))[1] - np.log(widths).sum()
    return float(-0.5 * gained + 0.5 * (deviations**2).sum() - volume + np.log(prior_odds))


def _gain(unit: NDArray[np.float32], alone: NDArray[np.float32], weights: NDArray[np.float32]) -> float:
    """By how much a unit image (band, y, x) with its best fluxes lowers χ²."""
    toward = (weights * unit * alone).sum(axis=(1, 2), dtype=np.float64)
    power = (weights * unit * unit).sum(axis=(1, 2), dtype=np.float64)
    return float(np.divide(toward**2, power, out=np.zeros_like(power), where=power > 0).sum())


def _covariance(stage: Stage, k: int, data: Data) -> NDArray[np.float64]:
    """Covariance (3, 3) of size and ellipticity with centre and fluxes of the source fitted too."""
    free = np.flatnonzero(stage.sources.free[k])
    products = products_of_one(stage.sources, k, stage.drawn, data)
    n, bands = len(free), len(products)
    matrix = np.zeros((n + bands, n + bands))
    _, curvature = stage.priors.terms(stage.sources.parameters, stage.sources.free)
    matrix[:n, :n] = products[:, :-1, :-1].sum(axis=0) + curvature[k][np.ix_(free, free)]
    matrix[:n, n:] = products[:, :-1, -1].T
    matrix[n:, :n] = matrix[:n, n:].T
    power = products[:, -1, -1]
    matrix[np.arange(n, n + bands), np.arange(n, n + bands)] = np.where(power > 0, power, 1.0)
    scale = np.sqrt(np.diag(matrix))
    inverse = np.linalg.inv(matrix / np.outer(scale, scale)) / np.outer(scale, scale)
    full = np.zeros((N_PARAMETERS, N_PARAMETERS))
    full[np.ix_(free, free)] = inverse[:n, :n]
    return full[_SHAPES, _SHAPES]
