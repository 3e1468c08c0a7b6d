"""Point sources that are recognised only when their neighbours have been fitted.

A star beside a galaxy can fail the test of `stars.with_points`, since the first model of the galaxy is far from the
truth beneath the star. Fitted pixel by pixel the star then keeps the light of the galaxy in its core: nothing but its
shape, which is not known to the fit, tells them apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

from .component import Component, PointComponent
from .config import FitConfig
from .fit import FitResult, fit
from .initialize import joint_spectra
from .observation import Observation
from .render import MorphRenderer
from .stars import judged_points, possible_points

__all__ = ["with_late_points"]

Source = tuple[Component, ...]


def with_late_points(
    observation: Observation, sources: tuple[Source, ...], result: FitResult, config: FitConfig
) -> tuple[tuple[Source, ...], FitResult]:
    """Look once more for point sources, with the fitted neighbours taken off, and go on with the fit if there are any.

    Sources that the PSF may explain become point sources, and all are fitted from where they are, which gives the
    neighbours back the light beneath them. Those that the PSF does not explain after that have their fitted
    morphologies again, first those that are too broad, and the fit goes on with the others.

    Parameters
    ----------
    observation : Observation
    sources : tuple of tuples of Component
        First guess.
    result : FitResult
        Of the fit that started from it.
    config : FitConfig
        ``point_source_snr`` is the least S/N; nothing is done where it is None, or without ``late_points``.

    Returns
    -------
    sources : tuple of tuples of Component
        As many components per source as the result has.
    result : FitResult
        The losses of all fits, one after the other. Both are what was given where there is nothing to do: in blends
        of one source, or with components of other kinds.
    """
    limit, kinds = config.point_source_snr, result.components
    wanted = config.late_points and len(sources) > 1
    if not wanted or limit is None or not all(isinstance(component, Component) for component in kinds):
        return sources, result
    trial = _Trial(observation, _grouped(result, sources), result, config)
    found = possible_points(observation, trial.fitted, trial.render, limit)
    if not found:
        return sources, result
    points, again = trial.of(found)
    narrow, good = judged_points(observation, points, trial.render)
    if found.keys() & narrow < found.keys():
        # A galaxy that was taken for a point leaves a halo about its neighbours.
        points, again = trial.of({k: found[k] for k in sorted(found.keys() & narrow)}, again)
        _, good = judged_points(observation, points, trial.render)
    right = {k: found[k] for k in sorted(found.keys() & narrow & good)}
    if not right:
        return sources, result
    return (points, again) if right.keys() == found.keys() & narrow else trial.of(right, again)


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """Fits that go on from fitted sources, some of them point sources instead."""

    observation: Observation
    fitted: tuple[Source, ...]
    result: FitResult
    config: FitConfig

    @property
    def render(self) -> MorphRenderer:
        """How their morphologies are rendered."""
        return MorphRenderer(self.observation.convolver.kernels, self.observation.frame)

    def of(
        self, points: Mapping[int, PointComponent], last: FitResult | None = None
    ) -> tuple[tuple[Source, ...], FitResult]:
        """Fit with ``points`` in the places of the sources that they stand for; losses go on from those of ``last``."""
        start = tuple((points[k],) if k in points else source for k, source in enumerate(self.fitted))
        solved = joint_spectra(start, self.observation, self.config, self.render)
        found = fit(self.observation, [component for source in solved for component in source], self.config)
        before = self.result if last is None else last
        return _grouped(found, solved), replace(found, loss=(*before.loss, *found.loss))


def _grouped(result: FitResult, sources: tuple[Source, ...]) -> tuple[Source, ...]:
    """Fitted components by source."""
    rest = iter(cast("tuple[Component, ...]", result.components))
    return tuple(tuple(next(rest) for _ in source) for source in sources)
