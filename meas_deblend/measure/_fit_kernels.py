"""Compiled fits of Gaussian weights to all images of an object, from the first step to the errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..scarlet._jit import jit
from ._gaussian_kernels import FitLimits, iterate_fits, weighted_loss
from ._newton_kernels import newton_steps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray, IntArray

    Float = NDArray[np.float64]

__all__ = ["LossLimits", "fit_weights"]

# A last step longer than this part of the weight is wild: then the fixed-point result stands.
_LONGEST = 0.1


class LossLimits(NamedTuple):
    """Which part of a weight may be lost, and the codes of `FlagReason` for that."""

    max_lost: float
    edge: int
    masked: int


@jit
def fit_weights(
    planes: tuple[Float, Float, Float],
    seen: tuple[BoolArray, BoolArray],
    origin: Float,
    fits: tuple[Float, Float, IntArray, IntArray],
    limits: tuple[FitLimits, LossLimits],
) -> None:
    """Fit weights, take a last step of Newton's method, propagate the noise, and look at what the weights lay on.

    Parameters
    ----------
    planes : tuple of float64 array
        Images (N, h, w), the variances of their pixels (B, h, w), and the correlation of these (B, 2 L + 1, 2 L + 1):
        image k has those of band k modulo B.
    seen : tuple of bool array
        Usable pixels (B, h, w) of the first images; those of others all are. Pixels of the image (h, w).
    origin : float64 array (2,)
        Of the images' first pixel [px].
    fits : tuple of array
        Weights (N, 5), to start with and as they end: y, x, Iyy, Iyx, Ixx; their covariances (N, 5, 5), NaN, where a
        fit ends well overwritten; reasons (N,) not to fit an image, to which others are added; and the image (N,) whose
        solution each takes: itself, or one before it.
    limits : tuple
        When a fit ends, and what may be lost.
    """
    images, noise, xi = planes
    weights, covariance, reasons, lead = fits
    fitting, losing = limits
    index = _chosen(reasons, lead)
    found = iterate_fits(images, origin, weights, index, fitting)
    for k in range(len(index)):
        reasons[index[k]] = found[k]
    for n in range(len(images)):
        # Images that repeat another one have its solution, and errors of their own.
        if lead[n] != n and reasons[n] == 0:
            reasons[n] = reasons[lead[n]]
            _copy_row(weights[lead[n]], weights[n])
    index = _chosen(reasons, np.arange(len(images)))
    if len(index) == 0:
        return
    loss = _lost(seen, origin, weights, index)
    steps, spread, singular = newton_steps((images, noise, xi), origin, weights, index, 5 if fitting.adapt else 2)
    for k in range(len(index)):
        n = index[k]
        for i in range(5):
            _copy_row(spread[k, i], covariance[n, i])
        if _short(steps[k], weights[n]):
            for i in range(5):
                weights[n, i] += steps[k, i]
        if singular[k]:
            reasons[n] |= fitting.not_converged
        if loss[k, 0] > losing.max_lost:
            reasons[n] |= losing.edge
        if loss[k, 1] > losing.max_lost:
            reasons[n] |= losing.masked


@jit
def _chosen(reasons: IntArray, lead: IntArray) -> IntArray:
    """Which images have no reason not to be fitted, and lead themselves."""
    index, used = np.empty(len(reasons), dtype=np.int64), 0
    for n in range(len(reasons)):
        if reasons[n] == 0 and lead[n] == n:
            index[used] = n
            used += 1
    return index[:used]


@jit
def _copy_row(source: Float, target: Float) -> None:
    """Copy a row, without the check of shapes that takes long to compile."""
    for i in range(len(target)):
        target[i] = source[i]


@jit
def _lost(seen: tuple[BoolArray, BoolArray], origin: Float, weights: Float, index: IntArray) -> Float:
    """Part of each weight beyond the edge of the image, and part on bad pixels of it (n, 2)."""
    usable, observed = seen
    out, complete = np.zeros((len(index), 2)), True
    for n in index:
        complete = complete and (n >= len(usable) or usable[n].all())
    if not complete:
        sums = weighted_loss(usable, observed, origin, weights[index], index)
        for k in range(len(index)):
            out[k, 0] = sums[k, 1] / sums[k, 0]
            out[k, 1] = (sums[k, 2] - sums[k, 1]) / sums[k, 0]
    return out


@jit
def _short(step: Float, weight: Float) -> bool:
    """Whether a step, of the centre and of the moments, is short by the size of the weight."""
    square = (weight[2] + weight[4]) / 2
    size = np.sqrt(square)
    # Written so that NaN is not short.
    near = abs(step[0]) < _LONGEST * size and abs(step[1]) < _LONGEST * size
    for k in range(2, 5):
        near = near and abs(step[k]) < _LONGEST * square
    return bool(near)
