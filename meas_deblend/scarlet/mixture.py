"""Components under way: how those of several kinds are carried through a fit together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Protocol

import numpy as np

from ..geometry import Box, FloatArray
from .component import Component, add_product
from .config import FitConfig
from .general import GeneralComponent, GeneralWorker, LinearObservation
from .observation import Observation
from .pool import Pool
from .workers import Workers

__all__ = ["AnyComponent", "Mixture", "Singles", "State", "compare", "draw_components", "is_pooled", "make_state"]

AnyComponent = Component | GeneralComponent


def draw_components(components: Sequence[AnyComponent], observation: LinearObservation) -> FloatArray:
    """Sum (band, y, x) of components of any kind on the frame of the model, before convolution."""
    frame = observation.frame
    model = np.zeros((len(observation.weights), *frame.shape), dtype=observation.weights.dtype)
    for component in components:
        if isinstance(component, Component):
            add_product(model, component.spectrum, component.morph, component.box.origin)
        else:
            model[:, *component.box.slices_in(frame)] += component.model()
    return model


class State(Protocol):
    """Components of a blend under way: changed by every step."""

    @property
    def extent(self) -> Box:
        """Box around all components."""
        ...

    def add_to(self, cube: FloatArray, box: Box) -> None:
        """Add the model to ``cube`` (band, y, x), whose first pixel is that of ``box``; it holds all components."""
        ...

    def step(self, gradient: FloatArray, box: Box, iteration: int) -> None:
        """Take one step with the gradient of −logL with respect to the model, laid out like the cube."""
        ...

    @property
    def log_prior(self) -> float:
        """Sum of the logarithms of all priors, up to a constant."""
        ...

    def resize(self) -> bool:
        """Fit the boxes to what is significant; return whether any may have changed."""
        ...

    def keep(self) -> Callable[[], tuple[AnyComponent, ...]]:
        """Remember the present iterate, which the result makes components of."""
        ...

    def components(self) -> tuple[AnyComponent, ...]:
        """Return the present iterate."""
        ...


def make_state(components: Sequence[AnyComponent], observation: LinearObservation, config: FitConfig) -> State:
    """Carry components through a fit: those that AMSGrad steps, without priors, in flat arrays, others one by one."""
    kinds = [_kind(component, config) for component in components]
    factorized = [c for c, kind in zip(components, kinds, strict=True) if kind == 0 and isinstance(c, Component)]
    slow = [c for c, kind in zip(components, kinds, strict=True) if kind == 1 and isinstance(c, Component)]
    general = [c for c in components if not isinstance(c, Component)]
    parts: list[State] = []
    if factorized:
        parts.append(Pool.of(factorized, observation.frame, observation.noise, config))
    if slow:
        parts.append(Workers.of(slow, observation, config))
    if general:
        parts.append(Singles([c.worker(config) for c in general], observation.frame, observation.noise))
    if len(parts) == 1:
        return parts[0]
    present = sorted(set(kinds))
    return Mixture(parts, [present.index(kind) for kind in kinds])


def is_pooled(components: Sequence[AnyComponent], config: FitConfig) -> bool:
    """Whether AMSGrad steps all of them, without priors, in flat arrays."""
    return all(_kind(component, config) == 0 for component in components)


def _kind(component: AnyComponent, config: FitConfig) -> int:
    """0 for flat arrays, 1 for factors with optimizers of their own, 2 for what steps itself."""
    if not isinstance(component, Component):
        return 2
    return int(config.optimizer != "amsgrad" or component.is_special)


@dataclass(slots=True)
class Singles:
    """Components that step themselves.

    Parameters
    ----------
    workers : list of GeneralWorker
    frame : Box
        Of the model.
    noise : array (band,)
    """

    workers: list[GeneralWorker]
    frame: Box
    noise: FloatArray

    @property
    def extent(self) -> Box:
        """The whole frame: workers see all of the gradient."""
        return self.frame

    def add_to(self, cube: FloatArray, box: Box) -> None:  # noqa: ARG002 -- the frame
        """Add the model to ``cube`` (band, y, x) on ``box``, the frame."""
        for worker in self.workers:
            worker.add_to(cube)

    def step(self, gradient: FloatArray, box: Box, iteration: int) -> None:  # noqa: ARG002 -- the frame
        """Take one step with the gradient of −logL with respect to the model on ``box``, the frame."""
        for worker in self.workers:
            worker.update(gradient, iteration, self.noise)

    @property
    def log_prior(self) -> float:
        """Sum of the logarithms of all priors, up to a constant."""
        # A worker that has none need not say so.
        return float(sum(getattr(worker, "log_prior", 0.0) for worker in self.workers))

    def resize(self) -> bool:
        """Leave boxes as they are: workers change them themselves, if at all."""
        return False

    def keep(self) -> Callable[[], tuple[AnyComponent, ...]]:
        """Remember the present iterate."""
        made = self.components()
        return lambda: made

    def components(self) -> tuple[GeneralComponent, ...]:
        """Return the present iterate."""
        return tuple(worker.component() for worker in self.workers)


@dataclass(slots=True)
class Mixture:
    """Components of several kinds.

    Parameters
    ----------
    parts : list of State
    order : list of int
        Number of the part to which each component belongs, in the order in which they were given.
    """

    parts: list[State]
    order: list[int]

    @property
    def extent(self) -> Box:
        """Box around all components."""
        return reduce(lambda a, b: a | b, (part.extent for part in self.parts))

    def add_to(self, cube: FloatArray, box: Box) -> None:
        """Add the model to ``cube`` (band, y, x) on ``box``."""
        for part in self.parts:
            part.add_to(cube, box)

    def step(self, gradient: FloatArray, box: Box, iteration: int) -> None:
        """Take one step with the gradient of −logL with respect to the model on ``box``; ``iteration`` is from 0."""
        for part in self.parts:
            part.step(gradient, box, iteration)

    @property
    def log_prior(self) -> float:
        """Sum of the logarithms of all priors, up to a constant."""
        return sum(part.log_prior for part in self.parts)

    def resize(self) -> bool:
        """Fit the boxes to what is significant; return whether any may have changed."""
        return any([part.resize() for part in self.parts])  # noqa: C419 -- all of them are resized

    def keep(self) -> Callable[[], tuple[AnyComponent, ...]]:
        """Remember the present iterate."""
        kept = [part.keep() for part in self.parts]
        return lambda: self._ordered([made() for made in kept])

    def components(self) -> tuple[AnyComponent, ...]:
        """Return the present iterate, in the order of the start."""
        return self._ordered([part.components() for part in self.parts])

    def _ordered(self, parts: Sequence[Sequence[AnyComponent]]) -> tuple[AnyComponent, ...]:
        found = [iter(part) for part in parts]
        return tuple(next(found[number]) for number in self.order)


def compare(observation: LinearObservation, model: FloatArray) -> tuple[float, FloatArray]:
    """Log-likelihood of a model (band, y, x), and the gradient of its negative, by `render` and `adjoint` alone."""
    if isinstance(observation, Observation):
        return observation.gradient(model)  # the same, in one pass over the data
    residual = observation.render(model) - observation.images
    weighted = observation.weights * residual
    return -0.5 * float(np.sum(weighted * residual, dtype=np.float64)), observation.adjoint(weighted)
