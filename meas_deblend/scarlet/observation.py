"""The data of a blend as the fit sees them: what a model looks like in each band, and how well it agrees."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..geometry import BoolArray, Box, FloatArray
from ._jit import jit
from .component import dot
from .convolve import Convolver

__all__ = ["Observation", "mean_noise", "point_source_snr"]


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """Images of one blend in all bands.

    Parameters
    ----------
    images : array (band, y, x)
        Finite.
    variance : array (band, y, x)
        Infinite or NaN where a pixel holds no measurement.
    weights : array (band, y, x)
        Finite, at least 0.
    convolver : Convolver
        Takes models to the bands' seeing; its frame is that of the images.
    noise : array (band,)
        Typical standard deviation of a pixel; infinite for a band without measurements.
    """

    images: FloatArray
    variance: FloatArray
    weights: FloatArray
    convolver: Convolver
    noise: FloatArray

    @property
    def frame(self) -> Box:
        """All pixels, with the origin at (0, 0)."""
        return Box((0, 0), (self.images.shape[1], self.images.shape[2]))

    def crop(self, box: Box) -> Observation:
        """Return the part on ``box``, inside the frame, whose first pixel becomes (0, 0)."""
        cut = (slice(None), *box.slices_in(self.frame))
        return Observation(
            np.ascontiguousarray(self.images[cut]),
            np.ascontiguousarray(self.variance[cut]),
            np.ascontiguousarray(self.weights[cut]),
            Convolver(self.convolver.kernels, box.shape),
            self.noise,
        )

    def render(self, model: FloatArray) -> FloatArray:
        """Model cube (band, y, x) in the seeing of each band."""
        return self.convolver.render(model)

    def adjoint(self, residual: FloatArray) -> FloatArray:
        """Transpose of `render`."""
        return self.convolver.adjoint(residual)

    def log_likelihood(self, model: FloatArray) -> float:
        """−½ Σ w (rendered model − images)²."""
        return weigh_residual(self.render(model), self.images, self.weights)

    def gradient(self, model: FloatArray) -> tuple[float, FloatArray]:
        """Log-likelihood of the model cube, and the gradient (band, y, x) of its negative."""
        rendered = self.render(model)
        log_likelihood = weigh_residual(rendered, self.images, self.weights)
        return log_likelihood, self.adjoint(rendered)


@jit
def weigh_residual(rendered: FloatArray, images: FloatArray, weights: FloatArray) -> float:
    """Turn ``rendered`` into weights × (rendered − images) in place, and return −½ Σ weights (rendered − images)²."""
    chi2 = 0.0
    line = np.empty(rendered.shape[2], dtype=rendered.dtype)
    for b in range(rendered.shape[0]):
        for y in range(rendered.shape[1]):
            model, data, weight = rendered[b, y], images[b, y], weights[b, y]
            for x in range(len(model)):
                residual = model[x] - data[x]
                line[x] = residual
                model[x] = weight[x] * residual
            chi2 += dot(line, model)
    return -0.5 * chi2


def mean_noise(variance: FloatArray) -> FloatArray:
    """Mean standard deviation (band,) over pixels with finite, non-negative variance; infinite where there is none."""
    usable: BoolArray = np.isfinite(variance) & (variance >= 0)
    total = np.sqrt(np.where(usable, variance, 0), dtype=np.float64).sum(axis=(1, 2))
    count = usable.sum(axis=(1, 2))
    noise: FloatArray = np.divide(total, count, out=np.full(len(total), np.inf), where=count > 0)
    return noise.astype(variance.dtype)


def point_source_snr(images: FloatArray, variance: FloatArray, psfs: FloatArray, center: tuple[int, int]) -> float:
    """Signal-to-noise ratio over all bands of a point source at ``center``: Σ D P / √Σ P² V over the PSF's stamp."""
    h, w = psfs.shape[-2:]
    stamp = Box((center[0] - h // 2, center[1] - w // 2), (h, w))
    here, there = stamp.overlap_slices(Box((0, 0), (images.shape[1], images.shape[2])))
    # Copies, so that there is one compiled loop for stamps that reach over the edge and those that do not.
    cut = (images[:, *there], variance[:, *there], psfs[:, *here])
    signal, power = matched_sums(*map(np.ascontiguousarray, cut))
    return signal / math.sqrt(power) if power > 0 else 0.0


@jit
def matched_sums(images: FloatArray, variance: FloatArray, psfs: FloatArray) -> tuple[float, float]:
    """Σ D P and Σ P² V over pixels with positive, finite variance, in double precision."""
    signal, power = 0.0, 0.0
    for b in range(images.shape[0]):
        for y in range(images.shape[1]):
            data, var, psf = images[b, y], variance[b, y], psfs[b, y]
            for x in range(len(data)):
                if 0 < var[x] < np.inf:
                    value = float(psf[x])
                    signal += value * data[x]
                    power += value * value * var[x]
    return signal, power
