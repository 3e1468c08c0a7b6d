"""Growth of masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..geometry import BoolArray

__all__ = ["dilate_disc"]


def dilate_disc(mask: BoolArray, radius: int) -> BoolArray:
    """Pixels within ``radius`` of a true pixel of ``mask`` (y, x), cut to the array.

    A disc is a stack of rows that widen towards its middle, and each is made of the one before, so the time grows with
    area × radius rather than with area × radius².
    """
    out: BoolArray = mask.copy()
    if radius < 1 or not mask.any():
        return out
    height, across = mask.shape
    row, width = mask.copy(), 0
    for dy in range(radius, -1, -1):
        wanted = min(int((radius**2 - dy**2) ** 0.5), across - 1)
        while width < wanted:
            # Shifts by up to 2 w + 1 leave no gap in a run of 2 w + 1 pixels.
            step = min(wanted - width, 2 * width + 1)
            _widen(row, step)
            width += step
        if dy < height:
            out[dy:] |= row[: height - dy]
            out[: height - dy] |= row[dy:]
    return out


def _widen(mask: BoolArray, step: int) -> None:
    """Set the pixels at distance ``step`` along x from those that are set, in place."""
    before = mask.copy()
    mask[:, step:] |= before[:, :-step]
    mask[:, :-step] |= before[:, step:]
