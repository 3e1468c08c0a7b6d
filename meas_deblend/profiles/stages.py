"""A group's way through a stage of the fit: what is free in it, and from where it starts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .choice import log_odds_of_point
from .fit import Stage, fit_stage
from .parts import cut_out, keep, priors_of, put_back, recall, resize, sources_of
from .planes import BULGE, BULGE_SIZE, INDEX, SIZE
from .priors import expected_size, start_size
from .scene import solve_fluxes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .config import ProfileFitConfig
    from .parts import Part
    from .state import Scene

__all__ = ["fit_group"]

_BRIGHTER = 5.0  # Ratio of signal-to-noise ratios above which a neighbour's structure may be taken for a source's.

_SMALL = 0.0  # ln(a b) of discs that may be points: within a PSF of 3 px and more they are hardly resolved.


def fit_group(scene: Scene, members: NDArray[np.int64], config: ProfileFitConfig, *, first: bool) -> Stage:
    """Carry a group through a stage of the fit, in as many steps as ``config`` allows."""
    if first:
        part = cut_out(scene, members)
        drawn = solve_fluxes(sources_of(scene, part), part.data)
        scene.parameters[members, SIZE] = start_size(drawn.fluxes, scene.config.priors, scene.calibration)
        resize(scene, members, drawn.fluxes)
    else:
        if scene.config.priors.kind == "published" and not scene.extended[members].any():
            _shrink(scene, members)
        _extend(scene, members)
        scene.extended[members] = True
        resize(scene, members, scene.shown.fluxes[members])
    part = cut_out(scene, members)
    stage = _fit_shapes(scene, part, config, first=first)
    if first and scene.config.point_odds > 0:
        stage = _with_points(scene, stage, part)
    return put_back(scene, stage, part)


def _fit_shapes(scene: Scene, part: Part, config: ProfileFitConfig, *, first: bool) -> Stage:
    """Fit shapes, first in the bands that together hold most of the signal; fluxes are solved for in all of them."""
    share = config.first_bands if first else 1.0
    sources = sources_of(scene, part)
    known, memory = recall(scene, part, sources)
    drawn = solve_fluxes(sources, part.data, known=known)
    priors = priors_of(scene, part, drawn.fluxes)
    if share >= 1:
        stage = fit_stage(Stage(sources, drawn, priors), part.data, config, memory)
        keep(scene, part, stage, memory)
        return stage
    power = np.array([[np.vdot(unit, unit) for unit in units] for units in drawn.units])
    signal = (np.maximum(drawn.fluxes, 0) ** 2 * power / scene.noise**2).sum(axis=0)
    order = np.argsort(-signal, kind="stable")
    count = 1 + int(np.searchsorted(np.cumsum(signal[order]), share * signal.sum()))
    bands = tuple(sorted(int(band) for band in order[:count]))
    few, data = sources.in_bands(bands), part.data.select(bands)
    # It is a start for the fit in all bands.
    stage = fit_stage(Stage(few, solve_fluxes(few, data), priors), data, config.roughly())
    fitted = sources.moved(stage.sources.parameters)
    return replace(stage, sources=fitted, drawn=solve_fluxes(fitted, part.data, (sources, drawn)))


def _with_points(scene: Scene, stage: Stage, part: Part) -> Stage:
    """Make points of small sources that are rather points."""
    parameters, free = stage.sources.parameters.copy(), stage.sources.free.copy()
    for i in np.flatnonzero(parameters[:, SIZE] < _SMALL):
        if stage.drawn.fluxes[i].any() and log_odds_of_point(stage, int(i), part.data, scene.config.point_odds) > 0:
            parameters[i, SIZE], free[i, SIZE : SIZE + 3] = -np.inf, False
    if np.array_equal(free, stage.sources.free):
        return stage
    scene.free[part.members] = free
    sources = replace(stage.sources, parameters=parameters, free=free)
    return replace(stage, sources=sources, drawn=solve_fluxes(sources, part.data, (stage.sources, stage.drawn)))


def _extend(scene: Scene, members: NDArray[np.int64]) -> None:
    """Free bulges and Sérsic indices of sources that are bright enough; they start where the priors expect them."""
    config, parameters = scene.config, scene.parameters
    resolved = members[np.isfinite(parameters[members, SIZE])]
    bulge = resolved[(scene.snr[resolved] > config.bulge_min_snr) & ~scene.free[resolved, BULGE]]
    parameters[bulge, BULGE] = config.priors.bulge_logit
    parameters[bulge, BULGE_SIZE] = parameters[bulge, SIZE] + config.priors.bulge_size
    scene.free[bulge, BULGE] = scene.free[bulge, BULGE_SIZE] = True
    scene.free[resolved[scene.snr[resolved] > config.index_min_snr], INDEX] = True


def _shrink(scene: Scene, members: NDArray[np.int64]) -> None:
    """Let discs beside far brighter sources start anew if they grew beyond what is expected of them.

    While the neighbour was fitted with a disc alone, they may have taken what that left over; then that is a minimum of
    its own, which they would not leave.  Those that are large grow again.
    """
    priors, parameters, snr = scene.config.priors, scene.parameters, scene.snr[members]
    expected = expected_size(scene.shown.fluxes[members], priors, scene.calibration)
    where, half = parameters[members, :2], scene.sizes[members] / 2
    near = np.abs(where[:, None] - where).max(axis=2) < half[:, None] + half
    beside = (near & (snr > _BRIGHTER * snr[:, None])).any(axis=1)
    large = beside & (parameters[members, SIZE] > expected + priors.size_width)
    parameters[members[large], SIZE] = expected[large]
    parameters[members[large], SIZE + 1 : SIZE + 3] = 0
