"""What seams between patches cut: parents that reach a border of their patch behind which another patch goes on.

A wider overlap moves the seams away from what a patch owns. The image's outer border cuts parents too, but there is
nobody who would see more, so those are not counted here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._phrases import counted
from ..products import read_columns

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["OWNERSHIP_FILE", "SeamCount", "count_seams", "cut_at_seams", "read_seams"]

OWNERSHIP_FILE = "ownership.parquet"

_FLAGS = ("detect_isPrimary", "deblend_parentCutAtSeam")
_BOX = ("bbox_min_x", "bbox_min_y", "bbox_width", "bbox_height")


@dataclass(frozen=True, slots=True)
class SeamCount:
    """How many objects of a run of many patches have a parent that was cut at a seam.

    Parameters
    ----------
    primary : int
        Objects that are owned by their patch.
    cut : int
        Those of them whose parent reaches a seam.
    """

    primary: int
    cut: int

    def lines(self) -> list[str]:
        """Tell it, and what can be done; nothing if nothing is cut."""
        if not self.cut:
            return []
        share = f"{self.cut} of {counted(self.primary, 'primary object')} ({100 * self.cut / self.primary:.2g} %)"
        verb = "has" if self.cut == 1 else "have"
        return [
            f"{share} {verb} a parent that is cut at a seam (deblend_parentCutAtSeam): patches with a wider overlap "
            "show it whole"
        ]


def cut_at_seams(
    folder: Path, objects: Any, shape: tuple[int, int], seams: tuple[bool, bool, bool, bool]
) -> NDArray[np.bool_]:
    """Say whose parent reaches a seam.

    Parameters
    ----------
    folder : Path
        Of a patch's products.
    objects : mapping of str to array (n,)
        ``objectId`` and ``parentObjectId``, which is 0 if the object is its own parent.
    shape : tuple of int
        (y, x) of the patch's image.
    seams : tuple of bool
        Whether the left, right, lower and upper edge is one.

    Returns
    -------
    bool array (n,)
    """
    parents = read_columns(folder / "parents.parquet", ("parentObjectId", *_BOX))
    x, y, width, height = (np.asarray(parents[name], dtype=np.int64) for name in _BOX)
    touched = (x == 0, x + width == shape[1], y == 0, y + height == shape[0])
    cut = np.logical_or.reduce([there & seam for there, seam in zip(touched, seams, strict=True)])
    own, parent = np.asarray(objects["objectId"]), np.asarray(objects["parentObjectId"])
    return np.isin(np.where(parent == 0, own, parent), np.asarray(parents["parentObjectId"])[cut])


def count_seams(ownership: Any) -> SeamCount:
    """Count, from the ownership table or its flags."""
    primary, cut = (np.asarray(ownership[name], dtype=bool) for name in _FLAGS)
    return SeamCount(int(primary.sum()), int((primary & cut).sum()))


def read_seams(folder: Path) -> SeamCount:
    """Count, from the folder of a run that is complete.

    Raises
    ------
    ModelError
        If its ownership table is not there, or cannot be read.
    """
    return count_seams(read_columns(folder / OWNERSHIP_FILE, _FLAGS))
