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
from ._precision import precision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Float = NDArray[np.float64]

__all__ = ["seen_from_both_sides"]


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
    from ._turn_kernels import add_positive  # noqa: PLC0415 - loads the compiler

    if len(templates) < 2 or all(center is None for center in centers):
        return tuple(templates)
    kept = precision(sum(template.array.size for template in templates))
    extent = templates[0].box
    for template in templates:
        extent |= template.box
    # Sums near the largest float may overflow: their shares are 0 then.
    total = np.zeros((len(templates[0].array), *extent.shape))
    for template in templates:
        (y, x), (y0, x0) = template.box.origin, extent.origin
        if not template.box.is_empty:
            add_positive(np.ascontiguousarray(template.array), y - y0, x - x0, total)
    light = Image(total, extent)
    return tuple(
        template if center is None or template.box.is_empty else _completed(template, center, light, frame, kept)
        for template, center in zip(templates, centers, strict=True)
    )


def _completed(
    template: Image, center: tuple[float, float], light: Image, frame: Box, kept: type[np.floating]
) -> Image:
    """Return T' of one template as ``kept``; ``light`` is the sum of all."""
    from ._turn_kernels import add_positive, completed  # noqa: PLC0415 - loads the compiler

    box = (template.box | _turned_box(template.box, center)) & frame
    inner = template.box & box
    own = np.zeros((len(template.array), *box.shape))
    (y, x), (y0, x0) = inner.origin, box.origin
    part = template.array[(slice(None), *inner.slices_in(template.box))]
    add_positive(np.ascontiguousarray(part), y - y0, x - x0, own)
    (y, x), first = light.box.origin, _turned_box(box, center).origin
    between = [2 * c - float(np.floor(2 * c)) for c in center]
    parts = (1 - between[0], between[0]), (1 - between[1], between[1])
    turn = first[0] - y0, first[1] - x0, *parts
    if not completed(own, (np.asarray(light.array), y - y0, x - x0), turn):
        return template
    return Image(own.astype(kept, copy=False), box)


def _turned_box(box: Box, center: tuple[float, float]) -> Box:
    """Pixels that the half turn of a box touches."""
    doubled = [2 * c for c in center]
    first = [int(np.floor(d)) - (stop - 1) for d, stop in zip(doubled, box.stop, strict=True)]
    # Between pixels it touches one more.
    shape = [size + (d > np.floor(d)) for d, size in zip(doubled, box.shape, strict=True)]
    return Box((first[0], first[1]), (int(shape[0]), int(shape[1])))
