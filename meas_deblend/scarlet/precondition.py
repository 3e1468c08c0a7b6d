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
from .pool import Pool
from .precondition_kernels import advance, draw_ahead
from .row_filter import filter_rows
from .view import CroppedView, cropped_view, weigh_rows

__all__ = ["approach"]

WINDOW = 5
"""Iterations over which the gain is judged."""

TOGETHER = 1 << 15
"""Values of transforms for which one temporary plane is made."""

DAMPING = 0.5
"""Fraction of a step of the spectra that is taken: the morphologies are stepped along the same residual."""


def approach(
    observation: Observation, components: Sequence[Component], config: FitConfig
) -> tuple[tuple[Component, ...], list[float]]:
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
    components : tuple of Component
        They meet all constraints but sparsity.
    loss : list of float
        Log-likelihood before each step, at the extrapolated point.
    """
    pool = Pool.of(components, observation.frame, observation.noise, config)
    work = _Work.around(observation, pool.extent, config)
    before, t = pool.morphs[0].copy(), 1.0
    loss: list[float] = []
    for iteration in range(min(config.precondition, config.max_iter)):
        t_next = (1 + float(np.sqrt(1 + 4 * t * t))) / 2
        ahead, claim, new = (np.empty_like(before) for _ in range(3))
        value, residual = work.residual(pool, before, (ahead, claim), (t - 1) / t_next)
        if not np.isfinite(value):
            break
        loss.append(value)
        uphill = work.step(pool, residual, (ahead, claim, new))
        t = 1.0 if uphill > 0 else t_next
        before, pool.morphs[0] = pool.morphs[0].copy(), new
        if iteration > 0 and iteration % config.resize_every == 0:
            # The previous iterate travels with the present one.
            pool.morphs[1] = before
            changed = pool.resize()
            before = pool.morphs[1].copy()
            if changed and not work.box.encloses(pool.extent):
                work = _Work.around(observation, pool.extent | work.box, config)
        if _has_settled(loss, config):
            break
    return pool.components(), loss


def _has_settled(loss: Sequence[float], config: FitConfig) -> bool:
    """Whether the best value has risen little over the last steps."""
    if len(loss) <= 2 * WINDOW:
        return False
    before, now = max(loss[1:-WINDOW]), max(loss[1:])
    return now - before < config.e_rel * abs(now)


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
        # Few bands at a time: temporary planes of all bands would take more memory than anything else in large blends.
        together = max(TOGETHER // inverse[0].size, 1)
        for first in range(0, len(inverse), together):
            some = slice(first, first + together)
            conjugate = view.conjugate[some]
            inverse[some] = scale[some, None, None] * conjugate / (np.abs(conjugate) ** 2 + config.precondition_floor)
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

    def residual(
        self, pool: Pool, before: FloatArray, out: tuple[FloatArray, FloatArray], momentum: float
    ) -> tuple[float, FloatArray]:
        """Extrapolate into ``out``; return the log-likelihood there and the deconvolved residual (band, y, row)."""
        origin = np.array(self.box.origin, dtype=np.int64)
        values = (pool.morphs[0], before, *out)
        layout = (pool.boxes, pool.starts)
        draw_ahead(self.planes, origin, layout, pool.spectra[0], values, (momentum, pool.levels[0]))
        rendered = filter_rows(self.view.cube, self.view.transform)
        value = weigh_rows(rendered, self.view.images, self.view.weights)
        return value, filter_rows(rendered, self.inverse)

    def step(self, pool: Pool, residual: FloatArray, out: tuple[FloatArray, FloatArray, FloatArray]) -> float:
        """Step from the extrapolated point by the claims into the last of ``out``; see `advance`."""
        return advance(
            (residual, self.planes[1], self.planes[2]),
            np.array(self.box.origin, dtype=np.int64),
            (pool.boxes, pool.starts, pool.centers, pool.kept),
            pool.spectra[0],
            (pool.morphs[0], *out),
            self.importance,
            DAMPING,
            (self.config.monotonic, self.config.symmetric, self.config.symmetry == "mean"),
            pool.weights,
        )
