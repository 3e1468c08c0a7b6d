"""The fit of a blend: alternating projected gradient steps of all components at once, and when to stop.

The model is the constrained matrix factorisation of Melchior et al. 2018 (Astronomy and Computing 24, 129).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from .component import Component
from .config import FitConfig
from .general import LinearObservation
from .mixture import AnyComponent, State, compare, draw_components, is_pooled, make_state
from .observation import Observation
from .pool import Pool, next_change
from .precondition import approach
from .proximal import floor_spectrum
from .spectra import solve_spectra
from .stretches import has_converged
from .view import CroppedView, View, view_around

__all__ = ["FitResult", "fit", "is_converged"]


@dataclass(frozen=True, slots=True, eq=False)
class FitResult:
    """Outcome of a fit.

    Parameters
    ----------
    components : tuple
        The returned iterate, in the order of the start.
    loss : tuple of float
        Log-likelihood before each update.
    log_likelihood : float
        Log-likelihood of ``components``.
    stop_reason : str
        "converged", "max_iter", "no_sources", "no_data" (no pixel has weight) or "diverged" (the log-likelihood is not
        finite any more).
    """

    components: tuple[AnyComponent, ...]
    loss: tuple[float, ...]
    log_likelihood: float
    stop_reason: str


PATIENT_WINDOW = 12
"""Least number of updates over which the gain of a fit with such components is judged."""


def fit(observation: LinearObservation, components: Sequence[AnyComponent], config: FitConfig) -> FitResult:
    """Fit components to the images.

    Parameters
    ----------
    observation : LinearObservation
        Of which only `render`, `adjoint`, the data and their weights are looked at, unless it is an `Observation`:
        preconditioned steps, and cropping to what has weight, need its kernels.
    components : sequence of Component or GeneralComponent
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
    if not all(isinstance(component, Component) and not component.is_special for component in start):
        config = config.model_copy(update=_patience(config))
    near = _approach(start, observation, config)
    result = None if near is None else _descend(near, observation, config)
    # The preconditioned steps may lead away from the data: their first value is that of the start.
    if near is None or result is None or not _first_value(result, len(near.loss)) > near.loss[0]:
        result = _descend(_begin(start, observation, config), observation, config)
    if isinstance(observation, Observation) and config.final_spectra:
        result = _with_best_spectra(result, observation)
    return replace(result, components=tuple(_normalized(c, config) for c in result.components))


def _first_value(result: FitResult, steps: int) -> float:
    """Log-likelihood after the first so many ``steps``."""
    return result.loss[steps] if len(result.loss) > steps else result.log_likelihood


def _with_best_spectra(result: FitResult, observation: Observation) -> FitResult:
    """Solve the spectra of the fitted morphologies together, if the likelihood is all that they have to obey."""
    components = result.components
    if any(not isinstance(c, Component) or c.priors[0] is not None for c in components):
        return result
    factors = [c for c in components if isinstance(c, Component)]
    spectra = solve_spectra([(c.box, c.morph) for c in factors], observation)
    better = [
        replace(c, spectrum=floor_spectrum(spectrum.astype(c.spectrum.dtype)))
        for c, spectrum in zip(factors, spectra, strict=True)
    ]
    value = _log_likelihood(better, observation)
    return replace(result, components=tuple(better), log_likelihood=value) if value > result.log_likelihood else result


@dataclass(frozen=True, slots=True, eq=False)
class _Begin:
    """Where finer steps begin: components, data around them, and log-likelihoods of the steps that led there."""

    state: State
    view: View
    loss: tuple[float, ...] = ()


def _begin(
    components: Sequence[AnyComponent],
    observation: LinearObservation,
    config: FitConfig,
    loss: tuple[float, ...] = (),
) -> _Begin:
    state = make_state(components, observation, config)
    return _Begin(state, view_around(observation, state.extent), loss)


def _descend(begin: _Begin, observation: LinearObservation, config: FitConfig) -> FitResult:
    """Step until the log-likelihood, with the priors there are, rises no more."""
    state, view, loss = begin.state, begin.view, begin.loss
    # A first guess need not meet the constraints, so it does not compete with the iterates.
    way = _Way(state.keep(), is_feasible=bool(loss))
    done, last = 0, config.max_iter - len(loss)
    while done < last and not way.reason:
        stop = next_change(done, config) + 1
        done = way.go_on(state, view, (done, min(stop, last)), config)
        if done == stop and state.resize() and not view.box.encloses(state.extent):
            view = view_around(observation, state.extent | view.box)
    _draw(state, view)
    value = view.log_likelihood()
    if (config.keep_best and way.best_value > value + state.log_prior) or not np.isfinite(value):
        components = way.best()
        value = way.likelihood if np.isfinite(way.likelihood) else _log_likelihood(components, observation)
    else:
        components = state.components()
    return FitResult(components, (*loss, *way.values), value, way.reason or "max_iter")


@dataclass(slots=True)
class _Way:
    """What is known of the iterates so far; a worker of `_descend`.

    Parameters
    ----------
    best : callable
        Returns the components of the best one.
    is_feasible : bool
        Whether the first one meets the constraints.
    best_value, likelihood : float
        Posterior probability (its logarithm, up to a constant) and log-likelihood of the best one.
    values, posteriors : list of float
        Those of all.
    reason : str
        Why to stop; "" if there is no reason.
    """

    best: Callable[[], tuple[AnyComponent, ...]]
    is_feasible: bool
    best_value: float = -np.inf
    likelihood: float = np.nan
    values: list[float] = field(default_factory=list)
    posteriors: list[float] = field(default_factory=list)
    reason: str = ""

    def go_on(self, state: State, view: View, span: tuple[int, int], config: FitConfig) -> int:
        """Take the steps of a ``span``, or less if there is a reason to stop; return the number of all."""
        if isinstance(state, Pool) and isinstance(view, CroppedView):
            return self._run(state, view, span, config)
        for iteration in range(*span):
            _draw(state, view)
            value, gradient = view.gradient()
            if not np.isfinite(value):
                self.reason = "diverged"
                return iteration
            self.values.append(value)
            self.posteriors.append(value + state.log_prior)
            if config.keep_best and (iteration > 0 or self.is_feasible) and self.posteriors[-1] > self.best_value:
                self.best, self.best_value, self.likelihood = state.keep(), self.posteriors[-1], value
            state.step(gradient, view.box, iteration)
            if is_converged(self.posteriors, config):
                self.reason = "converged"
                return iteration + 1
        return span[1]

    def _run(self, pool: Pool, view: CroppedView, span: tuple[int, int], config: FitConfig) -> int:
        """Do the same in compiled code."""
        values = np.empty(span[1])
        values[: span[0]] = self.values
        least = self.best_value if config.keep_best else np.inf
        done, best_value, why, best = pool.run(view, values, least, span, self.is_feasible)
        if best_value > least:
            self.best, self.best_value, self.likelihood = best, best_value, best_value
        self.values = values[:done].tolist()
        self.reason = ("", "converged", "diverged")[why]
        return done


def _normalized(component: AnyComponent, config: FitConfig) -> AnyComponent:
    """Move a factor between spectrum and morphology, as the options ask: the model stays the same."""
    if config.normalization == "max" or not isinstance(component, Component):
        return component
    by_sum = config.normalization == "sum"
    factor = component.morph.sum() if by_sum else 1 / component.spectrum.sum()
    return replace(component, spectrum=component.spectrum * factor, morph=component.morph / factor)


def _patience(config: FitConfig) -> dict[str, int]:
    """Options for components with parameters other than spectra and morphologies: positions and radii move slowly."""
    return {"window": max(config.window, PATIENT_WINDOW), "min_iter": max(config.min_iter, 2 * PATIENT_WINDOW)}


def _approach(start: tuple[AnyComponent, ...], observation: LinearObservation, config: FitConfig) -> _Begin | None:
    """Preconditioned steps of what is factorized, the others as they are; None if there are none."""
    factorized = [component for component in start if isinstance(component, Component)]
    if not factorized or not config.precondition or not isinstance(observation, Observation):
        return None
    others = [component for component in start if not isinstance(component, Component)]
    rest = observation
    if others:
        rest = replace(rest, images=rest.images - rest.render(draw_components(others, rest)))
    found = approach(rest, factorized, config)
    if not found.loss:
        return None
    if is_pooled(start, config):
        return _Begin(found.pool.restarted(), found.view, found.loss)
    moved = iter(found.pool.components())
    near = [next(moved) if isinstance(component, Component) else component for component in start]
    return _begin(near, observation, config, found.loss)


def _draw(state: State, view: View) -> None:
    """Write the present model into the view."""
    view.cube.fill(0)
    state.add_to(view.cube, view.box)


def is_converged(loss: Sequence[float], config: FitConfig) -> bool:
    """Whether the log-likelihoods ``loss``, one per update, give reason to stop after the last one.

    "last_two" compares the last two entries, and takes a turning point of an oscillation for convergence. "window"
    asks how much the best value has risen since `FitConfig.window` updates ago, which an oscillation cannot hide.
    """
    rules = (config.e_rel, config.min_iter, config.window, config.stop == "last_two")
    return has_converged(np.array(loss, dtype=np.float64), np.array(rules, dtype=np.float64))


def _log_likelihood(components: Sequence[AnyComponent], observation: LinearObservation) -> float:
    model = draw_components(components, observation)
    if isinstance(observation, Observation):
        return observation.log_likelihood(model)  # without the gradient
    return compare(observation, model)[0]
