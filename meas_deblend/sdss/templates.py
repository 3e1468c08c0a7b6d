"""Templates of a parent's peaks in one band, before any flux is shared."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..geometry import FloatArray, Footprint, Image
from .alike import drop_degenerate, weigh_templates
from .arguments import read_parent
from .config import TemplateConfig
from .monotone import median_smooth, project_monotone
from .parent import PeakTemplate, PointSource
from .psf_fit import fit_point_source, point_source_template
from .symmetric import clip_to_nonzero, patch_template, ramp_template, symmetric_template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .arguments import ParentInput
    from .parent import ParentPixels

__all__ = ["build_templates", "parent_templates"]

MINIMUM_BIAS = float(1 / np.sqrt(np.pi))
"""By how many σ the smaller of two noisy pixels is too low in the mean."""


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
    templates = tuple(_one_template(parent, k, config) for k in range(len(parent.positions)))
    while True:
        if config.weight_templates:
            templates = weigh_templates(parent, templates)
        if not config.remove_degenerate_templates:
            return templates
        kept = drop_degenerate(templates, config.max_temp_dot_prod)
        if kept == templates:
            return templates
        templates = kept


def _one_template(parent: ParentPixels, k: int, config: TemplateConfig) -> PeakTemplate:
    """Template of peak ``k``: a point source if the pixels say so, else a symmetric one."""
    psf = fit_point_source(parent, k, config) if config.fit_psfs else PointSource()
    if psf.status != "ok":
        return PeakTemplate.dropped(psf.status, psf)
    if psf.is_psf:
        image = point_source_template(parent, psf)
        covered = parent.footprint & Footprint.from_box(image.box)
        return _finish((image.project(covered.box), covered), psf, psf.flags, config)
    center = parent.pixels[k]
    if not parent.frame.contains(*center):
        return PeakTemplate.dropped("out_of_bounds", psf)
    if not parent.footprint.contains(*center):
        return PeakTemplate.dropped("failed", psf, "peak_outside_footprint")
    return _symmetric(parent, center, psf, config)


def _symmetric(parent: ParentPixels, center: tuple[int, int], psf: PointSource, config: TemplateConfig) -> PeakTemplate:
    """Symmetric template of the peak at pixel ``center``, with its edge, its noise and its shape mended."""
    (image, footprint), edge_flags = _with_edge(parent, center, config)
    flags = psf.flags | edge_flags
    array, box = image.array, image.box
    if config.median_smooth_template:
        array = median_smooth(array, config.median_filter_halfsize)
    if config.monotonic_template:
        array = project_monotone(array, (center[0] - box.origin[0], center[1] - box.origin[1]))
    # The median spreads light into holes; what lies outside the footprint could be given to nobody.
    mended = Image(np.where(footprint.mask, array, 0.0), box)
    return _finish((mended, footprint), psf, flags, config)


def _with_edge(
    parent: ParentPixels, center: tuple[int, int], config: TemplateConfig
) -> tuple[tuple[Image, Footprint], frozenset[str]]:
    """Symmetric template as it comes from the data, continued at its edge as the options say, and flags."""
    bias = MINIMUM_BIAS * parent.sigma1 if config.template_bias and np.isfinite(parent.sigma1) else 0.0
    template = symmetric_template(Image(parent.image, parent.window), parent.footprint, center, bias)
    flags = set()
    if config.edge_handling == "ramp":
        ramped = ramp_template(parent, template, center, bias)
        if ramped is not None:
            template = ramped
            flags.add("ramped_template")
    if config.patches:
        patched = patch_template(parent, template, center)
        if patched is not None:
            template = patched
            flags.add("patched_template")
    return template, frozenset(flags)


def _finish(
    template: tuple[Image, Footprint], psf: PointSource, flags: frozenset[str], config: TemplateConfig
) -> PeakTemplate:
    """Trim the footprint as the options say; a template without any flux is none."""
    if not np.any(template[0].array > 0):
        return PeakTemplate.dropped("failed", replace(psf, flags=flags), "empty_template")
    image, footprint = clip_to_nonzero(*template) if config.clip_footprint_to_nonzero else template
    return PeakTemplate("ok", image, footprint, psf, flags)
