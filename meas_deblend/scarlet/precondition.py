"""Preconditioned steps: few iterations that bring a blend near its solution, before finer ones end it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..geometry import Box, FloatArray
from .component import Component
from .config import FitConfig
from .kernels import ComplexArray
from .observation import Observation
from .pool import Pool, next_change
from .precondition_kernels import undo
from .stretches import ahead_stretch
from .view import CroppedView, cropped_view

__all__ = ["Approached", "approach"]

DAMPING = 0.5
"""Fraction of a step of the spectra that is taken: the morphologies are stepped along the same residual."""


@dataclass(frozen=True, slots=True, eq=False)
class Approached:
    """Outcome of the preconditioned steps.

    Parameters
    ----------
    pool : Pool
        The components; what its other rows hold is of no meaning.
    view : CroppedView
        Of the observation, around them.
    loss : tuple of float
        Log-likelihood before each step, at the extrapolated point.
    """

    pool: Pool
    view: CroppedView
    loss: tuple[float, ...]


def approach(observation: Observation, components: Sequence[Component], config: FitConfig) -> Approached:
    """Bring components near the solution.

    The residual W (R − D), its weights relative to the largest of the band, is filtered with
    conj(K̂) / (|K̂|² + floor), which undoes the blurring where the kernel K passes enough.  What is found at a pixel is
    divided among the components by the square roots of their light there, which keeps the sum of the steps that of
    one (the weights of algebraic reconstruction: Andersen & Kak 1984, Ultrasonic Imaging 6, 81), and spectra and
    morphologies are stepped together, with Nesterov's momentum, restarted when it points uphill (O'Donoghue &
    Candès 2015, Found. Comput. Math. 15, 715).

    Parameters
    ----------
    observation : Observation
        With a convolver.
    components : sequence of Component
        First guess; not changed.
    config : FitConfig
        ``precondition`` is the largest number of steps.

    Returns
    -------
    Approached
        Components that meet all constraints but sparsity.
    """
    pool = Pool.of(components, observation.frame, observation.noise, config)
    work = _Work.around(observation, pool.extent, config)
    pool.morphs[1] = pool.morphs[0]
    losses = np.empty(min(config.precondition, config.max_iter))
    done, momentum, is_over = 0, 1.0, not losses.size
    while not is_over:
        stop = next_change(done, config) + 1
        done, momentum, is_over = work.run(pool, losses, (done, min(stop, losses.size)), momentum)
        if done == stop:
            changed = pool.resize()
            if changed and not work.box.encloses(pool.extent):
                work = _Work.around(observation, pool.extent | work.box, config)
        is_over |= done == losses.size
    return Approached(pool, work.view, tuple(losses[:done].tolist()))


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """The part of the observation that counts, the filter, and room for planes on it."""

    view: CroppedView
    inverse: ComplexArray
    importance: FloatArray
    planes: tuple[FloatArray, FloatArray, FloatArray]
    config: FitConfig

    @classmethod
    def around(cls, observation: Observation, extent: Box, config: FitConfig) -> _Work:
        """Take what weighs, and ``extent``."""
        view = cropped_view(observation, extent)
        dtype = view.images.dtype
        largest = view.weights.max(axis=(1, 2)).astype(np.float64)
        scale = np.divide(1, largest, out=np.zeros_like(largest), where=largest > 0)
        inverse = np.empty_like(view.conjugate)
        undo(view.conjugate, scale, config.precondition_floor, inverse)
        count = np.count_nonzero(view.weights, axis=(1, 2))
        importance = view.weights.sum(axis=(1, 2), dtype=np.float64) / np.maximum(count, 1)
        # Only ratios count: relative to the largest they stay in range whatever the units.
        importance /= max(importance.max(), np.finfo(np.float64).tiny)
        planes = (view.cube, np.empty_like(view.cube), np.empty(view.box.shape, dtype=dtype))
        return cls(view, inverse, importance.astype(dtype), planes, config)

    @property
    def box(self) -> Box:
        """Where the planes lie; rows of those with bands are longer."""
        return self.view.box

    def run(self, pool: Pool, losses: FloatArray, span: tuple[int, int], momentum: float) -> tuple[int, float, bool]:
        """Take the steps of a ``span``; the pool's second row holds the morphologies before. See `ahead_stretch`."""
        view, config = self.view, self.config
        return ahead_stretch(
            (view.images, view.weights, view.transform, self.inverse),
            self.planes,
            (np.array(self.box.origin, dtype=np.int64), pool.boxes, pool.starts, pool.centers, pool.kept),
            pool.spectra[0],
            (*pool.morphs, np.empty_like(pool.morphs[0])),
            (pool.levels[0], self.importance),
            (momentum, DAMPING, config.e_rel),
            (config.monotonic, config.symmetric, config.symmetry == "mean"),
            pool.weights,
            losses,
            span,
        )
