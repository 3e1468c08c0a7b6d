"""Point sources that are recognised only when their neighbours have been fitted.

A star beside a galaxy can fail the test of `stars.with_points`, since the first model of the galaxy is far from the
truth beneath the star. Fitted pixel by pixel the star then keeps the light of the galaxy in its core: nothing but its
shape, which is not known to the fit, tells them apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import cast

from .component import Component
from .config import FitConfig
from .fit import FitResult, fit
from .initialize import joint_spectra
from .observation import Observation
from .render import MorphRenderer
from .stars import good_points, possible_points

__all__ = ["with_late_points"]

Source = tuple[Component, ...]


def with_late_points(
    observation: Observation, sources: tuple[Source, ...], result: FitResult, config: FitConfig
) -> tuple[tuple[Source, ...], FitResult]:
    """Look once more for point sources, with the fitted neighbours taken off, and go on with the fit if there are any.

    Sources that the PSF may explain become point sources, and all are fitted from where they are, which gives the
    neighbours back the light beneath them. Those that the PSF does not explain after that have their fitted
    morphologies again, beside the point sources that are right.

    Parameters
    ----------
    observation : Observation
    sources : tuple of tuples of Component
        First guess.
    result : FitResult
        Of the fit that started from it.
    config : FitConfig
        ``point_source_snr`` is the least S/N; None: nothing is done.

    Returns
    -------
    sources : tuple of tuples of Component
        As many components per source as the result has.
    result : FitResult
        The losses of all fits, one after the other. Both are what was given where there is nothing to do: in blends
        of one source, or with components of other kinds.
    """
    limit, kinds = config.point_source_snr, result.components
    if limit is None or len(sources) < 2 or not all(isinstance(component, Component) for component in kinds):
        return sources, result
    fitted = _grouped(result, sources)
    render = MorphRenderer(observation.convolver.kernels, observation.frame)
    found = possible_points(observation, fitted, render, limit)
    if not found:
        return sources, result
    pointed = tuple((found[k],) if k in found else source for k, source in enumerate(fitted))
    again = _refit(observation, joint_spectra(pointed, observation, config, render), result, config)
    points = _grouped(again, pointed)
    good = good_points(observation, points, render) & found.keys()
    if not good:
        return sources, result
    if good == found.keys():
        return points, again
    mixed = tuple(fitted[k] if k in found.keys() - good else source for k, source in enumerate(points))
    return mixed, _refit(observation, mixed, again, config)


def _refit(observation: Observation, sources: Iterable[Source], last: FitResult, config: FitConfig) -> FitResult:
    result = fit(observation, [component for source in sources for component in source], config)
    return replace(result, loss=(*last.loss, *result.loss))


def _grouped(result: FitResult, sources: tuple[Source, ...]) -> tuple[Source, ...]:
    """Fitted components by source."""
    rest = iter(cast("tuple[Component, ...]", result.components))
    return tuple(tuple(next(rest) for _ in source) for source in sources)
