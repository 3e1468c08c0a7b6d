"""In which precision templates are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Image

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["kept", "precision"]

LARGE = 4_000_000
"""Values (bands times pixels) of all templates of a parent above which they are kept in single precision."""


def precision(values: int) -> type[np.floating]:
    """Return the type in which templates are kept that have so many values together.

    They are made in double precision, so that even what is faint far from a source is known to 6e-8 of itself. Kept in
    it, those of a crowded cluster would take a third of the memory of a run.
    """
    return np.float32 if values > LARGE else np.float64


def kept(templates: Iterable[Image]) -> tuple[Image, ...]:
    """Collect templates as they are made, each in the precision that goes with the number of values of all."""
    out: list[Image] = []
    values = 0
    for template in templates:
        was, values = precision(values), values + template.array.size
        now = precision(values)
        if now != was:
            out = [_at_most(one, now) for one in out]
        out.append(_at_most(template, now))
    return tuple(out)


def _at_most(template: Image, limit: type[np.floating]) -> Image:
    """Return a template with no more digits than ``limit`` has."""
    array = template.array
    return template if array.dtype.itemsize <= np.dtype(limit).itemsize else Image(array.astype(limit), template.box)
