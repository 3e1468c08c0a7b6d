"""Deblending of one blend in all bands at once: from arrays to sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from ..geometry import BoolArray, FloatArray
from .arguments import check_bands, check_centers, check_start, make_observation
from .component import Component, scene
from .config import FitConfig
from .deconvolution import deconvolve
from .fit import FitResult, fit
from .initialize import initialize
from .kernels import Kernels
from .mixture import AnyComponent
from .observation import Observation
from .parametric import ParametricComponent, point_source
from .profiles import Resolution
from .sky import SkyComponent
from .uncertainty import CovarianceKind, Uncertainty

if TYPE_CHECKING:
    from .cells import Factor

__all__ = ["Blend", "Source", "deblend_blend"]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One or two components that share a centre.

    Parameters
    ----------
    center : tuple of float
        Pixel ``(y, x)``, or the fitted position of a point source.
    components : tuple of Component
        Bulge and disk, or a single one.
    index : int
        Number in the blend.
    uncertainty : Uncertainty, optional
        Of the blend, in which the errors are looked up.
    """

    center: tuple[float, float]
    components: tuple[Component, ...]
    index: int = 0
    uncertainty: Uncertainty | None = None

    @property
    def flux(self) -> FloatArray:
        """Sum (band,) of the model, before convolution; image units."""
        flux: FloatArray = np.sum([component.flux for component in self.components], axis=0)
        return flux

    @property
    def flux_error(self) -> FloatArray:
        """Marginal standard deviation (band,) of `flux`: spectra and morphologies of the whole blend were fitted.

        Raises
        ------
        ValueError
            If the source does not come from a fit.
        """
        if self.uncertainty is None:
            raise ValueError(f"the source at {self.center} has no flux errors: it does not come from a fit")
        errors: FloatArray = self.uncertainty.marginal.errors[self.index].astype(self.flux.dtype)
        return errors


@dataclass(frozen=True)
class Blend:
    """A fitted blend.

    Parameters
    ----------
    sources : tuple of Source
        In the order of the centres.
    observation : Observation
        The data that were fitted.
    bands : tuple of str
        Names of the bands.
    logL : float
        −½ Σ w (model − images)² of this model.
    loss : tuple of float
        Log-likelihood before each update.
    stop_reason : str
        "converged", "max_iter", "no_sources", "no_data" or "diverged".
    uncertainty : Uncertainty
        Where covariances come from.
    sky : array (band,), optional
        Fitted level per pixel; None if it was not fitted.
    """

    sources: tuple[Source, ...]
    observation: Observation
    bands: tuple[str, ...]
    logL: float  # noqa: N815 -- the field's name for it
    loss: tuple[float, ...]
    stop_reason: str
    uncertainty: Uncertainty
    sky: FloatArray | None = None

    @property
    def iterations(self) -> int:
        """Number of updates."""
        return len(self.loss)

    def model(self, convolved: bool = True) -> FloatArray:
        """All sources (band, y, x) on the frame, in the bands' seeing or in the resolution of the model PSF.

        With the sky, where one was fitted: it is part of what `logL` compares with the images.
        """
        return self._render([c for source in self.sources for c in source.components], convolved, self.sky)

    def source_model(self, k: int, convolved: bool = True) -> FloatArray:
        """Source ``k`` alone (band, y, x) on the frame."""
        return self._render(self.sources[k].components, convolved)

    def flux_covariance(self, kind: CovarianceKind = "marginal") -> FloatArray:
        """Covariance (source, source, band) of the fluxes, computed when it is first asked for.

        Parameters
        ----------
        kind : {"marginal", "conditional"}
            With morphologies fitted (delta method), or held fixed (Fisher matrix of the spectra).

        Returns
        -------
        float64 array (source, source, band)
            Finite: what no pixel constrains has a variance of 1e38, see `undetermined`.

        Raises
        ------
        ValueError
            If there is no such ``kind``.
        """
        return self.uncertainty.covariance(kind).values

    @property
    def undetermined(self) -> BoolArray:
        """Fluxes (source, band) that the data do not determine: no weight, or two sources that are one."""
        return self.uncertainty.marginal.undetermined

    def _render(self, components: Sequence[Component], convolved: bool, sky: FloatArray | None = None) -> FloatArray:
        images = self.observation.images
        model = scene(components, images.shape, images.dtype)
        if sky is not None:
            model += sky[:, None, None]
        return self.observation.render(model) if convolved else model


def deblend_blend(
    images: FloatArray,
    variance: FloatArray,
    psfs: FloatArray | Kernels,
    centers: FloatArray | Sequence[tuple[float, float]],
    *,
    weights: FloatArray | None = None,
    footprint: BoolArray | None = None,
    bands: Sequence[str] | None = None,
    detect: FloatArray | None = None,
    init: FloatArray | None = None,
    config: FitConfig = FitConfig(),  # noqa: B008 -- a frozen value
) -> Blend:
    """Fit all sources of a blend in all bands.

    Parameters
    ----------
    images, variance : array (band, y, x)
        Data and their variance, float32 or float64 (which the fit then uses); pixels that are not finite, or whose
        variance is not, get weight 0.
    psfs : array (band, h, w) or Kernels
        PSF stamps, or what `prepare_kernels` made of them for several blends.
    centers : array (n, 2)
        Positions (y, x) in pixels. Constraints hold about the nearest pixels; where in them the centres lie matters
        for the first guess (`FitConfig.subpixel_start`).
    weights : array (band, y, x), optional
        At least 0; default 1 / variance, and 0 where that is not finite.
    footprint : bool array (y, x), optional
        Only its pixels are fitted. The images are used as they are for the first guess.
    bands : sequence of str, optional
        Names; default "0", "1", …
    detect : array (y, x), optional
        Image in the resolution of the model PSF from which morphologies start; default: sum over bands of the
        deconvolved images.
    init : array (n, y, x), optional
        One non-negative template per source to start from instead; scale and seeing do not matter.
    config : FitConfig

    Returns
    -------
    Blend

    Raises
    ------
    ValueError
        If an argument does not have the shape given here, is not finite where it must be, or a centre lies outside.
    """
    observation = make_observation(images, variance, psfs, weights=weights, footprint=footprint, config=config)
    places = check_centers(centers, observation.frame)
    names = check_bands(bands, len(observation.images))
    start = check_start(detect, init, (len(places), *observation.frame.shape), observation.images.dtype)
    if start is None:
        start = _deconvolved_sum(observation)
    positions = [(float(y), float(x)) for y, x in np.asarray(centers)] if config.subpixel_start else None
    sources = initialize(observation, places, start, config, positions)
    first: list[AnyComponent] = [component for source in sources for component in source]
    if config.max_components == 0 and config.fit_positions:
        first = [_movable(component, observation) for source in sources for component in source]
    if config.sky:
        first.append(SkyComponent.start(observation.frame, len(observation.images), observation.images.dtype))
    result = fit(observation, first, config)
    return _assemble(observation, names, [len(source) for source in sources], result)


def _movable(component: Component, observation: Observation) -> ParametricComponent:
    """Return the point source at a component's centre, whose position may be fitted."""
    sigma = Resolution.of(observation.convolver.kernels.model_psf).sigma
    return point_source(component.center, component.flux, observation.frame, sigma=sigma)


def _assemble(observation: Observation, bands: tuple[str, ...], counts: Sequence[int], result: FitResult) -> Blend:
    """Make a blend of fitted components, so many per source, and then those of the background."""
    fitted = iter(result.components)
    groups = [[next(fitted) for _ in range(count)] for count in counts]
    background = [component for component in fitted if isinstance(component, SkyComponent)]
    # What was fitted above has spectra and morphologies, which components in general need not have.
    uncertainty = Uncertainty(observation, cast("list[list[Factor]]", groups), background)
    sources = [
        Source(group[0].center, tuple(_factorized(component) for component in group), k, uncertainty)
        for k, group in enumerate(groups)
    ]
    return Blend(
        tuple(sources),
        observation,
        bands,
        result.log_likelihood,
        result.loss,
        result.stop_reason,
        uncertainty,
        background[0].level.value if background else None,
    )


def _factorized(component: AnyComponent) -> Component:
    return component.factorized() if isinstance(component, ParametricComponent) else cast("Component", component)


def _deconvolved_sum(observation: Observation) -> FloatArray:
    """Sum over bands of the deconvolved images."""
    measured = np.isfinite(observation.variance)
    images = np.where(measured, observation.images, np.nan).astype(observation.images.dtype)
    deconvolved = deconvolve(images, observation.noise, observation.convolver.kernels)
    total: FloatArray = deconvolved.images.sum(axis=0)
    return total
