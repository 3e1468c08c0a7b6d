"""Deblending of one blend in all bands at once: from arrays to sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from ..geometry import BoolArray, FloatArray
from .arguments import check_bands, check_centers, check_start, make_observation
from .blend import Blend, Source
from .component import Component
from .config import FitConfig
from .deconvolution import deconvolve
from .fit import FitResult, fit
from .initialize import initialize
from .kernels import Kernels
from .late_points import with_late_points
from .mixture import AnyComponent
from .observation import Observation
from .parametric import ParametricComponent, point_source
from .profiles import Resolution
from .sky import SkyComponent
from .uncertainty import Uncertainty

if TYPE_CHECKING:
    from .cells import Factor

__all__ = ["deblend_blend"]

NO_FLUX = 1e-3
"""Flux that is nothing, in units of the noise of one pixel."""


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
    sources, result = with_late_points(observation, sources, result, config)
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
    models = [tuple(_factorized(component) for component in group) for group in groups]
    known = observation.convolver.kernels.known
    sources = [
        Source(group[0].center, parts, k, uncertainty, _flags(parts, observation, known))
        for k, (group, parts) in enumerate(zip(groups, models, strict=True))
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


def _flags(components: Sequence[Component], observation: Observation, known: BoolArray) -> frozenset[str]:
    """Find what is wrong with a source, see `FLAGS`; ``known`` (band,) tells which bands have a PSF."""
    weighed: BoolArray = np.asarray(observation.weights[:, *components[0].center] > 0)
    if not weighed.all():
        box = components[0].box
        for component in components[1:]:
            box |= component.box
        weighed = np.asarray(observation.weights[(slice(None), *box.slices_in(observation.frame))].any(axis=(1, 2)))
    flux = np.sum([component.flux for component in components], axis=0)
    found = {
        "no_psf": not known.all(),
        "no_data": bool(np.any(~weighed & known)),
        # Spectra keep a floor far below any flux, so that steps in proportion to them can leave it.
        "no_flux": not (flux > NO_FLUX * observation.noise).any(),
    }
    return frozenset(name for name, is_true in found.items() if is_true)


def _factorized(component: AnyComponent) -> Component:
    return component.factorized() if isinstance(component, ParametricComponent) else cast("Component", component)


def _deconvolved_sum(observation: Observation) -> FloatArray:
    """Sum over bands of the deconvolved images."""
    measured = np.isfinite(observation.variance)
    images = np.where(measured, observation.images, np.nan).astype(observation.images.dtype)
    deconvolved = deconvolve(images, observation.noise, observation.convolver.kernels)
    total: FloatArray = deconvolved.images.sum(axis=0)
    return total
