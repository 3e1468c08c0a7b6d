"""Whether disc and bulge have spectra of their own: a Bayes factor per source, from one set of normal equations."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .fit import fit_stage, inverse_of, with_priors
from .normal import normal_equations
from .planes import BULGE, N_PARAMETERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .config import ProfileFitConfig
    from .fit import Stage
    from .normal import Memory
    from .scene import Data, Sources

__all__ = ["beside", "log_odds_of_gradients", "with_gradients"]


def with_gradients(
    stage: Stage, data: Data, snr: NDArray[np.float64], config: ProfileFitConfig, memory: Memory
) -> Stage:
    """Let disc and bulge differ in colour where the data ask for it, and fit again.

    Parameters
    ----------
    stage : Stage
        A fit with one spectrum per source.
    data : Data
    snr : float64 array (source,)
    config : ProfileFitConfig
    memory : Memory
        Of the stage's sources; changed in place.

    Returns
    -------
    Stage
        The same one if no source gets a second spectrum; shapes that share no pixel with one that does stay.
    """
    known = np.flatnonzero(np.isfinite(data.noise))
    able = stage.sources.free[:, BULGE] & (snr > config.gradient_min_snr)
    if len(known) < 2 or not able.any():
        return stage
    free = stage.sources.free.copy()
    free[np.ix_(np.flatnonzero(able), N_PARAMETERS + known)] = True
    odds = log_odds_of_gradients(replace(stage, sources=replace(stage.sources, free=free)), data, memory)
    free[odds <= 0, N_PARAMETERS:] = False
    if np.array_equal(free, stage.sources.free):
        return stage
    # Shapes are where they belong already: little is to be gained after the first steps.
    sources = replace(stage.sources, free=free)
    return fit_stage(replace(stage, sources=sources), data, config.roughly(), memory, moving=beside(sources))


def beside(sources: Sources) -> NDArray[np.bool_]:
    """Whether sources have two spectra, or a stamp with a pixel of one that has."""
    first, last = sources.origins, sources.origins + sources.sizes[:, None]
    chosen = np.flatnonzero(sources.free[:, N_PARAMETERS:].any(axis=1))
    shared = (first[:, None] < last[chosen]) & (first[chosen] < last[:, None])
    return np.asarray((shared[..., 0] & shared[..., 1]).any(axis=1), dtype=bool)


def log_odds_of_gradients(stage: Stage, data: Data, memory: Memory) -> NDArray[np.float64]:
    """Return ln of the Bayes factor of two spectra against one, per source.

    Laplace's approximation with one step of Newton's from the fit with one spectrum (the evidence of nested models;
    MacKay 2003, Information Theory, Inference and Learning Algorithms, chapter 28): ½ d C⁻¹ d + ½ ln det C − ln det W,
    with the step d, its covariance C with all else fitted too, and the widths W of the prior.

    Parameters
    ----------
    stage : Stage
        A fit with one spectrum per source, in which those in question are free to differ.
    data : Data
    memory : Memory
        Of its sources; changed in place.

    Returns
    -------
    float64 array (source,)
        −inf for sources that are not free.
    """
    sources, drawn, priors = stage.sources, stage.drawn, stage.priors
    equations = with_priors(normal_equations(sources, drawn, data, memory), sources, drawn, data, priors)
    inverse = inverse_of(equations)
    step = inverse @ equations.right
    layout, out = equations.layout, np.full(len(sources), -np.inf)
    for k in np.unique(layout.owner[layout.band >= 0]):
        place = np.flatnonzero((layout.owner == k) & (layout.band >= 0))
        covariance, widths = inverse[np.ix_(place, place)], priors.widths[k, N_PARAMETERS + layout.band[place]]
        gained = step[place] @ np.linalg.solve(covariance, step[place])
        out[k] = 0.5 * gained + 0.5 * np.linalg.slogdet(covariance)[1] - np.log(widths).sum()
    return out
