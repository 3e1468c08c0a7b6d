"""The template of one peak: a point source where the pixels say so, else a symmetric one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Footprint, Image
from .monotone import median_smooth, project_monotone
from .parent import PeakTemplate, PointSource
from .psf_fit import fit_point_source, point_source_template
from .symmetric import clip_to_nonzero, patch_template, ramp_template, symmetric_template

if TYPE_CHECKING:
    from .config import TemplateConfig
    from .parent import ParentPixels

__all__ = ["first_template", "symmetric_peak"]

MINIMUM_BIAS = float(1 / np.sqrt(np.pi))
"""By how many σ the smaller of two noisy pixels is too low in the mean."""


def first_template(parent: ParentPixels, k: int, config: TemplateConfig) -> PeakTemplate:
    """Build the template of peak ``k``: a point source if the pixels say so, else a symmetric one."""
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
    return symmetric_peak(parent, center, psf, config)


def symmetric_peak(
    parent: ParentPixels, center: tuple[int, int], psf: PointSource, config: TemplateConfig
) -> PeakTemplate:
    """Build the symmetric template of the peak at pixel ``center``, with its edge, its noise and its shape mended."""
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
