"""What the fit returns: fluxes of at least 0, covariances, and whose the added sources are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .fit import Stage, inverse_of, with_priors
from .gradients import with_gradients
from .normal import normal_equations
from .parts import corners_of, cut_out, priors_of, put_back, recall, sources_of, widen
from .scene import solve_fluxes
from .values import FittedProfile, ProfileFit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .normal import Memory
    from .scene import Data, Drawn, Sources
    from .state import Scene

__all__ = ["Done", "finish"]


@dataclass(frozen=True, slots=True)
class Done:
    """Groups, and how their fits went."""

    groups: tuple[NDArray[np.int64], ...]
    iterations: NDArray[np.int64]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """A group at the end.

    Parameters
    ----------
    fluxes, shapes : float64 array
        Covariances: (band, source, source) and (source, n, n).
    sky : float64 array (band,)
    owners : dict of int to tuple
        Per added source the one that is brightest at its place, and how bright, as a fraction of the added one.
    iterations : int
        Of the last stage.
    """

    fluxes: NDArray[np.float64]
    shapes: NDArray[np.float64]
    sky: NDArray[np.float64]
    owners: dict[int, tuple[int, float]]
    iterations: int


def finish(scene: Scene, done: Done, listed: int) -> ProfileFit:
    """Fluxes that are at least 0, and covariances; sources beyond the first ``listed`` were added."""
    n = len(scene.sizes)
    groups = [_finish_group(scene, members, listed) for members in done.groups]
    shapes, number = [np.zeros(2 * scene.parameters.shape[1:])] * n, np.full(n, -1)
    owners, contrasts = np.full(n - listed, -1), np.zeros(n - listed)
    for g, (members, group) in enumerate(zip(done.groups, groups, strict=True)):
        for i, k in enumerate(members.tolist()):
            shapes[k], number[k] = group.shapes[i], g
        for k, (owner, contrast) in group.owners.items():
            owners[k - listed], contrasts[k - listed] = owner, contrast
    made = tuple(
        FittedProfile(
            scene.parameters[k],
            scene.shown.fluxes[k],
            shapes[k],
            int(scene.sizes[k]),
            float(scene.snr[k]),
            int(number[k]),
        )
        for k in range(n)
    )
    return ProfileFit(
        made[:listed],
        made[listed:],
        owners,
        contrasts,
        {g: group.fluxes for g, group in enumerate(groups)},
        np.array([group.sky for group in groups]).reshape(len(groups), len(scene.noise)),
        scene.residual,
        done.iterations + np.array([group.iterations for group in groups], dtype=np.int64),
        done.reasons,
        scene.merged[:listed],
    )


def _finish_group(scene: Scene, members: NDArray[np.int64], listed: int) -> _Group:
    fitted = scene.sizes[members]
    widen(scene, members)
    # What is bright is followed further while its colours are fitted, too.
    fitted = np.where(scene.snr[members] > scene.config.gradient_min_snr, scene.sizes[members], fitted)
    part = cut_out(scene, members)
    sources = sources_of(scene, part, fitted)
    priors = priors_of(scene, part, scene.shown.fluxes[members])
    known, memory = recall(scene, part, sources)
    stage = Stage(sources, solve_fluxes(sources, part.data, known=known), priors)
    stage = with_gradients(stage, part.data, scene.snr[members], scene.config, memory)
    # The last fluxes are those of models that are followed further than shapes need it.
    sizes = scene.sizes[members]
    sources = replace(stage.sources, sizes=sizes, origins=corners_of(stage.sources.parameters, sizes))
    drawn = solve_fluxes(sources, part.data, nonnegative=True)
    known_fluxes = replace(stage.drawn, fluxes=drawn.fluxes, sky=drawn.sky)
    fluxes, shapes = _covariances(replace(stage, drawn=known_fluxes), part.data, memory)
    own = np.flatnonzero(members < listed)
    owners: dict[int, tuple[int, float]] = {}
    for i in np.flatnonzero(members >= listed).tolist():
        bright = _brightness_at(i, sources, drawn, scene.noise)
        rival = int(own[np.argmax(bright[own])]) if len(own) else -1
        if rival >= 0 and bright[rival] > 0:
            owners[int(members[i])] = int(members[rival]), bright[rival] / max(float(bright[i]), 1e-30)
    put_back(scene, replace(stage, sources=sources, drawn=drawn), part)
    scene.free[members] = sources.free
    return _Group(fluxes[:, own[:, None], own], shapes, drawn.sky, owners, stage.iterations)


def _brightness_at(i: int, sources: Sources, drawn: Drawn, noise: NDArray[np.float64]) -> NDArray[np.float64]:
    """Brightness of all sources (source,) at the centre of the ``i``-th, summed over bands in units of the noise."""
    place = np.floor(sources.parameters[i, :2] + 0.5).astype(np.int64)
    out = np.zeros(len(sources))
    for k in range(len(sources)):
        y, x = place - sources.origins[k]
        if 0 <= y < sources.sizes[k] and 0 <= x < sources.sizes[k]:
            out[k] = (drawn.units[k][:, y, x] * drawn.fluxes[k] / noise).sum()
    return out


def _covariances(stage: Stage, data: Data, memory: Memory) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Covariance of fluxes (band, source, source) with all else fitted too, and of shapes (source, n, n)."""
    sources, drawn = stage.sources, stage.drawn
    equations = with_priors(normal_equations(sources, drawn, data, memory), sources, drawn, data, stage.priors)
    inverse, layout = inverse_of(equations), equations.layout
    n, bands = len(sources), len(data.images)
    inner = inverse[layout.fluxes, layout.fluxes]
    # The blocks of sources hold all pairs of bands; what is kept is each band with itself.
    fluxes = np.ascontiguousarray(np.einsum("ibjb->bij", inner.reshape(n, bands, n, bands)))
    size = sources.free.shape[1]
    shapes = np.zeros((n, size, size))
    for k in range(n):
        free, place = np.flatnonzero(sources.free[k]), layout.place(k)
        shapes[k, free[:, None], free] = inverse[place, place]
    return fluxes, shapes
