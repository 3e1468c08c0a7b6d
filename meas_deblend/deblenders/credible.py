"""Sources of a joint fit of profiles that cannot be what they seem, and what takes their place."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..models import TemplateComponent, model_flux
from .fixed_shapes import solutions_covariance
from .rungs import SYMMETRIC

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import Footprint
    from ..models import BlendModel, SourceModel
    from .cutout import Cutout
    from .fixed_shapes import FixedShapes

__all__ = ["covariance_of_mixture", "with_credible_sources"]

LEAST_RATIO = 0.2
"""Of fluxes, all bands together, of a profile and of the symmetric template of the same source: less was taken away."""
TOO_LARGE = (3.0, 7.0)
"""Ratios between which the profile has the light of others; above them it is the template that has none."""

_ROUNDING = 1e-6


def with_credible_sources(profiles: BlendModel, templates: BlendModel) -> BlendModel:
    """Put symmetric templates in the place of profiles that ran away.

    In crowds one of several sources on top of each other may take the light of all, or what the profile of a bright
    neighbour leaves over; the others get nothing. A symmetric template cannot reach beyond what the image has on both
    sides of its peak, so it tells roughly what a source can have.

    Parameters
    ----------
    profiles, templates : BlendModel
        Of the same blend, sources in the same order, on the rungs of these names.

    Returns
    -------
    BlendModel
        With the rung and the reason ``fit_failed`` on sources that were replaced.
    """
    by_peak = {source.peak.id: source for source in templates.sources}
    return replace(profiles, sources=tuple(_credible(s, by_peak.get(s.peak.id)) for s in profiles.sources))


def covariance_of_mixture(
    mixture: BlendModel, shapes: tuple[FixedShapes, FixedShapes], cutout: Cutout, blend: Footprint
) -> NDArray[np.float64]:
    """Covariance of the fluxes where some sources have their profile and others the template in its place.

    Profiles keep what their fit found. Replaced sources have the errors of the solution that their flux is from, that
    of all templates together; it saw the same data as the fit, hence what is common to a profile and a template, shapes
    fixed.

    Parameters
    ----------
    mixture : BlendModel
        As `with_credible_sources` made it; without a covariance of the profiles' fit that with their shapes fixed is
        taken.
    shapes : tuple of FixedShapes
        All profiles, and all templates.
    cutout, blend
        Data that were fitted.

    Returns
    -------
    float64 array (band, source, source)
        Image units².
    """
    own, others, common = solutions_covariance(*shapes, cutout, blend)
    replaced = np.array([source.rung == SYMMETRIC for source in mixture.sources])
    kept = own if mixture.flux_covariance is None else mixture.flux_covariance
    out = np.where(replaced[:, None] & replaced, others, np.where(replaced[:, None] | replaced, 0.0, kept))
    for plane, between in zip(out, common, strict=True):
        whole = (
            plane
            + np.where(~replaced[:, None] & replaced, between, 0)
            + np.where(replaced[:, None] & ~replaced, between.T, 0)
        )
        # The fit's own may be less than what was solved for here, e.g. where its groups were fitted in turns.
        if _is_covariance(whole):
            plane[:] = whole
    return np.asarray(out)


def _is_covariance(matrix: NDArray[np.float64]) -> bool:
    scale = np.sqrt(np.maximum(np.diagonal(matrix), np.finfo(float).tiny))
    return bool(np.linalg.eigvalsh(matrix / np.outer(scale, scale))[0] > -_ROUNDING)


def _credible(profile: SourceModel, template: SourceModel | None) -> SourceModel:
    # What another source explains is not missing.
    if template is None or not template.components or "deblend_mergedSource" in profile.flags:
        return profile
    flux, other = (_flux(source) for source in (profile, template))
    if flux < LEAST_RATIO * other or TOO_LARGE[0] * other < flux < TOO_LARGE[1] * other:
        return replace(template, rung=SYMMETRIC, reason="fit_failed")
    return profile


def _flux(source: SourceModel) -> float:
    """Flux in all bands together; 0 without a model."""
    if not source.components:
        return 0.0
    first = source.components[0]
    bands = len(first.cube if isinstance(first, TemplateComponent) else first.spectrum)
    return float(np.sum([model_flux(source, k) for k in range(bands)]))
