"""The fit of a blend: alternating projected gradient steps of all components at once, and when to stop.

The model is the constrained matrix factorisation of Melchior et al. 2018 (Astronomy and Computing 24, 129).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..geometry import Box, FloatArray
from .component import Component, factor_gradients, resample, scene
from .config import FitConfig
from .monotone import monotonic_inplace, weights_for
from .observation import Observation
from .optimizer import Optimizer, make_optimizer
from .proximal import floor_spectrum, normalize, sparsify, sparsity_level, symmetric

__all__ = ["FitResult", "fit", "is_converged"]


@dataclass(frozen=True, slots=True, eq=False)
class FitResult:
    """Outcome of a fit.

    Parameters
    ----------
    components : tuple of Component
        The returned iterate.
    loss : tuple of float
        Log-likelihood before each update.
    log_likelihood : float
        Log-likelihood of ``components``.
    stop_reason : str
        "converged", "max_iter", "no_sources", "no_data" (no pixel has weight) or "diverged" (the log-likelihood is not
        finite any more).
    """

    components: tuple[Component, ...]
    loss: tuple[float, ...]
    log_likelihood: float
    stop_reason: str


@dataclass(slots=True)
class _Worker:
    """One component under way, with the optimizers of its two factors."""

    component: Component
    for_spectrum: Optimizer
    for_morph: Optimizer


def fit(observation: Observation, components: Sequence[Component], config: FitConfig) -> FitResult:
    """Fit components to the images.

    Parameters
    ----------
    observation : Observation
    components : sequence of Component
        First guess; not changed.
    config : FitConfig

    Returns
    -------
    FitResult
    """
    start = tuple(components)
    reason = "no_sources" if not start else "" if np.any(observation.weights > 0) else "no_data"
    if reason:
        return FitResult(start, (), _log_likelihood(start, observation), reason)
    workers = [_worker(component, config) for component in start]
    loss: list[float] = []
    # The first guess need not meet the constraints, so it does not compete with the iterates.
    best, best_value = start, -np.inf
    reason = "max_iter"
    for iteration in range(config.max_iter):
        current = tuple(worker.component for worker in workers)
        value, gradient = observation.gradient(_model(current, observation))
        if not np.isfinite(value):
            reason = "diverged"
            break
        if iteration > 0 and value > best_value:
            best, best_value = current, value
        loss.append(value)
        resize = iteration > 0 and iteration % config.resize_every == 0
        for worker in workers:
            _update(worker, gradient, iteration, observation, config)
            if resize:
                _resize(worker, observation, config)
        if is_converged(loss, config):
            reason = "converged"
            break
    last = tuple(worker.component for worker in workers)
    value = _log_likelihood(last, observation)
    if (config.keep_best and best_value > value) or not np.isfinite(value):
        last, value = best, _log_likelihood(best, observation)
    return FitResult(last, tuple(loss), value, reason)


def is_converged(loss: Sequence[float], config: FitConfig) -> bool:
    """Whether the log-likelihoods ``loss``, one per update, give reason to stop after the last one.

    "last_two" compares the last two entries, and takes a turning point of an oscillation for convergence. "window"
    asks how much the best value has risen since `FitConfig.window` updates ago, which an oscillation cannot hide.
    """
    n = len(loss)
    if n <= config.min_iter or n < 2:
        return False
    if config.stop == "last_two":
        return abs(loss[-1] - loss[-2]) < config.e_rel * abs(loss[-1])
    # The first entry belongs to the first guess, which need not meet the constraints.
    if n <= config.window + 1:
        return False
    before, now = max(loss[1 : -config.window]), max(loss[1:])
    return now - before < config.e_rel * abs(now)


def _model(components: Sequence[Component], observation: Observation) -> FloatArray:
    """Sum (band, y, x) of the components on the frame, which need not be the grid of the data."""
    return scene(components, (len(observation.weights), *observation.frame.shape), observation.weights.dtype)


def _log_likelihood(components: Sequence[Component], observation: Observation) -> float:
    return observation.log_likelihood(_model(components, observation))


def _worker(component: Component, config: FitConfig) -> _Worker:
    return _Worker(
        component,
        make_optimizer(config.optimizer, component.spectrum),
        make_optimizer(config.optimizer, component.morph),
    )


def _update(worker: _Worker, gradient: FloatArray, iteration: int, observation: Observation, config: FitConfig) -> None:
    """Step both factors, with gradients at the factors before the step; the new spectrum sets the sparsity."""
    old = worker.component
    for_spectrum, for_morph = factor_gradients(gradient, old.spectrum, old.morph, old.box.origin)
    spectrum_step, morph_step = _steps(old, observation, config)
    spectrum = worker.for_spectrum.update(old.spectrum.copy(), for_spectrum, spectrum_step, iteration, floor_spectrum)
    level = sparsity_level(spectrum, config.bg_thresh * observation.noise)
    scale = 1.0

    def _project(morph: FloatArray) -> FloatArray:
        nonlocal scale
        if config.monotonic:
            monotonic_inplace(morph, old.peak, weights_for(morph), 1, config.edge_damping)
        if config.symmetric:
            morph = symmetric(morph, old.peak, fill=0.0)
        scale = normalize(sparsify(morph, level), old.peak)
        return morph

    morph = worker.for_morph.update(old.morph.copy(), for_morph, morph_step, iteration, _project)
    if config.rescale_spectrum:
        spectrum = floor_spectrum(spectrum * spectrum.dtype.type(scale))
    worker.component = replace(old, spectrum=spectrum, morph=morph)


def _steps(component: Component, observation: Observation, config: FitConfig) -> tuple[FloatArray | float, float]:
    """Return the steps of the spectrum (per band) and of the morphology."""
    if config.optimizer == "fista":
        return _inverse_curvatures(component, observation, config)
    noise = np.where(np.isfinite(observation.noise), observation.noise, 0)
    least = config.spectrum_step_floor * noise
    return np.maximum(least, config.spectrum_step * component.spectrum.mean()).astype(noise.dtype), config.morph_step


def _inverse_curvatures(component: Component, observation: Observation, config: FitConfig) -> tuple[float, float]:
    """Return steps for a scheme without adaptation: fractions of 1 / (bound of the second derivative).

    The bound is (largest weight) × (largest gain of the kernels)² × (norm of the other factor)².
    """
    gain = float(np.abs(observation.convolver.transform).max()) ** 2 * float(observation.weights.max())
    for_spectrum = config.spectrum_step / (gain * float(np.sum(component.morph**2)))
    for_morph = config.morph_step / (gain * float(np.sum(component.spectrum**2)))
    return for_spectrum, for_morph


def _resize(worker: _Worker, observation: Observation, config: FitConfig) -> None:
    """Fit the box to the pixels that exceed the threshold in some band, with a margin; it grows and shrinks."""
    old = worker.component
    level = sparsity_level(old.spectrum, config.bg_thresh * observation.noise)
    significant = Box.from_mask((old.morph >= level) & (old.morph > 0), old.box.origin)
    if significant.is_empty:
        significant = Box(old.center, (1, 1))
    box = significant.grow(config.resize_padding) & observation.frame
    if box == old.box:
        return

    def _move(array: FloatArray) -> FloatArray:
        return resample(array, old.box, box)

    worker.component = replace(old, box=box, morph=_move(old.morph))
    worker.for_morph.resize(_move)
