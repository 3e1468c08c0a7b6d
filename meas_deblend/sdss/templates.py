"""Templates of a parent's peaks in one band, before any flux is shared."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Footprint, Image
from .alike import drop_degenerate, weigh_templates
from .config import SingleBandConfig
from .monotone import median_smooth, project_monotone
from .parent import PeakTemplate, PointSource, read_parent
from .psf_fit import fit_point_source, point_source_template
from .symmetric import clip_to_nonzero, ramp_template, symmetric_template

if TYPE_CHECKING:
    from .parent import ParentInput, ParentPixels

__all__ = ["build_templates", "parent_templates"]


def build_templates(given: ParentInput, config: SingleBandConfig | None = None) -> tuple[PeakTemplate, ...]:
    """Build the template of every peak of a parent in one band, without sharing out any flux.

    Parameters
    ----------
    given : ParentInput
    config : SingleBandConfig, optional

    Returns
    -------
    tuple of PeakTemplate
        In the order of the peaks; peaks that have none say why in ``status`` and ``flags``.

    Raises
    ------
    InputError
        If an argument does not fit, there is no peak or no footprint pixel, or a PSF is missing that is needed.
    """
    config = config if config is not None else SingleBandConfig()
    return parent_templates(read_parent(given, config), config)


def parent_templates(parent: ParentPixels, config: SingleBandConfig) -> tuple[PeakTemplate, ...]:
    """Build one template per peak, then weigh them and drop those that look alike, as the options say."""
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


def _one_template(parent: ParentPixels, k: int, config: SingleBandConfig) -> PeakTemplate:
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


def _symmetric(
    parent: ParentPixels, center: tuple[int, int], psf: PointSource, config: SingleBandConfig
) -> PeakTemplate:
    """Symmetric template of the peak at pixel ``center``, with its edge, its noise and its shape mended."""
    flags = psf.flags
    image, footprint = symmetric_template(Image(parent.image, parent.window), parent.footprint, center)
    if config.edge_handling == "ramp":
        ramped = ramp_template(parent, (image, footprint), center)
        if ramped is not None:
            image, footprint = ramped
            flags = flags | {"ramped_template"}
    array, box = image.array, image.box
    if config.median_smooth_template:
        array = median_smooth(array, config.median_filter_halfsize)
    if config.monotonic_template:
        array = project_monotone(array, (center[0] - box.origin[0], center[1] - box.origin[1]))
    # The median spreads light into holes; what lies outside the footprint could be given to nobody.
    mended = Image(np.where(footprint.mask, array, 0.0), box)
    return _finish((mended, footprint), psf, flags, config)


def _finish(
    template: tuple[Image, Footprint], psf: PointSource, flags: frozenset[str], config: SingleBandConfig
) -> PeakTemplate:
    """Trim the footprint as the options say; a template without any flux is none."""
    if not np.any(template[0].array > 0):
        return PeakTemplate.dropped("failed", replace(psf, flags=flags), "empty_template")
    image, footprint = clip_to_nonzero(*template) if config.clip_footprint_to_nonzero else template
    return PeakTemplate("ok", image, footprint, psf, flags)
