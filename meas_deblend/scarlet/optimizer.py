"""Proximal gradient schemes: adaptive ones with momentum, and FISTA."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..geometry import FloatArray
from .config import OptimizerName

__all__ = ["AdaProx", "Fista", "Optimizer", "make_optimizer"]

Prox = Callable[[FloatArray], FloatArray]
Resample = Callable[[FloatArray], FloatArray]

B1, B2, EPS, POWER = 0.9, 0.999, 1e-8, 0.25
"""Decay of the first and of the second moment, floor of the second, and padam's exponent."""


@dataclass(slots=True)
class AdaProx:
    """Adaptive moments, then projection (Melchior et al. 2019, arXiv:1910.10094).

    A worker of the fit: its arrays are changed by every `update`.

    Schemes: adam (Kingma & Ba 2015), nadam (Dozat 2016), amsgrad (Reddi et al. 2018), adamx (Phuong & Phong 2019),
    padam (Chen & Gu 2018), radam (Liu et al. 2020). amsgrad, adamx and padam take the first moment without bias
    correction; the first update is ten times smaller, since the moments know only one gradient then.
    """

    scheme: OptimizerName
    m: FloatArray
    v: FloatArray
    vhat: FloatArray

    def update(
        self, x: FloatArray, gradient: FloatArray, step: FloatArray | float, iteration: int, prox: Prox
    ) -> FloatArray:
        """Return the parameter after one update; ``x`` may be overwritten. ``iteration`` counts from 0."""
        self.m *= B1
        self.m += (1 - B1) * gradient
        self.v *= B2
        self.v += (1 - B2) * gradient**2
        phi, psi = self._direction(gradient, iteration)
        x -= (step / 10 if iteration == 0 else step) * phi / psi
        return prox(x)

    def point(self, x: FloatArray) -> FloatArray:
        """Where the next gradient belongs: at the parameter ``x`` itself."""
        return x

    def rescale(self, factor: float) -> None:
        """Leave the moments as they are when the parameter is multiplied: they adapt."""

    def resize(self, resample: Resample) -> None:
        """Carry the moments to another box; new pixels start at 0."""
        self.m, self.v, self.vhat = resample(self.m), resample(self.v), resample(self.vhat)

    def _direction(self, gradient: FloatArray, iteration: int) -> tuple[FloatArray, FloatArray]:
        t = iteration + 1
        if self.scheme in ("amsgrad", "adamx", "padam"):
            # With constant decay adamx's factor ((1 − b1[t]) / (1 − b1[t−1]))² is 1, and it coincides with amsgrad.
            np.maximum(self.vhat, self.v, out=self.vhat)
            floored = np.maximum(self.vhat, EPS)
            return self.m, floored**POWER if self.scheme == "padam" else np.sqrt(floored)
        phi = self.m / (1 - B1**t)
        corrected = np.sqrt(self.v / (1 - B2**t))
        if self.scheme == "nadam":
            phi = (B1 * self.m + (1 - B1) * gradient) / (1 - B1**t)
        if self.scheme == "radam":
            return phi, np.maximum(_rectified(corrected, t), np.sqrt(EPS))
        return phi, corrected + EPS


def _rectified(corrected: FloatArray, t: int) -> FloatArray:
    """Second moment of radam: rectified where its variance is tractable, else 1 (Liu et al. 2020, algorithm 2)."""
    limit = 2 / (1 - B2) - 1
    length = limit - 2 * t * B2**t / (1 - B2**t)
    if length <= 4:
        return np.ones_like(corrected)
    r = np.sqrt((length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length))
    return corrected / float(r)


@dataclass(slots=True)
class Fista:
    """Accelerated proximal gradient (Beck & Teboulle 2009, section 4), with the gradient at the extrapolated point.

    A worker of the fit: its arrays are changed by every `update`.
    """

    z: FloatArray
    t: float = 1.0

    def update(
        self,
        x: FloatArray,
        gradient: FloatArray,
        step: FloatArray | float,
        iteration: int,  # noqa: ARG002 -- belongs to the interface of optimizers
        prox: Prox,
    ) -> FloatArray:
        """Return the parameter after one update."""
        new = prox(self.z - step * gradient)
        t = (1 + float(np.sqrt(1 + 4 * self.t**2))) / 2
        self.z = x + (1 + (self.t - 1) / t) * (new - x)
        self.t = t
        return new

    def point(self, x: FloatArray) -> FloatArray:  # noqa: ARG002 -- belongs to the interface of optimizers
        """Where the next gradient belongs: at the extrapolated point."""
        return self.z

    def rescale(self, factor: float) -> None:
        """Multiply the extrapolated point, as the parameter was."""
        self.z = self.z * self.z.dtype.type(factor)

    def resize(self, resample: Resample) -> None:
        """Carry the extrapolated point to another box; new pixels start at 0."""
        self.z = resample(self.z)


Optimizer = AdaProx | Fista


def make_optimizer(scheme: OptimizerName, x: FloatArray) -> Optimizer:
    """Optimizer of a parameter that starts at ``x``."""
    if scheme == "fista":
        return Fista(x.copy())
    return AdaProx(scheme, np.zeros_like(x), np.zeros_like(x), np.full_like(x, -np.inf))
