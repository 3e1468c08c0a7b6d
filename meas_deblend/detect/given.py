"""Parents around positions that the user gave."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..exceptions import InputError
from ..geometry import Peak
from .dilation import dilate_disc
from .merge import Detections, parents_of_mask, union_of_footprints

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..geometry import FloatArray
    from .band import BandDetections

__all__ = ["parents_from_sources"]


def parents_from_sources(
    positions: FloatArray,
    names: Sequence[str],
    detections: Mapping[str, BandDetections],
    ids: Callable[[int], int],
) -> Detections:
    """Parents whose peaks are given positions, on detected footprints.

    A position outside every footprint gets a disc of one FWHM (of the broadest PSF) of its own, which joins
    whatever it touches.  Footprints that hold no given position are left out.

    Parameters
    ----------
    positions : float array (n, 2)
        ``(y, x)`` in pixels, 0-based; kept to sub-pixel precision.
    names : sequence of str
        One per position, "" for none; or empty for none at all.
    detections : mapping of str to BandDetections
        By band: the footprints, and the width of the PSF.  Detected peaks are not used.
    ids : callable
        Gives the id of the n-th parent, n = 0, 1, …

    Returns
    -------
    Detections
        Every position is a peak of exactly one parent, or in ``rejected`` if its pixel is off the image or it is
        not finite (its pixel is then given as -1, -1).  A parent's peaks are in the order given.

    Raises
    ------
    InputError
        If the shapes do not fit, there is no band, or the bands' frames differ.
    """
    where = np.asarray(positions, dtype=np.float64)
    if where.size == 0:
        where = where.reshape(0, 2)
    if where.ndim != 2 or where.shape[1] != 2:
        raise InputError(f"positions must have shape (n, 2) for n pairs (y, x), got {where.shape}")
    if len(names) not in (0, len(where)):
        raise InputError(f"{len(names)} names for {len(where)} positions: give one for each, or none")
    mask = union_of_footprints(detections)
    labelled = names if len(names) else [""] * len(where)
    peaks: list[Peak] = []
    rejected: list[Peak] = []
    for n, ((y, x), name) in enumerate(zip(where, labelled, strict=True)):
        peak = _peak_at(n, float(y), float(x), name)
        inside = 0 <= peak.y < mask.shape[0] and 0 <= peak.x < mask.shape[1]
        (peaks if inside else rejected).append(peak)
    lonely = np.zeros_like(mask)
    for peak in peaks:
        lonely[peak.y, peak.x] = not mask[peak.y, peak.x]
    radius = int(np.ceil(max(d.fwhm for d in detections.values())))
    footprints = {band: d.footprint for band, d in detections.items()}
    found = parents_of_mask(mask | dilate_disc(lonely, radius), peaks, footprints, ids)
    return replace(found, rejected=tuple(rejected))


def _peak_at(n: int, y: float, x: float, name: str) -> Peak:
    """Peak number ``n`` at a sub-pixel position; pixel (-1, -1) if that is not finite."""
    if not (np.isfinite(y) and np.isfinite(x)):
        return Peak(n, -1, -1, position=(y, x), name=name)
    # Pixel n covers [n - ½, n + ½): half-way positions go up, where Python's round would go to even.
    return Peak(n, int(np.floor(y + 0.5)), int(np.floor(x + 0.5)), position=(y, x), name=name)
