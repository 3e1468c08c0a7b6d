"""Components that a few parameters describe: point sources at a float position, and Sérsic profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from ..geometry import Box, FloatArray
from .component import Component, add_product
from .config import FitConfig
from .parameters import (
    NOISE_STEP,
    SPECTRUM_STEP,
    Parameter,
    ParameterSet,
    Prior,
    adaptive_scheme,
    bounded,
    shorter_than,
)
from .profiles import Resolution, SersicShape, point_images, sersic_images
from .proximal import SPECTRUM_FLOOR

__all__ = ["ParametricComponent", "PointProfile", "Profile", "SersicProfile", "point_source", "sersic_source"]

CENTER_STEP, SHAPE_STEP = 0.03, 0.02
"""Steps of positions in pixels and of ellipticities, and of radius and index as fractions of themselves."""

SERSIC_PARAMETERS = ("center", "radius", "ellipticity", "index")


class Profile(Protocol):
    """A family of morphologies."""

    def images(self, values: Mapping[str, FloatArray], box: Box) -> tuple[FloatArray, dict[str, FloatArray]]:
        """Image (y, x) of unit flux, and its derivatives (size of the parameter, y, x) by each parameter."""
        ...


@dataclass(frozen=True, slots=True)
class PointProfile:
    """The model PSF at the parameter ``center`` (y, x).

    Parameters
    ----------
    resolution : Resolution
    """

    resolution: Resolution = field(default_factory=Resolution)

    def images(self, values: Mapping[str, FloatArray], box: Box) -> tuple[FloatArray, dict[str, FloatArray]]:
        """Image of unit flux and its derivatives, see `profiles.point_images`."""
        image, slopes = point_images(values["center"], box, self.resolution)
        return image, {"center": slopes}


@dataclass(frozen=True, slots=True)
class SersicProfile:
    """Sérsic profile with the parameters ``center`` (2), ``radius`` (1), ``ellipticity`` (2) and ``index`` (1).

    Parameters
    ----------
    resolution : Resolution
    """

    resolution: Resolution = field(default_factory=Resolution)

    def images(self, values: Mapping[str, FloatArray], box: Box) -> tuple[FloatArray, dict[str, FloatArray]]:
        """Image of unit flux and its derivatives, see `profiles.sersic_images`."""
        (y, x), (g1, g2) = values["center"].tolist(), values["ellipticity"].tolist()
        shape = SersicShape((y, x), float(values["radius"][0]), (g1, g2), float(values["index"][0]))
        image, slopes = sersic_images(shape, box, self.resolution)
        return image, {"center": slopes[:2], "radius": slopes[2:3], "ellipticity": slopes[3:5], "index": slopes[5:]}


@dataclass(frozen=True, slots=True, eq=False)
class ParametricComponent:
    """Spectrum × a profile given by parameters.

    Parameters
    ----------
    profile : Profile
        Takes the parameters to an image of unit flux.
    box : Box
        Where the model lies; it keeps its size.
    parameters : mapping of Parameter
        ``spectrum`` (band,) in flux units, ``center`` (y, x), and those of the profile.
    """

    profile: Profile
    box: Box
    parameters: Mapping[str, Parameter]

    @property
    def values(self) -> dict[str, FloatArray]:
        """Value of each parameter."""
        return {name: parameter.value for name, parameter in self.parameters.items()}

    @property
    def center(self) -> tuple[float, float]:
        """Fitted position ``(y, x)``."""
        y, x = self.parameters["center"].value
        return (float(y), float(x))

    @property
    def peak(self) -> tuple[int, int]:
        """Index of the pixel of the centre in the morphology."""
        y, x = (
            int(np.clip(round(c) - o, 0, n - 1))
            for c, o, n in zip(self.center, self.box.origin, self.box.shape, strict=True)
        )
        return (y, x)

    @property
    def spectrum(self) -> FloatArray:
        """Flux (band,) of the whole profile, with what lies outside the box."""
        return self.parameters["spectrum"].value

    @property
    def morph(self) -> FloatArray:
        """Image (y, x) of unit flux on the box."""
        return self.profile.images(self.values, self.box)[0].astype(self.spectrum.dtype)

    @property
    def flux(self) -> FloatArray:
        """Sum (band,) of the model, before convolution."""
        flux: FloatArray = self.spectrum * self.morph.sum(dtype=np.float64).astype(self.spectrum.dtype)
        return flux

    def model(self) -> FloatArray:
        """Model (band, y, x) on the box."""
        return self.spectrum[:, None, None] * self.morph

    def gradients(self, gradient: FloatArray) -> dict[str, FloatArray]:
        """Chain rule: from the gradient (band, y, x) by the model on the box to that of every parameter."""
        image, slopes = self.profile.images(self.values, self.box)
        mixed = np.tensordot(self.spectrum.astype(np.float64), gradient, axes=1)
        found = {name: np.tensordot(slope, mixed, axes=2) for name, slope in slopes.items()}
        return {"spectrum": np.tensordot(gradient, image, axes=2), **found}

    def factorized(self) -> Component:
        """Return the same model as spectrum × a morphology with maximum 1, about the pixel nearest to the centre."""
        morph = self.morph
        scale = max(float(morph.max()), SPECTRUM_FLOOR)
        center = (self.peak[0] + self.box.origin[0], self.peak[1] + self.box.origin[1])
        return Component(center, self.box, self.spectrum * scale, morph / scale)

    def tangents(self) -> FloatArray:
        """Differentiate `morph` by all values that are fitted: (parameter, y, x)."""
        _, slopes = self.profile.images(self.values, self.box)
        free = [slopes[name] for name, parameter in self.parameters.items() if name in slopes and parameter.step > 0]
        return np.concatenate([*free, np.zeros((0, *self.box.shape))])

    def worker(self, config: FitConfig) -> ParametricWorker:
        """Return what carries this component through a fit."""
        return ParametricWorker(self, config)


@dataclass(slots=True)
class ParametricWorker:
    """A parametric component under way: its parameters are changed by every `update`."""

    start: ParametricComponent
    config: FitConfig
    under_way: ParameterSet = field(init=False)

    def __post_init__(self) -> None:
        self.under_way = ParameterSet(dict(self.start.parameters), adaptive_scheme(self.config))

    def component(self) -> ParametricComponent:
        """Return the component as it is now."""
        return replace(self.start, parameters=dict(self.under_way.parameters))

    def add_to(self, scene: FloatArray) -> None:
        """Add the model to a frame (band, y, x), in place."""
        now = self.component()
        add_product(scene, now.spectrum, now.morph, now.box.origin)

    def update(self, gradient: FloatArray, iteration: int, noise: FloatArray) -> None:
        """Step all parameters along the gradient (band, y, x) by the model on the frame.

        ``noise`` (band,) is the typical standard deviation of a pixel; ``iteration`` counts from 0.
        """
        now = self.component()
        box = now.box
        here = gradient[:, box.origin[0] : box.stop[0], box.origin[1] : box.stop[1]]
        # The least step is one of the peak's brightness, as for components whose morphology has maximum 1.
        peak = max(float(now.morph.max()), SPECTRUM_FLOOR)
        least = NOISE_STEP * np.where(np.isfinite(noise), noise, 0) / peak
        length = np.maximum(least, SPECTRUM_STEP * float(now.spectrum.mean()))
        self.under_way.update(now.gradients(here), iteration, {"spectrum": length})


def point_source(
    center: Sequence[float],
    spectrum: FloatArray,
    frame: Box,
    *,
    fit_position: bool = True,
    priors: Mapping[str, Prior] | None = None,
    sigma: float = 0.8,
) -> ParametricComponent:
    """Point source: spectrum × model PSF at a float position, which may be fitted.

    Parameters
    ----------
    center : (y, x)
        Inside ``frame``.
    spectrum : array (band,)
        Flux.
    frame : Box
        The position stays inside.
    fit_position : bool
    priors : mapping, optional
        By name of the parameter, "spectrum" or "center".
    sigma : float
        Standard deviation of the model PSF in pixels.

    Raises
    ------
    ValueError
        If the centre lies outside, or a name is not one of a parameter.
    """
    radius = int(np.ceil(8 * sigma))
    box = _stamp(center, radius, frame)
    parameters = {
        "spectrum": _spectrum(spectrum),
        "center": _center(center, frame if fit_position else None),
    }
    return ParametricComponent(PointProfile(Resolution(sigma)), box, _with_priors(parameters, priors))


def sersic_source(
    shape: SersicShape,
    spectrum: FloatArray,
    frame: Box,
    *,
    free: Sequence[str] = SERSIC_PARAMETERS,
    priors: Mapping[str, Prior] | None = None,
    sigma: float = 0.8,
) -> ParametricComponent:
    """Sérsic profile; a Gaussian with ``index`` 0.5 and an exponential with 1, when the index is not free.

    Parameters
    ----------
    shape : SersicShape
        Where the fit starts.
    spectrum : array (band,)
        Flux of the whole profile.
    frame : Box
        The model lives on its pixels within 8 half-light radii plus the model PSF.
    free : sequence of {"center", "radius", "ellipticity", "index"}
        What is fitted beside the spectrum.
    priors : mapping, optional
        By name of the parameter.
    sigma : float
        Standard deviation of the model PSF in pixels.

    Raises
    ------
    ValueError
        If the centre lies outside, or a name is not one of a parameter.
    """
    unknown = sorted(set(free) - set(SERSIC_PARAMETERS))
    if unknown:
        raise ValueError(f"a Sérsic profile has no parameters {unknown}, expected some of {SERSIC_PARAMETERS}")
    dtype = _real(spectrum)
    box = _stamp(shape.center, int(np.ceil(8 * shape.radius + 8 * sigma)), frame)
    length = float(max(frame.shape))
    parameters = {
        "spectrum": _spectrum(spectrum),
        "center": _center(shape.center, frame),
        "radius": Parameter(np.array([shape.radius], dtype), SHAPE_STEP, True, constraints=(bounded(0.02, length),)),
        "ellipticity": Parameter(np.array(shape.ellipticity, dtype), SHAPE_STEP, constraints=(shorter_than(0.9),)),
        "index": Parameter(np.array([shape.index], dtype), SHAPE_STEP, True, constraints=(bounded(0.3, 8.0),)),
    }
    held = [name for name in SERSIC_PARAMETERS if name not in free]
    parameters |= {name: replace(parameters[name], step=0.0) for name in held}
    return ParametricComponent(SersicProfile(Resolution(sigma)), box, _with_priors(parameters, priors))


def _with_priors(parameters: dict[str, Parameter], priors: Mapping[str, Prior] | None) -> dict[str, Parameter]:
    """Parameters with the priors of their names."""
    given = {} if priors is None else priors
    unknown = sorted(set(given) - set(parameters))
    if unknown:
        raise ValueError(f"priors are given for {unknown}, expected names of parameters, {tuple(parameters)}")
    return {name: replace(p, prior=given.get(name)) for name, p in parameters.items()}


def _real(values: FloatArray) -> np.dtype[np.floating]:
    """Single precision for what has it, else double."""
    return np.dtype(np.float32) if np.asarray(values).dtype == np.float32 else np.dtype(np.float64)


def _spectrum(values: FloatArray) -> Parameter:
    array = np.asarray(values, dtype=_real(values))
    return Parameter(array, 1e-2, relative=True, constraints=(bounded(SPECTRUM_FLOOR, np.inf),))


def _center(center: Sequence[float], frame: Box | None) -> Parameter:
    """Position in double precision, held if there is no frame."""
    value = np.asarray(center, dtype=np.float64)
    if frame is None:
        return Parameter(value, 0.0)
    first, last = np.array(frame.origin) - 0.5, np.array(frame.stop) - 0.5
    return Parameter(value, CENTER_STEP, constraints=(lambda x: np.clip(x, first, last),))


def _stamp(center: Sequence[float], radius: int, frame: Box) -> Box:
    """Pixels of the frame within ``radius`` of a position."""
    y, x = (round(float(c)) for c in center)
    if not frame.contains(y, x):
        raise ValueError(f"center {(float(center[0]), float(center[1]))} lies outside {frame}, expected (y, x) inside")
    return Box((y - radius, x - radius), (2 * radius + 1, 2 * radius + 1)) & frame
