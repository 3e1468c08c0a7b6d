"""Components of several kinds under way together: the state of a fit with a sky, point sources or profiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..geometry import Box, FloatArray
from .component import Component
from .config import FitConfig
from .general import GeneralComponent, GeneralWorker, LinearObservation
from .observation import Observation
from .pool import Pool

__all__ = ["AnyComponent", "Mixture", "compare", "draw_components"]

AnyComponent = Component | GeneralComponent


def draw_components(components: Sequence[AnyComponent], observation: LinearObservation) -> FloatArray:
    """Sum (band, y, x) of components of any kind on the frame of the model, before convolution."""
    frame = observation.frame
    model = np.zeros((len(observation.weights), *frame.shape), dtype=observation.weights.dtype)
    for component in components:
        part = component.cube if isinstance(component, Component) else component.model()
        model[:, *component.box.slices_in(frame)] += part
    return model


@dataclass(slots=True)
class Mixture:
    """Factorized components in a pool, and a worker for each of the others; changed by every step.

    Parameters
    ----------
    pool : Pool, optional
        None if no component is factorized.
    workers : list of GeneralWorker
    order : list of bool
        Which components, in the order in which they were given, are in the pool.
    frame : Box
        Of the model.
    noise : array (band,)
    """

    pool: Pool | None
    workers: list[GeneralWorker]
    order: list[bool]
    frame: Box
    noise: FloatArray

    @classmethod
    def of(cls, components: Sequence[AnyComponent], observation: LinearObservation, config: FitConfig) -> Mixture:
        """Start from components, which are not changed."""
        frame, noise = observation.frame, observation.noise
        factorized = [component for component in components if isinstance(component, Component)]
        pool = Pool.of(factorized, frame, noise, config) if factorized else None
        workers = [component.worker(config) for component in components if not isinstance(component, Component)]
        return cls(pool, workers, [isinstance(component, Component) for component in components], frame, noise)

    @property
    def extent(self) -> Box:
        """The whole frame: workers see all of the gradient."""
        return self.frame

    def draw(self, cube: FloatArray, box: Box) -> None:
        """Write the model into ``cube`` (band, y, x) on ``box``, the frame."""
        cube[:] = 0
        if self.pool is not None:
            self.pool.draw(cube, box)
        for worker in self.workers:
            worker.add_to(cube)

    def step(self, gradient: FloatArray, box: Box, iteration: int) -> None:
        """Take one step with the gradient of −logL with respect to the model on ``box``; ``iteration`` is from 0."""
        if self.pool is not None:
            self.pool.step(gradient, box, iteration)
        for worker in self.workers:
            worker.update(gradient, iteration, self.noise)

    def resize(self) -> None:
        """Fit the boxes of what is factorized to what is significant."""
        if self.pool is not None:
            self.pool.resize()

    def components(self) -> tuple[AnyComponent, ...]:
        """Return the present iterate, in the order of the start."""
        factorized = iter(() if self.pool is None else self.pool.components())
        general = (worker.component() for worker in self.workers)
        return tuple(next(factorized) if pooled else next(general) for pooled in self.order)


def compare(observation: LinearObservation, model: FloatArray) -> tuple[float, FloatArray]:
    """Log-likelihood of a model (band, y, x), and the gradient of its negative, by `render` and `adjoint` alone."""
    if isinstance(observation, Observation):
        return observation.gradient(model)  # the same, in one pass over the data
    residual = observation.render(model) - observation.images
    weighted = observation.weights * residual
    return -0.5 * float(np.sum(weighted * residual, dtype=np.float64)), observation.adjoint(weighted)
