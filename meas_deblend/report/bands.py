"""What the names of bands say about their order in wavelength."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MAX_COLOUR_BANDS", "band_letter", "display_order"]

MAX_COLOUR_BANDS = 7
"""More bands than this cannot be told apart in one colour picture."""

_WAVELENGTHS = "ugrizyjhk"


def band_letter(band: str) -> str | None:
    """Letter u g r i z y j h k that ``band`` ends in ("g", "HSC-G", "lsst_i2"), or None for other names."""
    match = re.fullmatch(r"(?:.*[^A-Za-z])?([A-Za-z])\d*", band)
    letter = match.group(1).lower() if match else ""
    return letter if letter and letter in _WAVELENGTHS else None


def display_order(bands: Sequence[str]) -> tuple[int, ...]:
    """Return indices of ``bands`` from short to long wavelength, at most seven of them.

    Names with a `band_letter` are sorted; if any band is not of that kind, the order is the caller's. Of more than
    seven bands, seven evenly spread ones are taken.
    """
    letters = [band_letter(band) for band in bands]
    order = list(range(len(bands)))
    if all(letters):
        order.sort(key=lambda k: _WAVELENGTHS.index(letters[k] or ""))
    if len(order) > MAX_COLOUR_BANDS:
        order = [order[k] for k in np.linspace(0, len(order) - 1, MAX_COLOUR_BANDS).round().astype(int)]
    return tuple(order)
