"""From images and positions to profiles: the stages of the fit, group by group."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg

from .choice import log_odds_of_point
from .fit import Stage, fit_stage, with_priors
from .groups import group_sources
from .normal import normal_equations
from .planes import N_PARAMETERS
from .priors import expected_size, shape_priors
from .reach import stamp_sizes
from .scene import IMAGE, Data, Sources, solve_fluxes
from .stamps import SIZES, draw
from .sums import add_scaled
from .unlisted import Leftover, find_unlisted
from .values import FittedProfile, ProfileFit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .config import ProfileFitConfig
    from .priors import Calibration, Priors
    from .scene import Drawn
    from .stamps import PsfTransforms

__all__ = ["Positions", "fit_profiles"]

_S, _L, _T, _NU = 2, 5, 6, 7

_BRIGHTER = 5.0  # Ratio of signal-to-noise ratios above which a neighbour's structure may be taken for a source's.

_SMALL = 0.0  # ln(a b) of discs that may be points: within a PSF of 3 px and more they are hardly resolved.


@dataclass(frozen=True, slots=True, eq=False)
class Positions:
    """Where sources are.

    Parameters
    ----------
    centers : float64 array (source, 2)
        ``(y, x)`` in pixels.
    widths : float64 array (source,)
        Standard deviations of their errors [px].
    psfs : tuple of PsfTransforms
        Per source; the same object for equal PSFs.
    """

    centers: NDArray[np.float64]
    widths: NDArray[np.float64]
    psfs: tuple[PsfTransforms, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Shown:
    """The models whose light was taken off the image; sources may have moved on since."""

    parameters: NDArray[np.float64]
    sizes: NDArray[np.int64]
    fluxes: NDArray[np.float64]


@dataclass(slots=True, eq=False)
class _Scene:
    """The fit under way: sources as they are now, and the image without the models that were last fitted."""

    images: NDArray[np.float32]
    weights: NDArray[np.float32]
    residual: NDArray[np.float32]
    noise: NDArray[np.float64]
    positions: Positions
    config: ProfileFitConfig
    calibration: Calibration
    parameters: NDArray[np.float64]
    free: NDArray[np.bool_]
    sizes: NDArray[np.int64]
    snr: NDArray[np.float64]
    extended: NDArray[np.bool_]
    shown: _Shown


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
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
    from 0 becomes a point, by the Bayesian information criterion (Schwarz 1978, Ann. Statist. 6, 461).

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
    _check(images, weights, positions)
    scene = _start(images, weights, positions, config, calibration)
    done = _fit_groups(scene, first=True)
    if config.add_min_snr > 0 and _add_unlisted(scene):
        done = _fit_groups(scene, first=False)
    return _finish(scene, done, len(positions.psfs))


@dataclass(frozen=True, slots=True)
class _Done:
    """Groups, and how their fits went."""

    groups: tuple[NDArray[np.int64], ...]
    iterations: NDArray[np.int64]
    reasons: tuple[str, ...]


def _fit_groups(scene: _Scene, *, first: bool) -> _Done:
    """Fit all groups in turns; ``first`` from nothing, else from where they are."""
    config, centers = scene.config, scene.positions.centers
    groups = group_sources(centers, config.group_radius, config.group_size)
    iterations = np.zeros(len(groups), dtype=np.int64)
    reasons = [""] * len(groups)
    # Sources that touch those of another group are fitted in turns, until each has seen the other without the first
    # one's errors.
    cut = len(groups) > len(group_sources(centers, config.group_radius, max(len(centers), 1)))
    for turn in range(0 if first else 1, 1 + (config.turns if cut else 1)):
        for g, members in enumerate(groups):
            stage = _fit_group(scene, members, first=turn == 0)
            iterations[g] += stage.iterations
            reasons[g] = stage.stop_reason
    return _Done(groups, iterations, tuple(reasons))


def _add_unlisted(scene: _Scene) -> bool:
    """Add sources where the residual demands them; whether there are any."""
    near = np.zeros(scene.images.shape[1:], dtype=bool)
    for (y, x), size in zip(_corners(scene.parameters, scene.sizes), scene.sizes, strict=True):
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
    new = _start_of(found.centers, scene.config)
    new[:, _S] = np.clip(expected_size(found.fluxes, scene.config.priors, scene.calibration), -1.0, 1.5)
    free = np.zeros(new.shape, dtype=bool)
    free[:, :_L] = True
    scene.positions = Positions(
        np.concatenate([positions.centers, found.centers]),
        np.concatenate([positions.widths, np.full(n, scene.config.peak_center_width)]),
        positions.psfs + (positions.psfs[0],) * n,
    )
    scene.parameters = np.concatenate([scene.parameters, new])
    scene.free = np.concatenate([scene.free, free])
    scene.sizes = np.concatenate([scene.sizes, np.full(n, SIZES[0])])
    scene.snr, scene.extended = np.append(scene.snr, np.zeros(n)), np.append(scene.extended, np.ones(n, dtype=bool))
    shown = scene.shown
    scene.shown = _Shown(
        np.concatenate([shown.parameters, new]),
        np.concatenate([shown.sizes, np.full(n, SIZES[0])]),
        np.concatenate([shown.fluxes, np.zeros_like(found.fluxes)]),
    )
    return True


def _start_of(centers: NDArray[np.float64], config: ProfileFitConfig) -> NDArray[np.float64]:
    """Discs without bulges."""
    parameters = np.zeros((len(centers), N_PARAMETERS))
    parameters[:, :2], parameters[:, _S], parameters[:, _L] = centers, config.priors.size_unknown, -np.inf
    return parameters


def _check(images: NDArray[np.floating], weights: NDArray[np.floating], positions: Positions) -> None:
    if images.ndim != 3 or weights.shape != images.shape:
        raise ValueError(f"images and weights must have one shape (band, y, x), got {images.shape} and {weights.shape}")
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise ValueError("weights must be finite and at least 0")
    if not np.isfinite(images[weights > 0]).all():
        raise ValueError("images must be finite where weights are not 0")
    n = len(positions.psfs)
    if positions.centers.shape != (n, 2) or not np.isfinite(positions.centers).all():
        raise ValueError(f"centers must be {n} finite pairs (y, x), one per PSF, got {positions.centers.shape}")
    if positions.widths.shape != (n,) or not (positions.widths > 0).all():
        raise ValueError(f"widths must be {n} numbers > 0, one per PSF, got {positions.widths.shape}")


def _start(
    images: NDArray[np.floating],
    weights: NDArray[np.floating],
    positions: Positions,
    config: ProfileFitConfig,
    calibration: Calibration,
) -> _Scene:
    used = weights > 0
    clean = np.where(used, images, 0).astype(np.float32)
    with np.errstate(divide="ignore"):
        noise = np.array([np.median(w[u]) ** -0.5 if u.any() else np.inf for w, u in zip(weights, used, strict=True)])
    n = len(positions.psfs)
    parameters = _start_of(positions.centers, config)
    free = np.zeros((n, N_PARAMETERS), dtype=bool)
    free[:, :_L] = True
    return _Scene(
        clean,
        np.ascontiguousarray(weights, dtype=np.float32),
        clean.copy(),
        noise,
        positions,
        config,
        calibration,
        parameters,
        free,
        np.full(n, 48),
        np.zeros(n),
        np.zeros(n, dtype=bool),
        _Shown(parameters.copy(), np.full(n, 48), np.zeros((n, len(images)))),
    )


def _cut_out(scene: _Scene, members: NDArray[np.int64]) -> _Part:
    """Cut the pixels under a group's stamps, with the models of the group put back."""
    corners = _corners(scene.parameters[members], scene.sizes[members])
    shape = np.array(scene.residual.shape[1:])
    low = np.clip(corners.min(axis=0), 0, shape)
    high = np.clip((corners + scene.sizes[members, None]).max(axis=0), low, shape)
    cut = (slice(None), slice(low[0], high[0]), slice(low[1], high[1]))
    weights = _tolerant(scene.weights[cut], scene.images[cut] - scene.residual[cut], scene.config.model_error)
    config, noise = scene.config, scene.noise
    precision = np.full(len(noise), np.inf)
    if config.sky == "constant":
        precision = np.where(
            np.isfinite(noise), (config.sky_width * np.where(np.isfinite(noise), noise, 1)) ** -2, np.inf
        )
    units = tuple(_shown_unit(scene, int(k)) for k in members)
    images = scene.residual[cut].copy()
    for k, ((y, x), unit) in zip(members, units, strict=True):
        add_scaled(images, unit, (y - int(low[0]), x - int(low[1])), scene.shown.fluxes[k])
    return _Part(members, low, Data(images, weights, noise, precision), units)


def _tolerant(weights: NDArray[np.float32], model: NDArray[np.float32], model_error: float) -> NDArray[np.float32]:
    """Weights with an error of the model that goes with its brightness added to that of the data."""
    return np.asarray(weights / (1 + weights * (np.float32(model_error) * model) ** 2))


def _corners(parameters: NDArray[np.float64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """First pixels (source, 2) of stamps around centres."""
    return np.asarray(np.floor(parameters[:, :2] + 0.5).astype(np.int64) - sizes[:, None] // 2)


def _shown_unit(scene: _Scene, k: int) -> tuple[tuple[int, int], NDArray[np.float32]]:
    """First pixel and unit image of the model of a source that was taken off; without pixels if there was none."""
    shown = scene.shown
    y, x = (int(c) for c in _corners(shown.parameters[k : k + 1], shown.sizes[k : k + 1])[0])
    if not shown.fluxes[k].any():
        return (y, x), np.zeros((len(scene.noise), 0, 0), dtype=np.float32)
    return (y, x), draw(shown.parameters[k], (y, x), int(shown.sizes[k]), scene.positions.psfs[k], IMAGE)[:, 0]


def _sources(scene: _Scene, part: _Part) -> Sources:
    """Return the group's sources in the coordinates of its pixels."""
    m = part.members
    parameters = scene.parameters[m].copy()
    parameters[:, :2] -= part.corner
    psfs = tuple(scene.positions.psfs[k] for k in m)
    return Sources(parameters, scene.free[m], _corners(parameters, scene.sizes[m]), scene.sizes[m], psfs)


def _priors(scene: _Scene, part: _Part, fluxes: NDArray[np.float64]) -> Priors:
    where = scene.positions.centers[part.members] - part.corner
    widths = scene.positions.widths[part.members]
    return shape_priors(fluxes, where, widths, scene.config.priors, scene.calibration)


def _fit_group(scene: _Scene, members: NDArray[np.int64], *, first: bool) -> Stage:
    """Carry a group through a stage of the fit."""
    if first:
        part = _cut_out(scene, members)
        drawn = solve_fluxes(_sources(scene, part), part.data)
        # Most are faint and small; a bright point has a long way from the size of a bright galaxy.
        expected = expected_size(drawn.fluxes, scene.config.priors, scene.calibration)
        scene.parameters[members, _S] = np.clip(expected, -1.0, 1.5)
        _resize(scene, members, drawn.fluxes)
    else:
        if scene.config.priors.kind == "published" and not scene.extended[members].any():
            _shrink(scene, members)
        _extend(scene, members)
        scene.extended[members] = True
        _resize(scene, members, scene.shown.fluxes[members])
    part = _cut_out(scene, members)
    stage = _fit_shapes(scene, part, scene.config.first_bands if first else 1.0)
    if first and scene.config.point_odds > 0:
        stage = _with_points(scene, stage, part)
    return _put_back(scene, stage, part)


def _fit_shapes(scene: _Scene, part: _Part, share: float) -> Stage:
    """Fit shapes in the bands that together hold so much of the signal; fluxes are solved for in all of them."""
    sources = _sources(scene, part)
    drawn = solve_fluxes(sources, part.data)
    priors = _priors(scene, part, drawn.fluxes)
    if share >= 1:
        return fit_stage(Stage(sources, drawn, priors), part.data, scene.config)
    power = np.array([[np.vdot(unit, unit) for unit in units] for units in drawn.units])
    signal = (np.maximum(drawn.fluxes, 0) ** 2 * power / scene.noise**2).sum(axis=0)
    order = np.argsort(-signal, kind="stable")
    count = 1 + int(np.searchsorted(np.cumsum(signal[order]), share * signal.sum()))
    bands = tuple(sorted(int(band) for band in order[:count]))
    few, data = sources.in_bands(bands), part.data.select(bands)
    stage = fit_stage(Stage(few, solve_fluxes(few, data), priors), data, scene.config)
    fitted = sources.moved(stage.sources.parameters)
    return replace(stage, sources=fitted, drawn=solve_fluxes(fitted, part.data, (sources, drawn)))


def _with_points(scene: _Scene, stage: Stage, part: _Part) -> Stage:
    """Make points of small sources that are rather points."""
    parameters, free = stage.sources.parameters.copy(), stage.sources.free.copy()
    for i in np.flatnonzero(parameters[:, _S] < _SMALL):
        if stage.drawn.fluxes[i].any() and log_odds_of_point(stage, int(i), part.data, scene.config.point_odds) > 0:
            parameters[i, _S], free[i, _S : _S + 3] = -np.inf, False
    if np.array_equal(free, stage.sources.free):
        return stage
    scene.free[part.members] = free
    sources = replace(stage.sources, parameters=parameters, free=free)
    return replace(stage, sources=sources, drawn=solve_fluxes(sources, part.data, (stage.sources, stage.drawn)))


def _resize(scene: _Scene, members: NDArray[np.int64], fluxes: NDArray[np.float64]) -> None:
    psfs = tuple(scene.positions.psfs[k] for k in members)
    scene.sizes[members] = stamp_sizes(
        scene.parameters[members], fluxes, scene.noise, psfs, scene.config.stamp_threshold
    )


def _extend(scene: _Scene, members: NDArray[np.int64]) -> None:
    """Free bulges and Sérsic indices of sources that are bright enough; they start where the priors expect them."""
    config, parameters = scene.config, scene.parameters
    resolved = members[np.isfinite(parameters[members, _S])]
    bulge = resolved[(scene.snr[resolved] > config.bulge_min_snr) & ~scene.free[resolved, _L]]
    parameters[bulge, _L] = config.priors.bulge_logit
    parameters[bulge, _T] = parameters[bulge, _S] + config.priors.bulge_size
    scene.free[bulge, _L] = scene.free[bulge, _T] = True
    scene.free[resolved[scene.snr[resolved] > config.index_min_snr], _NU] = True


def _shrink(scene: _Scene, members: NDArray[np.int64]) -> None:
    """Let discs beside far brighter sources start anew if they grew beyond what is expected of them.

    While the neighbour was fitted with a disc alone, they may have taken what that left over; then that is a minimum of
    its own, which they would not leave.  Those that are large grow again.
    """
    priors, parameters, snr = scene.config.priors, scene.parameters, scene.snr[members]
    expected = expected_size(scene.shown.fluxes[members], priors, scene.calibration)
    where, half = parameters[members, :2], scene.sizes[members] / 2
    near = np.abs(where[:, None] - where).max(axis=2) < half[:, None] + half
    beside = (near & (snr > _BRIGHTER * snr[:, None])).any(axis=1)
    large = beside & (parameters[members, _S] > expected + priors.size_width)
    parameters[members[large], _S] = expected[large]
    parameters[members[large], _S + 1 : _S + 3] = 0


def _put_back(scene: _Scene, stage: Stage, part: _Part) -> Stage:
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


def _finish(scene: _Scene, done: _Done, listed: int) -> ProfileFit:
    """Fluxes that are at least 0, and covariances; sources beyond the first ``listed`` were added."""
    groups = done.groups
    sky = np.zeros((len(groups), len(scene.noise)))
    shapes = np.zeros((len(scene.sizes), N_PARAMETERS, N_PARAMETERS))
    fluxes: dict[int, NDArray[np.float64]] = {}
    number = np.zeros(len(scene.sizes), dtype=np.int64)
    owners = np.full(len(scene.sizes) - listed, -1)
    contrasts = np.zeros(len(owners))
    for g, members in enumerate(groups):
        _resize(scene, members, scene.shown.fluxes[members])
        part = _cut_out(scene, members)
        sources = _sources(scene, part)
        priors = _priors(scene, part, scene.shown.fluxes[members])
        drawn = solve_fluxes(sources, part.data, nonnegative=True)
        covariance, shapes[members] = _covariances(sources, drawn, part.data, priors)
        own = np.flatnonzero(members < listed)
        for i in np.flatnonzero(members >= listed).tolist():
            bright = _brightness_at(i, sources, drawn, scene.noise)
            rival = int(own[np.argmax(bright[own])]) if len(own) else -1
            if rival >= 0 and bright[rival] > 0:
                owners[members[i] - listed] = members[rival]
                contrasts[members[i] - listed] = bright[rival] / max(float(bright[i]), 1e-30)
        fluxes[g] = covariance[:, own[:, None], own]
        _put_back(scene, Stage(sources, drawn, priors), part)
        sky[g], number[members] = drawn.sky, g
    made = tuple(
        FittedProfile(
            scene.parameters[k],
            scene.shown.fluxes[k],
            shapes[k],
            int(scene.sizes[k]),
            float(scene.snr[k]),
            int(number[k]),
        )
        for k in range(len(scene.sizes))
    )
    return ProfileFit(
        made[:listed], made[listed:], owners, contrasts, fluxes, sky, scene.residual, done.iterations, done.reasons
    )


def _brightness_at(i: int, sources: Sources, drawn: Drawn, noise: NDArray[np.float64]) -> NDArray[np.float64]:
    """Brightness of all sources (source,) at the centre of the ``i``-th, summed over bands in units of the noise."""
    place = np.floor(sources.parameters[i, :2] + 0.5).astype(np.int64)
    out = np.zeros(len(sources))
    for k in range(len(sources)):
        y, x = place - sources.origins[k]
        if 0 <= y < sources.sizes[k] and 0 <= x < sources.sizes[k]:
            out[k] = (drawn.units[k][:, y, x] * drawn.fluxes[k] / noise).sum()
    return out


def _covariances(
    sources: Sources, drawn: Drawn, data: Data, priors: Priors
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Covariance of fluxes (band, source, source) with all else fitted too, and of shapes (source, 8, 8)."""
    equations = with_priors(normal_equations(sources, drawn, data), sources, drawn, data, priors)
    layout = equations.layout
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
    inverse *= np.outer(told / scale, told / scale)
    n, bands = len(sources), len(data.images)
    inner = inverse[layout.fluxes, layout.fluxes]
    # The blocks of sources hold all pairs of bands; what is kept is each band with itself.
    fluxes = np.ascontiguousarray(np.einsum("ibjb->bij", inner.reshape(n, bands, n, bands)))
    shapes = np.zeros((n, N_PARAMETERS, N_PARAMETERS))
    for k in range(n):
        free, place = np.flatnonzero(sources.free[k]), layout.place(k)
        shapes[k, free[:, None], free] = inverse[place, place]
    return fluxes, shapes
