"""The part of an observation that the fit works on, with buffers that every iteration uses again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..geometry import BoolArray, Box, FloatArray
from ._jit import jit
from .component import dot
from .convolve import Convolver
from .general import LinearObservation
from .kernels import ComplexArray
from .observation import Observation
from .row_filter import filter_rows

__all__ = ["CroppedView", "View", "WholeView", "cropped_view", "view_around", "weigh_rows"]


class View(Protocol):
    """Data to compare a model with."""

    @property
    def box(self) -> Box:
        """Where the model is drawn."""
        ...

    @property
    def cube(self) -> FloatArray:
        """Where to draw it (band, y, x): its first pixel is the box's; it may be wider than the box."""
        ...

    def log_likelihood(self) -> float:
        """Log-likelihood of what was drawn."""
        ...

    def gradient(self) -> tuple[float, FloatArray]:
        """Log-likelihood of what was drawn, and the gradient of its negative, laid out like `cube`."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class WholeView:
    """Data on any grid, reached by `render` and `adjoint` alone."""

    observation: LinearObservation
    cube: FloatArray

    @property
    def box(self) -> Box:
        """The whole frame."""
        return self.observation.frame

    def log_likelihood(self) -> float:
        """Log-likelihood of what was drawn."""
        residual = self.observation.render(self.cube) - self.observation.images
        return -0.5 * float(np.sum(self.observation.weights * residual**2, dtype=np.float64))

    def gradient(self) -> tuple[float, FloatArray]:
        """Log-likelihood of what was drawn, and the gradient (band, y, x) of its negative."""
        observation = self.observation
        residual = observation.render(self.cube) - observation.images
        weighted = observation.weights * residual
        value = -0.5 * float(np.sum(weighted * residual, dtype=np.float64))
        return value, observation.adjoint(weighted)


@dataclass(frozen=True, slots=True, eq=False)
class CroppedView:
    """The box of an `Observation` where there is weight or light.

    Rows are as long as their transforms, with zeros at the end: nothing has to be padded or cut.
    """

    box: Box
    cube: FloatArray
    images: FloatArray
    weights: FloatArray
    transform: ComplexArray
    conjugate: ComplexArray

    def log_likelihood(self) -> float:
        """Log-likelihood of what was drawn."""
        return weigh_rows(filter_rows(self.cube, self.transform), self.images, self.weights)

    def gradient(self) -> tuple[float, FloatArray]:
        """Log-likelihood of what was drawn, and the gradient (band, y, row) of its negative; rows have a tail."""
        residual = filter_rows(self.cube, self.transform)
        value = weigh_rows(residual, self.images, self.weights)
        return value, filter_rows(residual, self.conjugate)


def view_around(observation: LinearObservation, extent: Box) -> CroppedView | WholeView:
    """View of what weighs and of ``extent``: elsewhere nothing of the model reaches a pixel that counts.

    Data on another grid than the model's are seen whole.
    """
    if isinstance(observation, Observation):
        return cropped_view(observation, extent)
    shape = (len(observation.weights), *observation.frame.shape)
    return WholeView(observation, np.zeros(shape, dtype=observation.weights.dtype))


def cropped_view(observation: Observation, extent: Box) -> CroppedView:
    """View of what weighs and of ``extent``, on a box for which the transforms are short."""
    weighs: BoolArray = np.any(observation.weights > 0, axis=0)
    box = _roomy(Box.from_mask(weighs) | extent, observation)
    whole = box == observation.frame
    convolver = observation.convolver if whole else Convolver(observation.convolver.kernels, box.shape)
    cut = (slice(None), *box.slices_in(observation.frame))
    return CroppedView(
        box,
        np.zeros((len(observation.weights), box.shape[0], convolver.lengths[1]), dtype=observation.weights.dtype),
        np.ascontiguousarray(observation.images[cut]),
        np.ascontiguousarray(observation.weights[cut]),
        convolver.transform,
        convolver.conjugate,
    )


def _roomy(box: Box, observation: Observation) -> Box:
    """Grow a box inside the frame as far as its transforms, whose lengths are rounded up, have room."""
    (ly, lx), (ry, rx) = (
        Convolver(observation.convolver.kernels, box.shape).lengths,
        observation.convolver.kernels.radius,
    )
    sides = []
    for axis, (length, reach) in enumerate(((ly, ry), (lx, rx))):
        first, stop = box.origin[axis], box.stop[axis]
        spare = min(length - reach, observation.frame.shape[axis]) - (stop - first)
        before = min(max(spare, 0) // 2, first)
        after = min(max(spare, 0) - before, observation.frame.shape[axis] - stop)
        sides.append((first - before, stop + after))
    (y0, y1), (x0, x1) = sides
    return Box.from_bounds(y0, y1, x0, x1)


@jit
def weigh_rows(rendered: FloatArray, images: FloatArray, weights: FloatArray) -> float:
    """Turn ``rendered`` into weights × (rendered − images) in place, and return −½ Σ weights (rendered − images)².

    Rows of ``rendered`` may be longer than those of the images; their tails become 0.
    """
    chi2 = 0.0
    n = images.shape[2]
    line = np.empty(n, dtype=rendered.dtype)
    for b in range(images.shape[0]):
        for y in range(images.shape[1]):
            model, data, weight = rendered[b, y], images[b, y], weights[b, y]
            for x in range(n):
                line[x] = model[x] - data[x]
            for x in range(n):
                model[x] = weight[x] * line[x]
            model[n:] = 0
            chi2 += dot(line, model[:n])
    return -0.5 * chi2
