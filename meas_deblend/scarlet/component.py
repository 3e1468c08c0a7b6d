"""A factorized component: one spectrum times one morphology."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..geometry import Box, FloatArray
from ._jit import jit
from .parameters import Constraint, Prior

__all__ = ["Component", "PointComponent", "factor_gradients", "resample", "scene"]


@dataclass(frozen=True, slots=True, eq=False)
class Component:
    """Spectrum × morphology in the resolution of the model PSF.

    Parameters
    ----------
    center : tuple of int
        Peak ``(y, x)`` about which the constraints hold.
    box : Box
        Where the morphology lies; inside the frame.
    spectrum : array (band,)
        Flux per band and unit of morphology; positive.
    morph : array (y, x)
        Shape; at least 0, maximum 1 unless the options of the fit ask for another normalisation.
    priors : tuple of Prior or None, optional
        Of the spectrum, and of the morphology on whatever box it has.
    constraints : tuple of callables, optional
        Projections of the morphology (y, x), applied in this order before it becomes sparse and is normalised.
    """

    center: tuple[int, int]
    box: Box
    spectrum: FloatArray
    morph: FloatArray
    priors: tuple[Prior | None, Prior | None] = (None, None)
    constraints: tuple[Constraint, ...] = ()

    @property
    def is_special(self) -> bool:
        """Whether more is known of it than what the options of the fit say of all components."""
        return bool(self.constraints) or any(prior is not None for prior in self.priors)

    @property
    def peak(self) -> tuple[int, int]:
        """Index of the centre in the morphology."""
        return (self.center[0] - self.box.origin[0], self.center[1] - self.box.origin[1])

    @property
    def flux(self) -> FloatArray:
        """Sum (band,) of the model, before convolution."""
        flux: FloatArray = self.spectrum * self.morph.sum(dtype=np.float64).astype(self.morph.dtype)
        return flux

    @property
    def cube(self) -> FloatArray:
        """Model (band, y, x) on the box."""
        return self.spectrum[:, None, None] * self.morph


@dataclass(frozen=True, slots=True, eq=False)
class PointComponent(Component):
    """A point source: its morphology is the model PSF at ``position``, and is kept by the fit.

    Parameters
    ----------
    position : tuple of float
        ``(y, x)`` in pixels.
    slopes : array (2, y, x)
        Derivatives of the morphology by the position.
    unit : float
        Largest pixel of the model PSF of unit flux there, by which the morphology was divided.
    """

    position: tuple[float, float] = (0.0, 0.0)
    slopes: FloatArray = field(default_factory=lambda: np.zeros((2, 0, 0)))
    unit: float = 1.0

    @property
    def total(self) -> FloatArray:
        """Flux (band,) of the whole point source, with what lies outside the box."""
        flux: FloatArray = self.spectrum / self.spectrum.dtype.type(self.unit)
        return flux

    def tangents(self) -> FloatArray:
        """Differentiate the morphology by the position (2, y, x)."""
        return self.slopes


def scene(components: Sequence[Component], shape: tuple[int, int, int], dtype: np.dtype[np.floating]) -> FloatArray:
    """Sum (band, y, x) of the components on a frame of ``shape``, before convolution."""
    model = np.zeros(shape, dtype=dtype)
    for component in components:
        add_product(model, component.spectrum, component.morph, component.box.origin)
    return model


def resample(array: FloatArray, box: Box, new: Box) -> FloatArray:
    """Copy an array (y, x) on ``box`` to ``new``: the overlap is kept, other pixels are 0."""
    out = np.zeros(new.shape, dtype=array.dtype)
    here, there = box.overlap_slices(new)
    out[there] = array[here]
    return out


@jit
def dot(a: FloatArray, b: FloatArray) -> float:
    """Σ a b of two lines.

    Four sums side by side keep the processor busy; their order is fixed, so that the result is the same anywhere.
    """
    n = len(a)
    s0, s1, s2, s3 = a.dtype.type(0), a.dtype.type(0), a.dtype.type(0), a.dtype.type(0)
    for i in range(0, n - 3, 4):
        s0 += a[i] * b[i]
        s1 += a[i + 1] * b[i + 1]
        s2 += a[i + 2] * b[i + 2]
        s3 += a[i + 3] * b[i + 3]
    for i in range(n - n % 4, n):
        s0 += a[i] * b[i]
    return float((s0 + s1) + (s2 + s3))


@jit
def add_product(cube: FloatArray, spectrum: FloatArray, morph: FloatArray, origin: tuple[int, int]) -> None:
    """Add spectrum (band,) × morph (h, w), whose first pixel is ``origin``, to ``cube`` (band, y, x) in place."""
    y0, x0 = origin
    h, w = morph.shape
    for b in range(len(spectrum)):
        for y in range(h):
            for x in range(w):
                cube[b, y0 + y, x0 + x] += spectrum[b] * morph[y, x]


@jit
def factor_gradients(
    gradient: FloatArray, spectrum: FloatArray, morph: FloatArray, origin: tuple[int, int]
) -> tuple[FloatArray, FloatArray]:
    """Chain rule for the product model: gradients of the spectrum (band,) and of the morphology (h, w).

    With g = −∂logL/∂M (band, y, x): Σ_yx g S per band, and Σ_b A g per pixel.
    """
    y0, x0 = origin
    h, w = morph.shape
    for_spectrum, for_morph = np.zeros_like(spectrum), np.zeros_like(morph)
    for b in range(len(spectrum)):
        total = 0.0
        for y in range(h):
            for x in range(w):
                g = gradient[b, y0 + y, x0 + x]
                total += g * morph[y, x]
                for_morph[y, x] += spectrum[b] * g
        for_spectrum[b] = total
    return for_spectrum, for_morph
