"""Light of a free-form template beneath its neighbours, from the side where they are not.

Two templates that were fitted pixel by pixel share the light of their overlap in a way that the data do not know: what
one lacks beneath the core of the other, the other has. On the opposite side of its peak the same template is seen
alone, and most galaxies look the same after a half turn: the SDSS deblender rests on that (Lupton et al. 2001, ASP
Conf. 238, 269). So with ρ the share of a template T, and ρ̃, T̃ both turned by 180° about its peak, it counts as

    T' = (ρ T + (1 − ρ) ρ̃ T̃) / (ρ + (1 − ρ) ρ̃):

as it is where it dominates, as on the opposite side where it dominates there and not here, and as it is where both
sides are hidden.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Box, Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Float = NDArray[np.float64]

__all__ = ["seen_from_both_sides"]

_LARGE = 4_000_000
"""Values (bands times pixels) of all templates above which those that have changed are kept in single precision."""


def seen_from_both_sides(
    templates: Sequence[Image], centers: Sequence[tuple[float, float] | None], frame: Box
) -> tuple[Image, ...]:
    """Give templates beneath their neighbours the light that they have on the opposite side of their peaks.

    Parameters
    ----------
    templates : sequence of Image
        Cubes (B, h, w) of one parent, as seen in each band.
    centers : sequence of tuple of float or None
        About what each is turned, ``(y, x)`` [px]; None: it is known, and stays as it is.
    frame : Box
        Templates may grow to the half turn of their boxes within it.

    Returns
    -------
    tuple of Image
        At least 0 where they have changed, and then float32 where there are very many of them: they would take a third
        of the memory of a run. Templates without a neighbour are those that were given.
    """
    if len(templates) < 2 or all(center is None for center in centers):
        return tuple(templates)
    kept: type[np.floating] = np.float32 if sum(t.array.size for t in templates) > _LARGE else np.float64
    extent = templates[0].box
    for template in templates:
        extent |= template.box
    total = np.zeros((len(templates[0].array), *extent.shape))
    # Sums near the largest float may overflow: their shares are 0 then.
    with np.errstate(over="ignore"):
        for template in templates:
            total[(slice(None), *template.box.slices_in(extent))] += _positive(template.array)
        light = Image(total, extent)
        return tuple(
            template if center is None or template.box.is_empty else _completed(template, center, light, frame, kept)
            for template, center in zip(templates, centers, strict=True)
        )


def _completed(
    template: Image, center: tuple[float, float], light: Image, frame: Box, kept: type[np.floating]
) -> Image:
    """Return T' of one template as ``kept``; ``light`` is the sum of all."""
    box = (template.box | _turned_box(template.box, center)) & frame
    own, total = _positive(template.project(box).array), light.project(box).array
    if not (total > own).any():
        return template
    share = np.divide(own, total, out=np.zeros_like(own), where=total > 0)
    # Both in one array, so that they are turned together.
    here = np.concatenate([share, own])
    there = _turned(Image(here, box), center, box)
    bands = len(own)
    weight = (1 - here[:bands]) * there[:bands]
    norm = here[:bands] + weight
    mean = np.divide(here[:bands] * here[bands:] + weight * there[bands:], norm, out=here[bands:], where=weight > 0)
    return Image(mean.astype(kept), box)


def _positive(array: NDArray[np.floating]) -> Float:
    """Copy in float64, 0 where it is not finite or below 0."""
    values = array.astype(np.float64)
    values[~(np.isfinite(values) & (values > 0))] = 0.0
    return values


def _turned_box(box: Box, center: tuple[float, float]) -> Box:
    """Pixels that the half turn of a box touches."""
    doubled = [2 * c for c in center]
    first = [int(np.floor(d)) - (stop - 1) for d, stop in zip(doubled, box.stop, strict=True)]
    # Between pixels it touches one more.
    shape = [size + (d > np.floor(d)) for d, size in zip(doubled, box.shape, strict=True)]
    return Box((first[0], first[1]), (int(shape[0]), int(shape[1])))


def _turned(image: Image, center: tuple[float, float], box: Box) -> Float:
    """Half turn about a position between pixels, interpolated linearly along each axis, on ``box``; 0 beyond."""
    origin = _turned_box(image.box, center).origin
    parts = [((0, 1 - f), (1, f)) for f in (2 * c - np.floor(2 * c) for c in center)]
    flipped = image.array[:, ::-1, ::-1]
    out = np.zeros((len(flipped), *box.shape))
    for dy, wy in parts[0]:
        for dx, wx in parts[1]:
            if wy * wx > 0:
                moved = Box((origin[0] + dy, origin[1] + dx), image.box.shape)
                here, there = moved.overlap_slices(box)
                out[(slice(None), *there)] += wy * wx * flipped[(slice(None), *here)]
    return out
