"""Components of a blend under way one by one: the state of a fit with any other optimizer than the default."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from ..geometry import Box, FloatArray
from .component import Component, PointComponent, add_product, factor_gradients, resample
from .config import FitConfig
from .general import LinearObservation
from .monotone import monotonic_inplace, weights_for
from .observation import Observation
from .optimizer import Optimizer, make_optimizer
from .proximal import SPECTRUM_FLOOR, floor_spectrum, normalize, sparsify, sparsity_level, symmetric

__all__ = ["Workers"]

POWER_STEPS = 12
"""Steps of the power method: its value is then right within some per cent."""


@dataclass(slots=True)
class _Worker:
    """One component under way, with the optimizers of its two factors."""

    component: Component
    for_spectrum: Optimizer
    for_morph: Optimizer


@dataclass(slots=True)
class Workers:
    """Components, each with its optimizers; changed by every step."""

    workers: list[_Worker]
    observation: LinearObservation
    config: FitConfig
    curvature: float

    @classmethod
    def of(cls, components: Sequence[Component], observation: LinearObservation, config: FitConfig) -> Workers:
        """Start from components, which are not changed."""
        scheme = config.optimizer
        pairs = [(make_optimizer(scheme, c.spectrum), make_optimizer(scheme, c.morph)) for c in components]
        workers = [_Worker(c, *pair) for c, pair in zip(components, pairs, strict=True)]
        # Only steps without adaptation depend on it.
        return cls(workers, observation, config, _curvature(observation) if scheme == "fista" else 0.0)

    @property
    def extent(self) -> Box:
        """Box around all components."""
        return reduce(lambda a, b: a | b, (worker.component.box for worker in self.workers))

    def add_to(self, cube: FloatArray, box: Box) -> None:
        """Add the model to ``cube`` (band, y, x) on ``box``, which holds all components."""
        for worker in self.workers:
            component = worker.component
            y0, x0 = component.box.origin
            origin = (y0 - box.origin[0], x0 - box.origin[1])
            spectrum, morph = worker.for_spectrum.point(component.spectrum), worker.for_morph.point(component.morph)
            add_product(cube, spectrum, morph, origin)

    def step(self, gradient: FloatArray, box: Box, iteration: int) -> None:
        """Take one step with the gradient of −logL with respect to the model on ``box``; ``iteration`` is from 0."""
        for worker in self.workers:
            self._update(worker, gradient, box, iteration)

    @property
    def log_prior(self) -> float:
        """Sum of the logarithms of all priors, up to a constant."""
        total = 0.0
        for component in self.components():
            for prior, factor in zip(component.priors, (component.spectrum, component.morph), strict=True):
                total += 0.0 if prior is None else prior.logp(factor)
        return total

    def resize(self) -> bool:
        """Fit the boxes to what is significant; return whether any has changed."""
        before = [worker.component.box for worker in self.workers]
        for worker in self.workers:
            self._resize(worker)
        return before != [worker.component.box for worker in self.workers]

    def keep(self) -> Callable[[], tuple[Component, ...]]:
        """Remember the present iterate."""
        made = self.components()
        return lambda: made

    def components(self) -> tuple[Component, ...]:
        """Return the present iterate."""
        return tuple(worker.component for worker in self.workers)

    def _update(self, worker: _Worker, gradient: FloatArray, box: Box, iteration: int) -> None:
        """Step both factors, with gradients at the factors before the step; the new spectrum sets the sparsity."""
        old, config = worker.component, self.config
        origin = (old.box.origin[0] - box.origin[0], old.box.origin[1] - box.origin[1])
        at = (worker.for_spectrum.point(old.spectrum), worker.for_morph.point(old.morph))
        for_spectrum, for_morph = factor_gradients(gradient, *at, origin)
        if old.priors[0] is not None:
            for_spectrum = for_spectrum - old.priors[0].grad(at[0])
        if old.priors[1] is not None:
            for_morph = for_morph - old.priors[1].grad(at[1])
        spectrum_step, morph_step = self._steps(old)
        spectrum = worker.for_spectrum.update(
            old.spectrum.copy(), for_spectrum, spectrum_step, iteration, floor_spectrum
        )
        if isinstance(old, PointComponent):
            worker.component = replace(old, spectrum=spectrum)
            return
        level = sparsity_level(spectrum, config.bg_thresh * self.observation.noise)
        scale = 1.0

        def _project(morph: FloatArray) -> FloatArray:
            nonlocal scale
            if config.monotonic:
                monotonic_inplace(morph, old.peak, weights_for(morph, config.monotonic_weights), 1, config.edge_damping)
            if config.symmetric:
                morph = symmetric(morph, old.peak, fill=0.0, mean=config.symmetry == "mean")
            for constraint in old.constraints:
                morph = np.ascontiguousarray(constraint(morph))
            scale = normalize(sparsify(morph, level), old.peak)
            return morph

        morph = worker.for_morph.update(old.morph.copy(), for_morph, morph_step, iteration, _project)
        # What a prior says of the spectrum is not to be undone by the morphology's scale.
        if config.rescale_spectrum and old.priors[0] is None:
            spectrum = floor_spectrum(spectrum * spectrum.dtype.type(scale))
            worker.for_spectrum.rescale(scale)
        worker.component = replace(old, spectrum=spectrum, morph=morph)

    def _steps(self, component: Component) -> tuple[FloatArray | float, float]:
        """Return the steps of the spectrum (per band) and of the morphology."""
        config, noise = self.config, self.observation.noise
        if config.optimizer == "fista":
            return self._inverse_curvatures(component)
        noise = np.where(np.isfinite(noise), noise, 0)
        least = config.spectrum_step_floor * noise
        step = np.maximum(least, config.spectrum_step * component.spectrum.mean()).astype(noise.dtype)
        return step, config.morph_step

    def _inverse_curvatures(self, component: Component) -> tuple[float, float]:
        """Return steps for a scheme without adaptation: fractions of 1 / (bound of the second derivative).

        The bound is the largest eigenvalue of the data's curvature, adjoint ∘ weights ∘ render, × (norm of the other
        factor)²; all components step at once, so that those at the same place share it, and so do the two factors.
        """
        sharing = sum(not (component.box & worker.component.box).is_empty for worker in self.workers)
        curvature = 2 * self.curvature * sharing
        for_spectrum = self.config.spectrum_step / (curvature * float(np.sum(component.morph**2)))
        for_morph = self.config.morph_step / (curvature * float(np.sum(component.spectrum**2)))
        return for_spectrum, for_morph

    def _resize(self, worker: _Worker) -> None:
        """Fit the box to the pixels that exceed the threshold in some band, with a margin; it grows and shrinks."""
        old = worker.component
        if isinstance(old, PointComponent):
            return
        level = sparsity_level(old.spectrum, self.config.bg_thresh * self.observation.noise)
        significant = Box.from_mask((old.morph >= level) & (old.morph > 0), old.box.origin)
        if significant.is_empty:
            significant = Box(old.center, (1, 1))
        box = significant.grow(self.config.resize_padding) & self.observation.frame
        if box == old.box:
            return

        def _move(array: FloatArray) -> FloatArray:
            return resample(array, old.box, box)

        worker.component = replace(old, box=box, morph=_move(old.morph))
        worker.for_morph.resize(_move)


def _curvature(observation: LinearObservation) -> float:
    """Bound of the largest eigenvalue of adjoint ∘ weights ∘ render, by the power method unless kernels are known."""
    if isinstance(observation, Observation):
        return float(np.abs(observation.convolver.transform).max()) ** 2 * float(observation.weights.max())
    shape = (len(observation.weights), *observation.frame.shape)
    model = np.random.default_rng(0).normal(size=shape).astype(observation.weights.dtype)
    norm = 1.0
    for _ in range(POWER_STEPS):
        model = observation.adjoint(observation.weights * observation.render(model))
        norm = float(np.sqrt(np.sum(model**2, dtype=np.float64)))
        model = model / model.dtype.type(max(norm, SPECTRUM_FLOOR))
    # The power method comes from below.
    return 1.2 * norm
