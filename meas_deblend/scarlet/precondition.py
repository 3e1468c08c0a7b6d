"""Preconditioned steps: few iterations that bring a blend near its solution, before finer ones end it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..geometry import Box, FloatArray
from .component import Component
from .config import FitConfig
from .convolve import filter_cube
from .kernels import ComplexArray
from .observation import Observation, weigh_residual
from .pool import Pool
from .precondition_kernels import advance, draw_ahead
from .proximal import floor_spectrum
from .spectra import solve_spectra

__all__ = ["approach", "can_approach"]

SOLVES = (1, 4, 9, 15)
"""Iterations before which all spectra are solved for together."""

WINDOW = 5
"""Iterations over which the gain is judged."""


def can_approach(observation: Observation, config: FitConfig) -> bool:
    """Whether preconditioned steps are asked for and possible: they need the transforms of the kernels."""
    return config.precondition > 0 and hasattr(observation, "convolver")


def approach(
    observation: Observation, components: Sequence[Component], config: FitConfig
) -> tuple[tuple[Component, ...], list[float]]:
    """Bring components near the solution.

    The residual W (R − D), its weights relative to the largest of the band, is filtered with
    conj(K̂) / (|K̂|² + floor), which undoes the blurring where the kernel K passes enough; along it all morphologies and
    spectra are stepped by what is theirs if all components take part (as in the algebraic reconstruction of Andersen &
    Kak 1984, Ultrasonic Imaging 6, 81), with Nesterov's momentum, restarted when it points uphill (O'Donoghue & Candès
    2015, Found. Comput. Math. 15, 715).  Now and then all spectra are solved for.

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
    components : tuple of Component
        They meet all constraints but sparsity.
    loss : list of float
        Log-likelihood before each step, at the extrapolated point.
    """
    pool = Pool.of(components, observation.frame, observation.noise, config)
    work = _Work.around(observation, pool.extent, config)
    before, t = pool.morphs[0].copy(), 1.0
    loss: list[float] = []
    for iteration in range(config.precondition):
        if iteration in SOLVES:
            _solve(pool, observation, config)
        t_next = (1 + float(np.sqrt(1 + 4 * t * t))) / 2
        ahead = np.empty_like(before)
        value = work.residual(pool, before, ahead, (t - 1) / t_next)
        if not np.isfinite(value):
            break
        loss.append(value)
        new = np.empty_like(before)
        uphill = work.step(pool, ahead, new)
        t = 1.0 if uphill > 0 else t_next
        before, pool.morphs[0] = pool.morphs[0].copy(), new
        if iteration > 0 and iteration % config.resize_every == 0:
            # The previous iterate travels with the present one.
            pool.morphs[1] = before
            pool.resize()
            before = pool.morphs[1].copy()
            if not work.box.encloses(pool.extent):
                work = _Work.around(observation, pool.extent | work.box, config)
        if _has_settled(loss, config):
            break
    _solve(pool, observation, config)
    return pool.components(), loss


def _has_settled(loss: Sequence[float], config: FitConfig) -> bool:
    """Whether the best value has risen little over the last steps."""
    if len(loss) <= max(SOLVES[1], WINDOW) + 2:
        return False
    before, now = max(loss[1:-WINDOW]), max(loss[1:])
    return now - before < config.e_rel * abs(now)


def _solve(pool: Pool, observation: Observation, config: FitConfig) -> None:
    """Solve for all spectra with the present morphologies."""
    shapes = [(c.box, c.morph) for c in pool.components()]
    if config.spectra_limit is None or len(shapes) * observation.frame.area < config.spectra_limit:
        spectra = solve_spectra(shapes, observation, "nonnegative")
        pool.spectra[0] = floor_spectrum(spectra.astype(pool.spectra.dtype))


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """The part of the observation that counts, the filter, and room for planes on it."""

    observation: Observation
    box: Box
    inverse: ComplexArray
    importance: FloatArray
    planes: tuple[FloatArray, FloatArray, FloatArray]
    config: FitConfig

    @classmethod
    def around(cls, observation: Observation, extent: Box, config: FitConfig) -> _Work:
        """Take what weighs, and ``extent``."""
        box = Box.from_mask((observation.weights > 0).any(axis=0)) | extent
        view = observation if box == observation.frame else observation.crop(box)
        dtype = view.images.dtype
        largest = view.weights.max(axis=(1, 2))
        scale = np.divide(1, largest, out=np.zeros_like(largest), where=largest > 0)
        kernel = view.convolver.transform
        inverse = scale[:, None, None] * view.convolver.conjugate / (np.abs(kernel) ** 2 + config.precondition_floor)
        count = np.count_nonzero(view.weights, axis=(1, 2))
        importance = view.weights.sum(axis=(1, 2), dtype=np.float64) / np.maximum(count, 1)
        # Only ratios count: relative to the largest they stay in range whatever the units.
        importance /= max(importance.max(), np.finfo(np.float64).tiny)
        cube = np.empty((len(view.images), *box.shape), dtype=dtype)
        planes = (cube, np.empty_like(cube), np.empty(box.shape, dtype=dtype))
        return cls(view, box, inverse.astype(kernel.dtype), importance.astype(dtype), planes, config)

    def residual(self, pool: Pool, before: FloatArray, ahead: FloatArray, momentum: float) -> float:
        """Extrapolate into ``ahead``, and return the log-likelihood there; the first plane becomes the residual."""
        origin = np.array(self.box.origin, dtype=np.int64)
        values = (pool.morphs[0], before, ahead)
        draw_ahead(self.planes, origin, (pool.boxes, pool.starts), pool.spectra[0], values, momentum)
        rendered = self.observation.render(self.planes[0])
        value = weigh_residual(rendered, self.observation.images, self.observation.weights)
        self.planes[0][:] = filter_cube(rendered, self.inverse, self.observation.convolver.lengths)
        return value

    def step(self, pool: Pool, ahead: FloatArray, new: FloatArray) -> float:
        """Step into ``new``; see `advance`."""
        return advance(
            self.planes,
            np.array(self.box.origin, dtype=np.int64),
            (pool.boxes, pool.starts, pool.centers),
            pool.spectra[0],
            (pool.morphs[0], ahead, new),
            self.importance,
            self.config.precondition_damping,
            (self.config.monotonic, self.config.symmetric),
            pool.weights,
        )
