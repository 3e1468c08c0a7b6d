"""Groups of sources, cut out of the scene and put back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .normal import Memory
from .planes import N_PARAMETERS
from .priors import shape_priors
from .reach import stamp_sizes
from .scene import IMAGE, Data, Sources
from .stamps import draw_stamps
from .state import Kept
from .sums import add_scaled, tolerant_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .fit import Stage
    from .priors import Priors
    from .state import Scene

_MOST_KEPT = 1 << 26  # Bytes: as much as a few groups need.

__all__ = ["Part", "corners_of", "cut_out", "keep", "priors_of", "put_back", "recall", "resize", "sources_of", "widen"]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One group, cut out: without the light of the others.

    Parameters
    ----------
    members : int64 array (n,)
    corner : int64 array (2,)
        First pixel.
    data : Data
    units : tuple
        Per source the first pixel and the unit image of the model that was taken off before.
    """

    members: NDArray[np.int64]
    corner: NDArray[np.int64]
    data: Data
    units: tuple[tuple[tuple[int, int], NDArray[np.float32]], ...]


def cut_out(scene: Scene, members: NDArray[np.int64]) -> Part:
    """Cut the pixels under a group's stamps, with the models of the group put back."""
    corners = corners_of(scene.parameters[members], scene.sizes[members])
    shape = np.array(scene.residual.shape[1:])
    low = np.clip(corners.min(axis=0), 0, shape)
    high = np.clip((corners + scene.sizes[members, None]).max(axis=0), low, shape)
    cut = (slice(None), slice(low[0], high[0]), slice(low[1], high[1]))
    weights = tolerant_weights(scene.weights[cut], scene.images[cut], scene.residual[cut], scene.config.model_error)
    config, noise = scene.config, scene.noise
    precision = np.full(len(noise), np.inf)
    if config.sky == "constant":
        precision = np.where(
            np.isfinite(noise), (config.sky_width * np.where(np.isfinite(noise), noise, 1)) ** -2, np.inf
        )
    units = _shown_units(scene, members)
    images = scene.residual[cut].copy()
    for k, ((y, x), unit) in zip(members, units, strict=True):
        add_scaled(images, unit, (y - int(low[0]), x - int(low[1])), scene.shown.fluxes[k])
    return Part(members, low, Data(images, weights, noise, precision), units)


def corners_of(parameters: NDArray[np.float64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """First pixels (source, 2) of stamps around centres."""
    return np.asarray(np.floor(parameters[:, :2] + 0.5).astype(np.int64) - sizes[:, None] // 2)


def _shown_units(scene: Scene, members: NDArray[np.int64]) -> tuple[tuple[tuple[int, int], NDArray[np.float32]], ...]:
    """First pixels and unit images of the models of sources that were taken off; without pixels if there was none."""
    shown = scene.shown
    parameters, sizes = shown.parameters[members], shown.sizes[members]
    corners = corners_of(parameters, sizes)
    psfs = tuple(scene.positions.psfs[k] for k in members)
    sources = Sources(parameters, scene.free[members], corners, sizes, psfs)
    lit = np.flatnonzero(shown.fluxes[members].any(axis=1))
    drawn = dict(zip(lit.tolist(), draw_stamps(lit, sources, [IMAGE] * len(lit)), strict=True))
    nothing = np.zeros((len(scene.noise), 0, 0), dtype=np.float32)
    return tuple((sources.origin(i), drawn[i][:, 0] if i in drawn else nothing) for i in range(len(members)))


def sources_of(scene: Scene, part: Part, sizes: NDArray[np.int64] | None = None) -> Sources:
    """Return the group's sources in the coordinates of its pixels, on the scene's stamps or on such of these sides."""
    m = part.members
    sizes = scene.sizes[m] if sizes is None else sizes
    parameters = scene.parameters[m].copy()
    parameters[:, :2] -= part.corner
    psfs = tuple(scene.positions.psfs[k] for k in m)
    return Sources(parameters, scene.free[m], corners_of(parameters, sizes), sizes, psfs)


def priors_of(scene: Scene, part: Part, fluxes: NDArray[np.float64]) -> Priors:
    """Return the priors of a group's sources with these fluxes (source, band)."""
    where = scene.positions.centers[part.members] - part.corner
    widths = scene.positions.widths[part.members]
    return shape_priors(fluxes, where, widths, scene.config.priors, scene.calibration)


def recall(scene: Scene, part: Part, sources: Sources) -> tuple[dict[int, NDArray[np.float32]], Memory]:
    """Look for what is known of a group's sources on the same stamps from the stage before.

    Returns
    -------
    units : dict of int to float32 array (band, size, size)
        Unit images of sources that have not moved.
    memory : Memory
        With their derivatives.
    """
    units: dict[int, NDArray[np.float32]] = {}
    memory = Memory.of(sources, len(part.data.images))
    before = {k: (kept, j) for kept in scene.kept for j, k in enumerate(kept.members.tolist())}
    offset = np.zeros(sources.parameters.shape[1])
    for i, k in enumerate(part.members.tolist()):
        if k not in before:
            continue
        kept, j = before[k]
        offset[:2] = kept.corner - part.corner
        frame = kept.sources.sizes[j], *(kept.sources.origins[j] + offset[:2])
        if frame != (sources.sizes[i], *sources.origins[i]):
            continue
        if np.allclose(kept.sources.parameters[j] + offset, sources.parameters[i], rtol=0, atol=1e-9):
            units[i] = kept.units[j]
        if (kept.sources.free[j, :N_PARAMETERS] == sources.free[i, :N_PARAMETERS]).all():
            memory.part(i)[:] = kept.memory.part(j)
            memory.parameters[i] = kept.memory.parameters[j] + offset
    return units, memory


def keep(scene: Scene, part: Part, stage: Stage, memory: Memory) -> None:
    """Keep what `recall` looks for; of groups that were fitted long ago it is given up."""
    before = tuple(kept for kept in scene.kept if not np.isin(kept.members, part.members).any())
    every = (*before, Kept(part.members, part.corner, stage.sources, stage.drawn.units, memory))
    sizes = np.cumsum([kept.size for kept in every[::-1]])
    scene.kept = every[len(every) - int(np.searchsorted(sizes, _MOST_KEPT, side="right")) :]


def resize(scene: Scene, members: NDArray[np.int64], fluxes: NDArray[np.float64]) -> None:
    """Choose stamps on which sources with these fluxes (source, band) are fitted."""
    scene.sizes[members] = _sizes(scene, members, fluxes, scene.config.stamp_threshold)


def widen(scene: Scene, members: NDArray[np.int64]) -> None:
    """Choose stamps on which the fitted sources are kept."""
    sizes = _sizes(scene, members, scene.shown.fluxes[members], scene.config.reach_threshold)
    scene.sizes[members] = np.maximum(scene.sizes[members], sizes)


def _sizes(
    scene: Scene, members: NDArray[np.int64], fluxes: NDArray[np.float64], threshold: float
) -> NDArray[np.int64]:
    psfs = tuple(scene.positions.psfs[k] for k in members)
    return stamp_sizes(scene.parameters[members], fluxes, scene.noise, psfs, threshold)


def put_back(scene: Scene, stage: Stage, part: Part) -> Stage:
    """Keep a group's models, and take their light off the image."""
    m, sources, drawn = part.members, stage.sources, stage.drawn
    parameters = sources.parameters.copy()
    parameters[:, :2] += part.corner
    scene.parameters[m] = parameters
    for i, k in enumerate(m):
        before, unit = part.units[i]
        add_scaled(scene.residual, unit, before, scene.shown.fluxes[k])
        y, x = sources.origin(i)
        origin = y + int(part.corner[0]), x + int(part.corner[1])
        add_scaled(scene.residual, drawn.units[i], origin, -drawn.fluxes[i])
        power = np.array([np.vdot(unit, unit) for unit in drawn.units[i]], dtype=np.float64)
        scene.snr[k] = np.sqrt((np.maximum(drawn.fluxes[i], 0) ** 2 * power / scene.noise**2).sum())
    shown = scene.shown
    shown.parameters[m], shown.sizes[m], shown.fluxes[m] = parameters, scene.sizes[m], drawn.fluxes
    return stage
