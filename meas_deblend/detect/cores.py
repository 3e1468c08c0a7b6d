"""Regions that a band does not see, enclosed by what it detects: the saturated cores of stars."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from .significance import EIGHT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray

__all__ = ["UnseenRegion", "unseen_regions"]


@dataclass(frozen=True, slots=True, eq=False)
class UnseenRegion:
    """Connected pixels whose significance is not known, and what is around them.

    Filled with the highest significance on the rim, a saturated core and its rim form one plateau, so one maximum;
    it would otherwise be a hole with a ring of false peaks around it.

    Parameters
    ----------
    where : tuple of slice
        Its bounding box on the image.
    members : bool array (y, x)
        Its pixels on that box.
    lowest, highest : float
        Significance on its rim; infinite where there is no rim.
    """

    where: tuple[slice, slice]
    members: BoolArray
    lowest: float
    highest: float

    def scaled(self, factor: float) -> UnseenRegion:
        """Return the same region with significances multiplied by ``factor``."""
        return replace(self, lowest=factor * self.lowest, highest=factor * self.highest)


def unseen_regions(significance: NDArray[np.float32]) -> list[UnseenRegion]:
    """Find connected regions (8-connectivity) of NaN in an array (y, x); none if there is nothing else."""
    unseen = np.isnan(significance)
    if not unseen.any() or unseen.all():
        return []
    labels, _ = ndimage.label(unseen, EIGHT)
    found = []
    for n, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        # The rim lies within one pixel of the bounding box.
        wide = (slice(max(rows.start - 1, 0), rows.stop + 1), slice(max(columns.start - 1, 0), columns.stop + 1))
        region = labels[wide] == n
        rim = significance[wide][_touching(region) & ~unseen[wide]]
        lowest, highest = (float(rim.min()), float(rim.max())) if rim.size else (-np.inf, -np.inf)
        y, x = rows.start - wide[0].start, columns.start - wide[1].start
        members = region[y : y + rows.stop - rows.start, x : x + columns.stop - columns.start]
        found.append(UnseenRegion((rows, columns), members, lowest, highest))
    return found


def _touching(region: BoolArray) -> BoolArray:
    """Pixels of a region (y, x) and all that share a side or a corner with one."""
    rows = region.copy()
    rows[1:] |= region[:-1]
    rows[:-1] |= region[1:]
    out = rows.copy()
    out[:, 1:] |= rows[:, :-1]
    out[:, :-1] |= rows[:, 1:]
    return out
