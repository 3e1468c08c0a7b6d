"""Sources of a joint fit of profiles that cannot be what they seem, and what takes their place."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..models import TemplateComponent, model_flux
from .rungs import SYMMETRIC

if TYPE_CHECKING:
    from ..models import BlendModel, SourceModel

__all__ = ["with_credible_sources"]

LEAST_RATIO = 0.2
"""Of fluxes, all bands together, of a profile and of the symmetric template of the same source: less was taken away."""
TOO_LARGE = (3.0, 7.0)
"""Ratios between which the profile has the light of others; above them it is the template that has none."""


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
