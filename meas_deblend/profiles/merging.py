"""Two listed sources where one explains the light of both: by the Bayesian information criterion."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from .fit import Stage, fit_stage
from .parts import cut_out, priors_of, put_back, sources_of
from .scene import solve_fluxes
from .sums import add_scaled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .state import Scene

__all__ = ["merge_sources"]


def merge_sources(scene: Scene) -> bool:
    """Take sources out of the fit whose light a neighbour explains; whether there are any.

    Of two that are closer than ``merge_distance`` both are fitted once more, and the brighter one alone, to the same
    pixels with the light of all others taken off.  Both are kept where they lower χ² by more than p ln n, with the
    parameters p of the second one and the pixels n under it (Schwarz 1978, Ann. Statist. 6, 461).

    Parameters
    ----------
    scene : Scene
        Changed in place.
    """
    if scene.config.merge_distance == 0 or len(scene.sizes) < 2:
        return False
    pairs = cKDTree(scene.positions.centers).query_pairs(scene.config.merge_distance, output_type="ndarray")
    for i, j in sorted(pairs.tolist()):
        if (scene.merged[[i, j]] < 0).all():
            # The brighter one first; of equals the first of the list.
            brighter = (i, j) if scene.snr[i] >= scene.snr[j] else (j, i)
            _try(scene, np.array(brighter))
    return bool((scene.merged >= 0).any())


def _try(scene: Scene, pair: NDArray[np.int64]) -> None:
    """Take the second one out if the first explains both."""
    part, config = cut_out(scene, pair), scene.config
    both = sources_of(scene, part)
    priors = priors_of(scene, part, scene.shown.fluxes[pair])
    two = fit_stage(Stage(both, solve_fluxes(both, part.data), priors), part.data, config)
    alone, known = both.only(0), replace(priors, means=priors.means[:1], widths=priors.widths[:1])
    one = fit_stage(Stage(alone, solve_fluxes(alone, part.data), known), part.data, config)
    y, x = np.clip(both.origins[1], 0, None)
    under = part.data.weights[:, y : y + int(both.sizes[1]), x : x + int(both.sizes[1])] > 0
    parameters = int(both.free[1].sum()) + int(under.any(axis=(1, 2)).sum())
    if _cost(one) - _cost(two) > parameters * np.log(max(int(under.sum()), 1)):
        return
    keeper, gone = pair.tolist()
    before, unit = part.units[1]
    add_scaled(scene.residual, unit, before, scene.shown.fluxes[gone])
    scene.shown.fluxes[gone], scene.snr[gone], scene.merged[gone] = 0, 0, keeper
    put_back(scene, one, replace(part, members=pair[:1], units=part.units[:1]))


def _cost(stage: Stage) -> float:
    """Return χ² and −2 ln(prior) of a fit."""
    return stage.drawn.chi2 + stage.priors.cost(stage.sources.parameters, stage.sources.free)
