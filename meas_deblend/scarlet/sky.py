"""A flat sky as a component."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ..geometry import Box, FloatArray
from .config import FitConfig
from .parameters import Parameter, ParameterSet, adaptive_scheme

__all__ = ["SkyComponent"]


@dataclass(frozen=True, slots=True, eq=False)
class SkyComponent:
    """A flat sky, one level per band: what background subtraction left, of either sign.

    Parameters
    ----------
    box : Box
        The frame.
    level : Parameter
        Value (band,) per pixel, with a prior if there is one; its step is in units of the noise of a pixel.
    """

    box: Box
    level: Parameter

    @classmethod
    def start(cls, frame: Box, bands: int, dtype: np.dtype[np.floating]) -> SkyComponent:
        """No sky, to be fitted."""
        return cls(frame, Parameter(np.zeros(bands, dtype=dtype), 0.02))

    @property
    def center(self) -> tuple[float, float]:
        """Middle of the frame ``(y, x)``."""
        return self.box.center

    @property
    def peak(self) -> tuple[int, int]:
        """Index of the middle pixel."""
        return (self.box.shape[0] // 2, self.box.shape[1] // 2)

    @property
    def spectrum(self) -> FloatArray:
        """Value (band,) per pixel."""
        return self.level.value

    @property
    def morph(self) -> FloatArray:
        """Ones (y, x) on the frame."""
        return np.ones(self.box.shape, dtype=self.level.value.dtype)

    @property
    def flux(self) -> FloatArray:
        """Sum (band,) over the frame."""
        return self.level.value * self.box.area

    def tangents(self) -> FloatArray:
        """Return no derivatives (0, y, x): the shape is fixed."""
        return np.zeros((0, *self.box.shape))

    def model(self) -> FloatArray:
        """Model (band, y, x) on the frame."""
        return np.broadcast_to(self.level.value[:, None, None], (len(self.level.value), *self.box.shape))

    def gradients(self, gradient: FloatArray) -> dict[str, FloatArray]:
        """Gradient of the levels from that (band, y, x) by the model on the frame."""
        y0, x0 = self.box.origin
        y1, x1 = self.box.stop
        return {"level": gradient[:, y0:y1, x0:x1].sum(axis=(1, 2))}

    def worker(self, config: FitConfig) -> SkyWorker:
        """Return what carries this component through a fit."""
        return SkyWorker(self, config)


@dataclass(slots=True)
class SkyWorker:
    """A sky under way."""

    start: SkyComponent
    config: FitConfig
    under_way: ParameterSet = field(init=False)

    def __post_init__(self) -> None:
        self.under_way = ParameterSet({"level": self.start.level}, adaptive_scheme(self.config))

    @property
    def log_prior(self) -> float:
        """Sum of the logarithms of all priors, up to a constant."""
        return self.under_way.log_prior

    def component(self) -> SkyComponent:
        """Return the component as it is now."""
        return replace(self.start, level=self.under_way.parameters["level"])

    def add_to(self, scene: FloatArray) -> None:
        """Add the model to a frame (band, y, x), in place."""
        box = self.start.box
        level = self.under_way.parameters["level"].value
        scene[:, box.origin[0] : box.stop[0], box.origin[1] : box.stop[1]] += level[:, None, None]

    def update(self, gradient: FloatArray, iteration: int, noise: FloatArray) -> None:
        """Step along the gradient (band, y, x) by the model on the frame."""
        usable = np.where(np.isfinite(noise), noise, 0)
        # In units of the noise, so that one step suits all bands; a band without measurements stays at 0.
        step = self.under_way.parameters["level"].step * usable
        self.under_way.update(self.component().gradients(gradient), iteration, {"level": step})
