"""The fit of a blend: alternating projected gradient steps of all components at once, and when to stop.

The model is the constrained matrix factorisation of Melchior et al. 2018 (Astronomy and Computing 24, 129).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..geometry import Box, FloatArray
from .component import Component, scene
from .config import FitConfig
from .observation import Observation
from .pool import Pool
from .precondition import approach
from .workers import Workers

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


class State(Protocol):
    """The components of a blend under way: changed by every step."""

    @property
    def extent(self) -> Box:
        """Box around all components."""
        ...

    def draw(self, cube: FloatArray, box: Box) -> None:
        """Write the model into ``cube`` (band, y, x) on ``box``, which holds all components."""
        ...

    def step(self, gradient: FloatArray, box: Box, iteration: int) -> None:
        """Take one step with the gradient of −logL with respect to the model on ``box``."""
        ...

    def resize(self) -> None:
        """Fit the boxes to what is significant."""
        ...

    def components(self) -> tuple[Component, ...]:
        """Return the present iterate."""
        ...


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
    loss: list[float] = []
    near = start
    if config.precondition > 0 and isinstance(observation, Observation):
        near, loss = approach(observation, start, config)
    state = _state(near, observation, config)
    view = _View.around(observation, state.extent)
    # A first guess need not meet the constraints, so it does not compete with the iterates.
    best, best_value, feasible = start, -np.inf, bool(loss)
    begin, reason = len(loss), "max_iter"
    for iteration in range(config.max_iter - begin):
        value, gradient = view.gradient(state)
        if not np.isfinite(value):
            reason = "diverged"
            break
        if config.keep_best and (iteration > 0 or feasible) and value > best_value:
            best, best_value = state.components(), value
        loss.append(value)
        state.step(gradient, view.box, iteration)
        if iteration > 0 and iteration % config.resize_every == 0:
            state.resize()
            if not view.box.encloses(state.extent):
                view = _View.around(observation, state.extent | view.box)
        if is_converged(loss[begin:], config):
            reason = "converged"
            break
    last = state.components()
    value = _log_likelihood(last, observation)
    if (config.keep_best and best_value > value) or not np.isfinite(value):
        last, value = best, _log_likelihood(best, observation)
    return FitResult(last, tuple(loss), value, reason)


def _state(components: tuple[Component, ...], observation: Observation, config: FitConfig) -> State:
    if config.optimizer == "amsgrad":
        return Pool.of(components, observation.frame, observation.noise, config)
    return Workers.of(components, observation, config)


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """The part of an observation where it has weight or the model has light, and room to draw the model."""

    observation: Observation
    box: Box
    cube: FloatArray

    @classmethod
    def around(cls, observation: Observation, extent: Box) -> _View:
        """View of what weighs and of ``extent``: elsewhere nothing of the model reaches a pixel that counts."""
        box = Box.from_mask((observation.weights > 0).any(axis=0)) | extent
        cube = np.zeros((len(observation.images), *box.shape), dtype=observation.images.dtype)
        return cls(observation if box == observation.frame else observation.crop(box), box, cube)

    def gradient(self, state: State) -> tuple[float, FloatArray]:
        """Log-likelihood of the present iterate, and the gradient (band, y, x) of its negative on the box."""
        state.draw(self.cube, self.box)
        return self.observation.gradient(self.cube)


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


def _log_likelihood(components: Sequence[Component], observation: Observation) -> float:
    return observation.log_likelihood(scene(components, observation.images.shape, observation.images.dtype))
