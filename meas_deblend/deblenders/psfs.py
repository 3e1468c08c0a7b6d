"""PSFs of all bands at one parent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..detect import evaluate_psfs

if TYPE_CHECKING:
    from ..detect import BandPsfs
    from ..geometry import Parent
    from ..image import MultibandExposure

__all__ = ["parent_psfs"]


def parent_psfs(exposure: MultibandExposure, parent: Parent) -> BandPsfs:
    """Evaluate the PSFs at the middle of a parent, or else at the peak nearest to the middle where that works."""
    cy, cx = parent.footprint.box.center
    peaks = sorted(((p.y, p.x) for p in parent.footprint.peaks), key=lambda p: ((p[0] - cy) ** 2 + (p[1] - cx) ** 2, p))
    return evaluate_psfs(exposure, [(round(cy), round(cx)), *peaks])
