"""The joint fit: Levenberg–Marquardt steps for shapes, fluxes solved for exactly after each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg

from .normal import Memory, normal_equations
from .planes import BULGE_SIZE, SIZE
from .scene import solve_fluxes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .config import ProfileFitConfig
    from .normal import NormalEquations
    from .priors import Priors
    from .scene import Data, Drawn, Sources

__all__ = ["Stage", "fit_stage", "inverse_of", "with_priors"]

_STEP = np.array([0.5, 0.5, 1.0, 0.4, 0.4, 1.5, 1.0, 0.3])
_GRADIENT_STEP = 1.0
_FACTOR = 8.0
_TRIES = 5
_REST = 0.1  # Steps shorter than this fraction of an error are not worth drawing the source anew.


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """Where a fit stands.

    Parameters
    ----------
    sources : Sources
    drawn : Drawn
    priors : Priors
    iterations : int
        Steps so far.
    stop_reason : str
    """

    sources: Sources
    drawn: Drawn
    priors: Priors
    iterations: int = 0
    stop_reason: str = ""


def fit_stage(
    stage: Stage,
    data: Data,
    config: ProfileFitConfig,
    memory: Memory | None = None,
    *,
    moving: NDArray[np.bool_] | None = None,
) -> Stage:
    """Step until it does not get better.

    Parameters
    ----------
    stage : Stage
    data : Data
    config : ProfileFitConfig
    memory : Memory, optional
        Derivatives that are in it already are used; changed in place.
    moving : bool array (source,), optional
        Whose shapes are fitted; fluxes of all are.  None: those of all.

    Returns
    -------
    Stage
    """
    damping = 1e-3
    sources, drawn, priors = stage.sources, stage.drawn, stage.priors
    cost = drawn.chi2 + priors.cost(sources.parameters, sources.free)
    reason, done = "max_iter", 0
    memory = Memory.of(sources, len(data.images)) if memory is None else memory
    while done < config.max_iter:
        done += 1
        equations = with_priors(normal_equations(sources, drawn, data, memory), sources, drawn, data, priors)
        if moving is not None:
            equations = _without(equations, np.flatnonzero(~moving[equations.layout.owner]))
        accepted = None
        for _ in range(_TRIES):
            moved = _step(equations, sources, priors, damping)
            if moved is None:
                damping *= _FACTOR
                continue
            tried = solve_fluxes(moved, data, (sources, drawn))
            new = tried.chi2 + priors.cost(moved.parameters, moved.free)
            if new <= cost:
                accepted = moved, tried, cost - new
                damping = max(damping / _FACTOR, 1e-6)
                break
            damping *= _FACTOR
        if accepted is None:
            reason = "no_better_step"
            break
        sources, drawn, gain = accepted
        cost -= gain
        if gain < 2 * config.tolerance * len(sources):
            reason = "converged"
            break
    return Stage(sources, drawn, priors, stage.iterations + done, reason)


def with_priors(
    equations: NormalEquations, sources: Sources, drawn: Drawn, data: Data, priors: Priors
) -> NormalEquations:
    """Add the priors of shapes and sky."""
    matrix, right, layout = equations.matrix.copy(), equations.right.copy(), equations.layout
    gradient, curvature = priors.terms(sources.parameters, sources.free)
    owner, parameter = layout.owner, layout.parameter
    index = np.arange(len(owner))
    matrix[index, index] += curvature[owner, parameter, parameter]
    right[index] += gradient[owner, parameter]
    for k in np.flatnonzero(sources.free[:, BULGE_SIZE] & sources.free[:, SIZE]):
        place = layout.place(int(k)).start + np.searchsorted(np.flatnonzero(sources.free[k]), [SIZE, BULGE_SIZE])
        matrix[place, place[::-1]] += curvature[k, SIZE, BULGE_SIZE]
    precision = data.sky_precision
    fixed = ~np.isfinite(precision)
    known = np.where(fixed, 0.0, precision)
    matrix[layout.sky, layout.sky] += np.diag(known)
    right[layout.sky] -= known * drawn.sky
    return _without(replace(equations, matrix=matrix, right=right), layout.sky.start + np.flatnonzero(fixed))


def _without(equations: NormalEquations, places: NDArray[np.int64]) -> NormalEquations:
    """Leave unknowns where they are."""
    if len(places) == 0:
        return equations
    matrix, right = equations.matrix.copy(), equations.right.copy()
    matrix[places, :] = matrix[:, places] = 0
    right[places] = 0
    return replace(equations, matrix=matrix, right=right)


def inverse_of(equations: NormalEquations) -> NDArray[np.float64]:
    """Inverse of the matrix; 0 for what the data tell nothing of."""
    diagonal = np.diag(equations.matrix)
    scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    normal = equations.matrix / np.outer(scale, scale)
    # Rounding of single precision: two sources at one place are told apart by nothing else.
    normal[np.diag_indices(len(normal))] = 1 + 1e-5
    told = np.where(diagonal > 0, 1.0, 0.0)
    try:
        factor = scipy.linalg.cho_factor(normal, check_finite=False)
        inverse = scipy.linalg.cho_solve(factor, np.eye(len(normal)), check_finite=False)
    except scipy.linalg.LinAlgError:
        inverse = scipy.linalg.pinvh(normal, check_finite=False)
    return np.asarray(inverse * np.outer(told / scale, told / scale))


def _step(equations: NormalEquations, sources: Sources, priors: Priors, damping: float) -> Sources | None:
    """Solve for the step, and cut it to what is credible; None if rounding leaves the matrix without a solution."""
    layout = equations.layout
    diagonal = np.diag(equations.matrix).copy()
    scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    normal = equations.matrix / np.outer(scale, scale)
    n = len(normal)
    normal[np.arange(n), np.arange(n)] = 1 + 1e-5
    shapes = layout.shapes
    normal[np.arange(shapes.stop), np.arange(shapes.stop)] += damping
    try:
        factor = scipy.linalg.cho_factor(normal, overwrite_a=True, check_finite=False)
    except scipy.linalg.LinAlgError:
        return None
    step = scipy.linalg.cho_solve(factor, equations.right / scale, check_finite=False) / scale
    moves = np.zeros_like(sources.parameters)
    moves[layout.owner, layout.parameter] = step[shapes]
    told = np.zeros_like(moves)
    told[layout.owner, layout.parameter] = np.abs(step[shapes]) * scale[shapes]
    resting = (told < _REST).all(axis=1)
    # Shortened as a whole: parts of a step that belong together stay together.
    longest = np.append(_STEP, np.full(moves.shape[1] - len(_STEP), _GRADIENT_STEP))
    excess = (np.abs(moves) / longest).max(axis=1)
    moves /= np.maximum(excess, 1.0)[:, None]
    parameters = np.where(sources.free, priors.allowed(sources.parameters + moves), sources.parameters)
    parameters[resting] = sources.parameters[resting]
    return sources.moved(parameters)
