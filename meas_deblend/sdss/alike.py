"""Templates against each other: weights that fit the parent, and templates that look alike."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Image
from .parent import PeakTemplate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..geometry import FloatArray
    from .parent import ParentPixels

__all__ = ["drop_degenerate", "weigh_templates"]


def weigh_templates(parent: ParentPixels, templates: Sequence[PeakTemplate]) -> tuple[PeakTemplate, ...]:
    """Scale the templates together so that their sum fits the parent by unweighted least squares.

    Only the pixels of the footprint with finite data count.  Collinear templates get the solution of smallest norm;
    a negative weight turns a template negative, so that it gets no flux.

    Returns
    -------
    tuple of PeakTemplate
        Peaks without a template are unchanged.
    """
    used = [k for k, t in enumerate(templates) if t.status == "ok"]
    if not used:
        return tuple(templates)
    box = parent.footprint.box
    data = parent.image[box.slices_in(parent.window)]
    member = parent.footprint.mask & np.isfinite(data)
    matrix = np.stack([templates[k].image.project(box).array[member] for k in used], axis=1)
    weights = np.linalg.lstsq(matrix, data[member], rcond=None)[0]
    scaled = dict(zip(used, weights, strict=True))
    return tuple(
        replace(t, image=Image(scaled[k] * t.image.array, t.image.box)) if k in scaled else t
        for k, t in enumerate(templates)
    )


def drop_degenerate(templates: Sequence[PeakTemplate], limit: float) -> tuple[PeakTemplate, ...]:
    """Drop the first template that looks like one before it, or that one.

    Two templates are alike if the cosine between them is above ``limit``.  A point source goes before another
    template; else the one with the lower maximum goes.

    Returns
    -------
    tuple of PeakTemplate
        The same templates if no two are alike; else one more has the status "degenerate".
    """
    used = [k for k, t in enumerate(templates) if t.status == "ok"]
    cosine = np.tril(_cosines([templates[k].image for k in used]), -1)
    rows = np.flatnonzero((cosine > limit).any(axis=1))
    if rows.size == 0:
        return tuple(templates)
    i, j = used[rows[0]], used[int(cosine[rows[0]].argmax())]
    first, other = templates[i], templates[j]
    if first.psf.is_psf != other.psf.is_psf:
        loser = i if first.psf.is_psf else j
    else:
        loser = i if first.image.array.max() < other.image.array.max() else j
    kept = list(templates)
    kept[loser] = PeakTemplate.dropped("degenerate", templates[loser].psf, *templates[loser].flags)
    return tuple(kept)


def _cosines(images: Sequence[Image]) -> FloatArray:
    """Cosine of every pair of templates over the pixels that they share; 0 where one has no flux."""
    n = len(images)
    gram = np.zeros((n, n))
    for i, a in enumerate(images):
        for j, b in enumerate(images[: i + 1]):
            here, there = a.box.overlap_slices(b.box)
            gram[i, j] = gram[j, i] = np.vdot(a.array[here], b.array[there])
    norm = np.sqrt(np.diag(gram))
    product = norm[:, None] * norm[None, :]
    return np.asarray(np.divide(gram, product, out=np.zeros_like(gram), where=product > 0))
