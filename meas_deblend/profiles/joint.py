"""From images and positions to profiles: all groups, in turns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .groups import group_sources
from .merging import merge_sources
from .outcome import Done, finish
from .parts import corners_of
from .planes import BULGE
from .priors import start_size
from .stages import fit_group
from .stamps import SIZES
from .state import Positions, Shown, check, start, start_of
from .unlisted import Leftover, find_unlisted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .config import ProfileFitConfig
    from .priors import Calibration
    from .state import Scene
    from .values import ProfileFit

__all__ = ["Positions", "fit_profiles"]


def fit_profiles(
    images: NDArray[np.floating],
    weights: NDArray[np.floating],
    positions: Positions,
    config: ProfileFitConfig,
    calibration: Calibration,
) -> ProfileFit:
    """Fit profiles to all sources of an image in all bands together.

    Discs first; then bulges and free Sérsic indices where there is signal for them (Hogg & Lang 2013, PASP 125, 719,
    describe such joint fits; here profiles are drawn by Fourier transforms).  A source whose size the data do not tell
    from 0 becomes a point, and disc and bulge of a bright one get spectra of their own, by their Bayes factors.

    Parameters
    ----------
    images : float array (band, y, x)
        What is not finite needs weight 0.
    weights : float array (band, y, x)
        Inverse variances; 0 for pixels without data.
    positions : Positions
    config : ProfileFitConfig
    calibration : Calibration

    Returns
    -------
    ProfileFit

    Raises
    ------
    ValueError
        If shapes do not fit, a weight is negative or not finite, or a position is not finite.
    """
    check(images, weights, positions)
    scene = start(images, weights, positions, config, calibration)
    done = _fit_groups(scene, first=True)
    merged = merge_sources(scene)
    if (config.add_min_snr > 0 and _add_unlisted(scene)) or merged:
        done = _fit_groups(scene, first=False)
    return finish(scene, done, len(positions.psfs))


def _fit_groups(scene: Scene, *, first: bool) -> Done:
    """Fit all groups in turns; ``first`` from nothing, else from where they are."""
    config, fitted = scene.config, np.flatnonzero(scene.merged < 0)
    centers = scene.positions.centers[fitted]
    groups = tuple(fitted[part] for part in group_sources(centers, config.group_radius, config.group_size))
    iterations = np.zeros(len(groups), dtype=np.int64)
    reasons = [""] * len(groups)
    # Sources that touch those of another group are fitted in turns, until each has seen the other without the first
    # one's errors.
    cut = len(groups) > len(group_sources(centers, config.group_radius, max(len(centers), 1)))
    few = config.model_copy(update={"max_iter": min(config.max_iter, config.turn_iter)})
    for turn in range(0 if first else 1, 1 + (config.turns if cut else 1)):
        again = turn > 1 or (cut and not first)
        for g, members in enumerate(groups):
            stage = fit_group(scene, members, few if again else config, first=turn == 0)
            iterations[g] += stage.iterations
            reasons[g] = stage.stop_reason
    return Done(groups, iterations, tuple(reasons))


def _add_unlisted(scene: Scene) -> bool:
    """Add sources where the residual demands them; whether there are any."""
    near = np.zeros(scene.images.shape[1:], dtype=bool)
    for (y, x), size in zip(corners_of(scene.parameters, scene.sizes), scene.sizes, strict=True):
        near[max(y, 0) : max(y + size, 0), max(x, 0) : max(x + size, 0)] = True
    if not near.any():
        return False
    residual, weights = scene.residual, scene.weights
    total = weights.sum(axis=(1, 2), dtype=np.float64)
    level = (weights * residual).sum(axis=(1, 2), dtype=np.float64) / np.where(total > 0, total, 1.0)
    leftover = Leftover(
        np.asarray(residual - level[:, None, None].astype(np.float32)), weights, scene.images - residual, near
    )
    positions = scene.positions
    found = find_unlisted(leftover, positions.psfs[0].stamps, (positions.centers, scene.shown.fluxes), scene.config)
    n = len(found.centers)
    if n == 0:
        return False
    sizes = start_size(found.fluxes, scene.config.priors, scene.calibration)
    new = start_of(found.centers, sizes, len(scene.images))
    free = np.zeros(new.shape, dtype=bool)
    free[:, :BULGE] = True
    scene.positions = Positions(
        np.concatenate([positions.centers, found.centers]),
        np.concatenate([positions.widths, np.full(n, scene.config.peak_center_width)]),
        positions.psfs + (positions.psfs[0],) * n,
    )
    scene.parameters = np.concatenate([scene.parameters, new])
    scene.free = np.concatenate([scene.free, free])
    scene.sizes = np.concatenate([scene.sizes, np.full(n, SIZES[0])])
    scene.snr, scene.extended = np.append(scene.snr, np.zeros(n)), np.append(scene.extended, np.ones(n, dtype=bool))
    scene.merged = np.append(scene.merged, np.full(n, -1))
    shown = scene.shown
    scene.shown = Shown(
        np.concatenate([shown.parameters, new]),
        np.concatenate([shown.sizes, np.full(n, SIZES[0])]),
        np.concatenate([shown.fluxes, np.zeros_like(found.fluxes)]),
    )
    return True
