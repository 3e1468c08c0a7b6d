"""Symmetric templates built against the neighbours' templates, in rounds.

What the mirror of a pixel shows of a neighbour is taken for the source's own light where another neighbour stands on
this side: the middle one of three in a row swallows part of both.  Once there are templates, the neighbours can be
taken off the data before the pairs are compared, and better templates follow.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import nnls

from ..geometry import Image
from .peak import symmetric_peak

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..geometry import FloatArray
    from .config import TemplateConfig
    from .parent import ParentPixels, PeakTemplate

__all__ = ["iterate_templates"]

CONVERGED = 1e-3
"""Rounds end when no template changes by more than this fraction of its own sum."""


def iterate_templates(
    parent: ParentPixels, templates: Sequence[PeakTemplate], config: TemplateConfig
) -> tuple[PeakTemplate, ...]:
    """Build symmetric templates again from the data without the neighbours' templates, the faintest peak first.

    Smoothing flattens templates, so each round first scales them together to fit the parent by non-negative least
    squares; the scaled templates of the other peaks are subtracted, and the pairs of pixels are compared in what is
    left.  Point sources stay as they are.

    Parameters
    ----------
    parent : ParentPixels
    templates : sequence of PeakTemplate
        First templates of all peaks.
    config : TemplateConfig
        ``iterate_templates`` is the largest number of rounds.

    Returns
    -------
    tuple of PeakTemplate
        Peaks without a template are unchanged.  Where the neighbours leave nothing to a peak, its template is cut
        down to a point source.
    """
    current = list(templates)
    used = [k for k, t in enumerate(current) if t.status == "ok"]
    if len(used) < 2:
        return tuple(current)
    for _ in range(config.iterate_templates):
        light = [w * _on_window(parent, current[k]) for w, k in zip(_weights(parent, current, used), used, strict=True)]
        total = np.sum(light, axis=0)
        change = 0.0
        # A faint source between bright ones has taken most from them: it gives back before they are looked at.
        for i in np.argsort([image.sum() for image in light], kind="stable"):
            k = used[i]
            old = current[k]
            if old.psf.is_psf:
                continue
            alone = replace(parent, image=parent.image - (total - light[i]))
            new = symmetric_peak(alone, parent.pixels[k], old.psf, config)
            if new.status != "ok":
                new = _as_point_source(parent, k, old)
            change = max(change, _change(parent, old, new))
            scale = light[i].sum() / old.image.array.sum()
            total -= light[i]
            light[i] = scale * _on_window(parent, new)
            total += light[i]
            current[k] = new
        if change < CONVERGED:
            break
    return tuple(current)


def _on_window(parent: ParentPixels, template: PeakTemplate) -> FloatArray:
    return template.image.project(parent.window).array


def _as_point_source(parent: ParentPixels, k: int, template: PeakTemplate) -> PeakTemplate:
    """Template cut to the profile of the PSF with its own height at the peak; the template itself without a PSF."""
    if parent.psf is None:
        return template
    (y, x), (y0, x0) = parent.pixels[k], template.image.box.origin
    stamp = parent.psf.stamp(y, x).project(template.image.box).array
    height = template.image.array[y - y0, x - x0] if template.image.box.contains(y, x) else 0.0
    cut = np.minimum(template.image.array, stamp * (height / stamp.max()) if stamp.max() > 0 else 0.0)
    if not cut.any():
        return template
    return replace(template, image=Image(cut, template.image.box))


def _weights(parent: ParentPixels, templates: Sequence[PeakTemplate], used: Sequence[int]) -> FloatArray:
    """Non-negative factors (used,) by which the templates fit the parent best, unweighted."""
    cut = parent.footprint.box.slices_in(parent.window)
    member = parent.footprint.mask & np.isfinite(parent.image[cut])
    data = np.where(member, parent.image[cut], 0.0)
    images = [templates[k].image for k in used]
    inside = [np.where(member, image.project(parent.footprint.box).array, 0.0) for image in images]
    stacked = np.stack([image.ravel() for image in inside])
    gram = stacked @ stacked.T
    # A small ridge: templates that look alike share what they have in common.
    gram[np.diag_indices_from(gram)] *= 1 + 1e-9
    root = np.linalg.cholesky(gram)
    solution, _ = nnls(root.T, np.linalg.solve(root, stacked @ data.ravel()))
    return np.asarray(solution, dtype=np.float64)


def _change(parent: ParentPixels, old: PeakTemplate, new: PeakTemplate) -> float:
    """Σ|new − old| as a fraction of the old template's sum."""
    return float(np.abs(_on_window(parent, new) - _on_window(parent, old)).sum() / old.image.array.sum())
