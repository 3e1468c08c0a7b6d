"""Parameters of components that are not a free spectrum times a free morphology: steps, priors and constraints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from ..geometry import FloatArray
from .config import FitConfig, OptimizerName
from .optimizer import Optimizer, make_optimizer

__all__ = [
    "MORPH_STEP",
    "NOISE_STEP",
    "SPECTRUM_STEP",
    "Constraint",
    "GaussianPrior",
    "Parameter",
    "ParameterSet",
    "Prior",
    "adaptive_scheme",
    "bounded",
    "shorter_than",
]

MORPH_STEP, SPECTRUM_STEP, NOISE_STEP = 1e-2, 1e-2, 0.1
"""Steps of morphologies and spectra as fractions of their size, and the least ones in units of the noise: those of the
factorized components of Rubin's pipelines, for components that no solver brings near their solution first."""

Constraint = Callable[[FloatArray], FloatArray]
"""Projection: takes a value, returns the nearest admitted one."""


class Prior(Protocol):
    """What may be known of a parameter before the data are looked at."""

    def logp(self, x: FloatArray) -> float:
        """Logarithm of the prior density, up to a constant."""
        ...

    def grad(self, x: FloatArray) -> FloatArray:
        """Gradient of `logp`, of the shape of ``x``."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class GaussianPrior:
    """Independent normal distributions of all values.

    Parameters
    ----------
    mean, sigma : float or array
        Broadcast against the parameter; ``sigma`` > 0.

    Raises
    ------
    ValueError
        If a ``sigma`` is not positive.
    """

    mean: FloatArray | float
    sigma: FloatArray | float

    def __post_init__(self) -> None:
        if not np.all(np.asarray(self.sigma) > 0):
            raise ValueError(f"sigma of a Gaussian prior must be > 0, got {self.sigma}")

    def logp(self, x: FloatArray) -> float:
        """−½ Σ ((x − mean) / sigma)²."""
        return float(-0.5 * np.sum(((x - self.mean) / self.sigma) ** 2, dtype=np.float64))

    def grad(self, x: FloatArray) -> FloatArray:
        """−(x − mean) / sigma²."""
        out: FloatArray = np.asarray(-(x - self.mean) / np.square(self.sigma), dtype=x.dtype)
        return out


def adaptive_scheme(config: FitConfig) -> OptimizerName:
    """Scheme of parameters whose curvature is not known: the configured one if it adapts its steps, else amsgrad."""
    return "amsgrad" if config.optimizer == "fista" else config.optimizer


def bounded(low: float, high: float) -> Constraint:
    """Projection onto the values from ``low`` to ``high``; what is not finite goes to ``low``."""
    if not low <= high:
        raise ValueError(f"bounds must be in order, got low {low} and high {high}")

    def _clip(x: FloatArray) -> FloatArray:
        out: FloatArray = np.clip(np.where(np.isfinite(x), x, low), low, high).astype(x.dtype)
        return out

    return _clip


def shorter_than(length: float) -> Constraint:
    """Projection of a vector onto the ball of this radius around 0."""
    if not length > 0:
        raise ValueError(f"the length that a vector may have must be > 0, got {length}")

    def _shorten(x: FloatArray) -> FloatArray:
        norm = float(np.sqrt(np.sum(x.astype(np.float64) ** 2)))
        return x if norm <= length else (x * (length / norm)).astype(x.dtype)

    return _shorten


@dataclass(frozen=True, slots=True, eq=False)
class Parameter:
    """A fitted array with what governs its updates.

    Parameters
    ----------
    value : array
    step : float
        Length of an update where the gradient keeps its sign; 0 holds the parameter.
    relative : bool
        Whether ``step`` is a fraction of the mean absolute value instead.
    prior : Prior, optional
    constraints : tuple of callables
        Projections, applied in this order after each update.
    """

    value: FloatArray
    step: float
    relative: bool = False
    prior: Prior | None = None
    constraints: tuple[Constraint, ...] = ()

    def __post_init__(self) -> None:
        if not (self.step >= 0 and np.isfinite(self.step)):
            raise ValueError(f"the step of a parameter must be finite and ≥ 0, got {self.step}")

    @property
    def length(self) -> float:
        """Step in the parameter's own units."""
        return self.step * float(np.abs(self.value).mean()) if self.relative else self.step

    def project(self, x: FloatArray) -> FloatArray:
        """Apply all constraints."""
        for constraint in self.constraints:
            x = constraint(x)
        return x


@dataclass(slots=True)
class ParameterSet:
    """Parameters under way, each with its own optimizer.

    A worker of the fit: `update` replaces its values.
    """

    parameters: dict[str, Parameter]
    scheme: OptimizerName = "amsgrad"
    optimizers: dict[str, Optimizer] = field(init=False)

    def __post_init__(self) -> None:
        self.optimizers = {
            name: make_optimizer(self.scheme, parameter.value)
            for name, parameter in self.parameters.items()
            if parameter.step > 0
        }

    def update(
        self, gradients: Mapping[str, FloatArray], iteration: int, lengths: Mapping[str, FloatArray] | None = None
    ) -> None:
        """Step all parameters that are not held.

        Parameters
        ----------
        gradients : mapping of arrays
            Of the negative log-likelihood; those of the priors are added here.
        iteration : int
            Counts from 0.
        lengths : mapping of arrays, optional
            Steps that take the place of the parameters' own, where these depend on the data.
        """
        lengths = {} if lengths is None else lengths
        for name, optimizer in self.optimizers.items():
            parameter = self.parameters[name]
            x = parameter.value
            gradient = np.asarray(gradients[name], dtype=x.dtype)
            if parameter.prior is not None:
                gradient = gradient - parameter.prior.grad(x)
            length = np.asarray(lengths.get(name, parameter.length), dtype=x.dtype)
            value = optimizer.update(x.copy(), gradient, length, iteration, parameter.project)
            self.parameters[name] = replace(parameter, value=value)

    @property
    def log_prior(self) -> float:
        """Sum of the logarithms of all priors."""
        priors = [(p.prior, p.value) for p in self.parameters.values() if p.prior is not None]
        return float(sum(prior.logp(value) for prior, value in priors))
