"""What the fit asks of data and of components that are not one spectrum times one morphology."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from ..geometry import Box, FloatArray
from .config import FitConfig

__all__ = ["GeneralComponent", "GeneralWorker", "LinearObservation"]


@runtime_checkable
class LinearObservation(Protocol):
    """Data of a blend, on whatever grid, that a model of the scene can be compared with.

    The likelihood is −½ Σ w (render(model) − images)². Data with correlated noise of covariance C fit this form when
    they are whitened: with a factor R of the inverse covariance, RᵀR = C⁻¹, the images are R times the data, `render`
    is R after the seeing, and the weights are 1.
    """

    @property
    def images(self) -> FloatArray:
        """Data (band, …); finite."""
        ...

    @property
    def weights(self) -> FloatArray:
        """Weights of the shape of `images`; finite, at least 0."""
        ...

    @property
    def noise(self) -> FloatArray:
        """Typical standard deviation (band,) of a pixel of the *scene*: unit of thresholds and of least steps."""
        ...

    @property
    def frame(self) -> Box:
        """Pixels of the scene, with the origin at (0, 0)."""
        ...

    def render(self, model: FloatArray) -> FloatArray:
        """Take a scene (band, y, x) in the resolution of the model PSF to the data's shape; linear."""
        ...

    def adjoint(self, residual: FloatArray) -> FloatArray:
        """Transpose of `render`: ⟨render(a), b⟩ = ⟨a, adjoint(b)⟩."""
        ...


class GeneralWorker(Protocol):
    """A component under way in a fit: it may change with every update."""

    def add_to(self, scene: FloatArray) -> None:
        """Add the model to the scene (band, y, x), in place."""
        ...

    def update(self, gradient: FloatArray, iteration: int, noise: FloatArray) -> None:
        """Take one step.

        Parameters
        ----------
        gradient : array (band, y, x)
            Derivative of −logL by the scene; valid until the call returns.
        iteration : int
            Counts from 0.
        noise : array (band,)
            Typical standard deviation of a pixel.
        """
        ...

    def component(self) -> GeneralComponent:
        """Return the value of the present iterate."""
        ...


class GeneralComponent(Protocol):
    """A frozen part of a model: anything that can tell its model and be carried through a fit."""

    @property
    def box(self) -> Box:
        """Where the model lies; inside the frame."""
        ...

    @property
    def center(self) -> tuple[float, float]:
        """Position ``(y, x)``."""
        ...

    @property
    def flux(self) -> FloatArray:
        """Sum (band,) of the model, before convolution."""
        ...

    def model(self) -> FloatArray:
        """Model (band, y, x) on the box, in the resolution of the model PSF."""
        ...

    def worker(self, config: FitConfig) -> GeneralWorker:
        """Return what carries this component through a fit."""
        ...
