"""All components of a blend under way in flat arrays: the state of a fit with AMSGrad."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ..geometry import BoolArray, Box, FloatArray, IntArray
from .component import Component, PointComponent
from .config import FitConfig
from .monotone import monotone_weights
from .pool_kernels import FLOOR, add_components, best_boxes, bounds, move_values, step_components
from .stretches import step_stretch
from .view import CroppedView

__all__ = ["Pool", "next_change"]

B1, B2, EPS = 0.9, 0.999, 1e-8
"""Decay of the first and of the second moment, and floor of the second."""

LEAST_MOMENT = 1e-11
"""Floor of the second moments of spectra times the square of the noise."""


@dataclass(slots=True)
class Pool:
    """Components with their moments; a worker of the fit, whose arrays change with every step.

    Parameters
    ----------
    boxes : int array (n, 4)
        First row and column, height and width, on the frame of the images.
    centers : int array (n, 2)
    spectra : array (4, n, band)
        Values and three moments.
    morphs : array (4, size)
        The same for all morphologies, one behind the other.
    frame : Box
        Of the images.
    config : FitConfig
    starts : int array (n + 1,)
        Where each morphology begins.
    weights : array (r, r, 4)
        Of `monotone_weights`.
    levels : two arrays (band,)
        Noise, 0 in a band without measurements, and the thresholds of sparsity.
    points : mapping of int to PointComponent
        Components whose morphologies are kept, by their numbers.
    kept : bool array (n,)
        The same as an array.
    least_moment : float
        Floor of the second moments of spectra.
    """

    boxes: IntArray
    centers: IntArray
    spectra: FloatArray
    morphs: FloatArray
    frame: Box
    config: FitConfig
    starts: IntArray
    weights: FloatArray
    levels: tuple[FloatArray, FloatArray]
    points: dict[int, PointComponent]
    kept: BoolArray
    least_moment: float

    @classmethod
    def of(cls, components: Sequence[Component], frame: Box, noise: FloatArray, config: FitConfig) -> Pool:
        """Gather components, with moments of 0."""
        dtype = components[0].morph.dtype
        boxes = np.array([(*c.box.origin, *c.box.shape) for c in components], dtype=np.int64)
        centers = np.array([c.center for c in components], dtype=np.int64)
        starts = _starts(boxes)
        spectra = np.zeros((4, len(components), len(noise)), dtype=dtype)
        spectra[0] = [c.spectrum for c in components]
        morphs = np.zeros((4, starts[-1]), dtype=dtype)
        for k, component in enumerate(components):
            morphs[0, starts[k] : starts[k + 1]] = component.morph.ravel()
        weights = _weights(boxes, dtype, config)
        known = np.where(np.isfinite(noise), noise, 0).astype(dtype)
        levels = (known, (config.bg_thresh * noise).astype(dtype))
        points = {k: component for k, component in enumerate(components) if isinstance(component, PointComponent)}
        kept = np.array([isinstance(component, PointComponent) for component in components])
        least = _least_moment(known) if config.scale_free else EPS
        return cls(boxes, centers, spectra, morphs, frame, config, starts, weights, levels, points, kept, least)

    def restarted(self) -> Pool:
        """Return the same pool, its moments set to 0."""
        self.spectra[1:] = 0
        self.morphs[1:] = 0
        return self

    @property
    def extent(self) -> Box:
        """Box around all components."""
        return Box.from_bounds(*bounds(self.boxes))

    def add_to(self, cube: FloatArray, box: Box) -> None:
        """Add the model to ``cube`` (band, y, x) on ``box``, which holds all components."""
        origin = np.array(box.origin, dtype=np.int64)
        add_components(cube, origin, self.boxes, self.starts, self.spectra[0], self.morphs[0])

    def step(self, gradient: FloatArray, box: Box, iteration: int) -> None:
        """Take one step with the gradient of −logL with respect to the model on ``box``; ``iteration`` is from 0."""
        config = self.config
        # The moments know few gradients in the first iterations.
        ramp = min(max(0.1, iteration / config.warm_up), 1.0)
        constants = self._constants()
        constants[FLOOR + 1 : FLOOR + 4] = self._steps() * ramp
        step_components(
            gradient,
            np.array(box.origin, dtype=np.int64),
            (self.boxes, self.starts, self.centers, self.kept),
            self.spectra,
            self.morphs,
            self.levels,
            constants,
            self._switches(),
            self.weights,
        )

    def run(
        self, view: CroppedView, values: FloatArray, best_value: float, span: tuple[int, int], is_feasible: bool
    ) -> tuple[int, float, int, Callable[[], tuple[Component, ...]]]:
        """Take the steps of a ``span`` in compiled code; see `step_stretch`.

        Parameters
        ----------
        view : CroppedView
            That holds all components.
        values : array (m,)
            Log-likelihoods of all updates so far; continued.
        best_value : float
            Log-likelihood that an iterate has to exceed to be the best.
        span : tuple of int
            Numbers of the first update and of the one after the last.
        is_feasible : bool
            Whether the first of all iterates meets the constraints.

        Returns
        -------
        tuple
            What `step_stretch` does, and the best iterate, if it is of this stretch.
        """
        config = self.config
        record = (values, np.empty_like(self.spectra[0]), np.empty_like(self.morphs[0]))
        rules = (config.e_rel, config.min_iter, config.window, config.stop == "last_two", config.warm_up)
        found = step_stretch(
            (view.images, view.weights, view.transform, view.conjugate),
            view.cube,
            (np.array(view.box.origin, dtype=np.int64), self.boxes, self.starts, self.centers, self.kept),
            self.spectra,
            self.morphs,
            self.levels,
            self._constants(),
            self._steps(),
            self._switches(),
            self.weights,
            np.array([*rules, not is_feasible], dtype=np.float64),
            record,
            best_value,
            span,
        )
        return *found, partial(self._components, self.boxes, self.starts, *record[1:])

    def _steps(self) -> FloatArray:
        """Full steps (3,): of morphologies, of spectra relative to their mean, and least ones relative to the noise."""
        config = self.config
        return np.array([config.morph_step, config.spectrum_step, config.spectrum_step_floor])

    def _constants(self) -> FloatArray:
        """Constants of `step_components`, with steps of 0."""
        return np.array([B1, 1 - B1, B2, 1 - B2, EPS, 0, 0, 0, self.least_moment], dtype=self.morphs.dtype)

    def _switches(self) -> tuple[bool, bool, bool, bool, bool]:
        config = self.config
        is_mean = config.symmetry == "mean"
        return (config.monotonic, config.symmetric, config.edge_damping, config.rescale_spectrum, is_mean)

    @property
    def log_prior(self) -> float:
        """0: components with priors are not stepped here."""
        return 0.0

    def resize(self) -> bool:
        """Fit the boxes to what is significant; return whether any has changed."""
        frame = (*self.frame.shape, self.config.resize_padding)
        layout = (self.boxes, self.starts, self.centers)
        boxes = best_boxes(layout, self.spectra[0], self.morphs[0], self.levels[1], frame)
        if self.points:
            boxes[self.kept] = self.boxes[self.kept]
        if (boxes == self.boxes).all():
            return False
        starts = _starts(boxes)
        morphs = np.zeros((4, starts[-1]), dtype=self.morphs.dtype)
        move_values(self.morphs, self.boxes, self.starts, morphs, boxes, starts)
        self.boxes, self.starts, self.morphs = boxes, starts, morphs
        self.weights = _weights(boxes, morphs.dtype, self.config)
        return True

    def keep(self) -> Callable[[], tuple[Component, ...]]:
        """Remember the present iterate: two copies, of which components are made when it turns out to be the best."""
        return partial(self._components, self.boxes, self.starts, self.spectra[0].copy(), self.morphs[0].copy())

    def components(self) -> tuple[Component, ...]:
        """Return the present iterate."""
        return self.keep()()

    def _components(
        self, boxes: IntArray, starts: IntArray, spectra: FloatArray, morphs: FloatArray
    ) -> tuple[Component, ...]:
        found = list[Component]()
        for k, (y0, x0, h, w) in enumerate(boxes.tolist()):
            if k in self.points:
                found.append(replace(self.points[k], spectrum=spectra[k].copy()))
                continue
            morph = morphs[starts[k] : starts[k + 1]].reshape(h, w).copy()
            y, x = self.centers[k].tolist()
            found.append(Component((y, x), Box((y0, x0), (h, w)), spectra[k].copy(), morph))
        return tuple(found)


def next_change(done: int, config: FitConfig) -> int:
    """Return the number of the update, from ``done`` on but not the very first, after which boxes are changed."""
    every = config.resize_every
    return max(-(-done // every), 1) * every


def _least_moment(noise: FloatArray) -> float:
    """Floor of the second moments of spectra, whose gradients are inverse image units; noise (band,), 0 if unknown."""
    known = noise[noise > 0].astype(np.float64)
    return float(LEAST_MOMENT / np.mean(known) ** 2) if known.size else EPS


def _weights(boxes: IntArray, dtype: np.dtype[np.floating], config: FitConfig) -> FloatArray:
    """Weights of the monotonicity for the largest box; few sizes, so that few tables are made."""
    radius = max(1 << int(boxes[:, 2:].max()).bit_length(), 64)
    return monotone_weights(radius, dtype.str, config.monotonic_weights)


def _starts(boxes: IntArray) -> IntArray:
    starts: IntArray = np.concatenate([[0], np.cumsum(boxes[:, 2] * boxes[:, 3])])
    return starts
