"""Templates of a parent's peaks in one band, before any flux is shared."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .alike import drop_degenerate, weigh_templates
from .arguments import read_parent
from .config import TemplateConfig
from .iterate import iterate_templates
from .parent import PeakTemplate, PointSource
from .peak import first_template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..geometry import FloatArray
    from .arguments import ParentInput
    from .parent import ParentPixels

__all__ = ["build_templates", "parent_templates"]


def build_templates(given: ParentInput, config: TemplateConfig | None = None) -> tuple[PeakTemplate, ...]:
    """Build the template of every peak of a parent in one band, without sharing out any flux.

    Parameters
    ----------
    given : ParentInput
    config : TemplateConfig, optional

    Returns
    -------
    tuple of PeakTemplate
        In the order of the peaks; peaks that have none say why in ``status`` and ``flags``.

    Raises
    ------
    InputError
        If an argument does not fit, there is no peak or no footprint pixel, or a PSF is missing that is needed.
    """
    config = config if config is not None else TemplateConfig()
    return parent_templates(read_parent(given, config), config)


def parent_templates(parent: ParentPixels, config: TemplateConfig) -> tuple[PeakTemplate, ...]:
    """Build one template per peak, then weigh them and drop those that look alike, as the options say."""
    kept = _spaced(parent.positions, config.min_peak_spacing)
    apart = parent if len(kept) == len(parent.positions) else replace(parent, positions=parent.positions[kept])
    found = dict(zip(kept, _templates_apart(apart, config), strict=True))
    merged = PeakTemplate.dropped("degenerate", PointSource(), "merged_peak")
    templates, seen = [], set()
    for k, place in enumerate(parent.pixels):
        template = found.get(k, merged)
        templates.append(_flagged(template, "duplicate_peak") if place in seen else template)
        seen.add(place)
    return tuple(templates)


def _spaced(positions: FloatArray, spacing: float) -> list[int]:
    """Return the indices of peaks that are no closer than ``spacing`` pixels to one before them that stays."""
    kept: list[int] = []
    for k, position in enumerate(positions):
        if spacing == 0 or np.all(((positions[kept] - position) ** 2).sum(axis=1) >= spacing**2):
            kept.append(k)
    return kept


def _flagged(template: PeakTemplate, flag: str) -> PeakTemplate:
    return replace(template, flags=template.flags | {flag})


def _templates_apart(parent: ParentPixels, config: TemplateConfig) -> Sequence[PeakTemplate]:
    """Templates of peaks that are far enough from each other."""
    templates = tuple(first_template(parent, k, config) for k in range(len(parent.positions)))
    if config.iterate_templates:
        templates = iterate_templates(parent, templates, config)
    while True:
        if config.weight_templates:
            templates = weigh_templates(parent, templates)
        if not config.remove_degenerate_templates:
            return templates
        kept = drop_degenerate(templates, config.max_temp_dot_prod)
        if kept == templates:
            return templates
        templates = kept
