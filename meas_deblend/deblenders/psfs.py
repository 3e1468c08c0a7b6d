"""PSFs of all bands at one parent or blend; those that hardly differ are taken as one."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np

from ..detect import BandPsfs, evaluate_psfs
from ..image import ImagePsf

if TYPE_CHECKING:
    from ..geometry import FloatArray, Footprint, Parent
    from ..image import MultibandExposure

__all__ = ["blend_psfs", "parent_psfs", "psf_difference", "shared_psfs"]

CELLS = (1024, 512, 256, 128, 64, 32)
"""Sides in pixels of the cells in whose middles PSFs are tried, after that of the image."""

_HOPELESS = 4.0
"""PSFs are not tried where, growing in proportion to the distance, they would differ by so many tolerances."""

_KEPT = 256
# Evaluated PSFs by exposure's PSFs, shape and place; the PSF objects are kept so that their ids stay theirs.
_PLACES: OrderedDict[tuple[object, ...], tuple[object, BandPsfs]] = OrderedDict()


def parent_psfs(exposure: MultibandExposure, parent: Parent, tolerance: float = 0.0) -> BandPsfs:
    """Evaluate the PSFs at the middle of a parent, or else at the peak nearest to the middle where that works.

    Parameters
    ----------
    exposure : MultibandExposure
    parent : Parent
    tolerance : float
        See `shared_psfs`; 0: they are not compared with others.
    """
    if _is_constant(exposure):
        return _at(exposure, _middle(exposure))
    own = evaluate_psfs(exposure, _places(parent.footprint))
    return shared_psfs(exposure, parent.footprint, own, tolerance) if tolerance > 0 else own


def blend_psfs(exposure: MultibandExposure, blend: Footprint, parent: BandPsfs, tolerance: float) -> BandPsfs:
    """Evaluate the PSFs at a blend as at a parent; those of its parent themselves if they hardly differ from them."""
    own = _at(exposure, _middle(exposure)) if _is_constant(exposure) else evaluate_psfs(exposure, _places(blend))
    if psf_difference(own.stamps, parent.stamps) <= tolerance:
        return parent
    return shared_psfs(exposure, blend, own, tolerance)


def shared_psfs(exposure: MultibandExposure, footprint: Footprint, own: BandPsfs, tolerance: float) -> BandPsfs:
    """Replace PSFs by those in the middle of the image, or of the largest cell around them, that hardly differ.

    Parents whose PSFs are replaced by the same stamps share what is derived from them: kernels, their transforms, and
    rows of the store.  Which stamps those are depends on nothing but the place, not on what was deblended before, so
    that any number of workers comes to the same result.

    Parameters
    ----------
    exposure : MultibandExposure
    footprint : Footprint
        Where the PSFs were evaluated.
    own : BandPsfs
        What was found there.
    tolerance : float
        Largest `psf_difference`.
    """
    if _is_constant(exposure):
        return own
    (y, x), (h, w) = _places(footprint)[0], exposure.box.shape
    middles = [(side * (y // side) + side // 2, side * (x // side) + side // 2) for side in CELLS]
    gradient = 0.0
    for place in (_middle(exposure), *((v, u) for v, u in middles if v < h and u < w)):
        distance = max(math.hypot(place[0] - y, place[1] - x), 1.0)
        if gradient * distance > _HOPELESS * tolerance:
            continue
        found = _at(exposure, place)
        difference = psf_difference(own.stamps, found.stamps)
        if difference <= tolerance:
            return BandPsfs(found.stamps, own.warnings)
        gradient = difference / distance if np.isfinite(difference) else gradient
    return own


def psf_difference(first: FloatArray, second: FloatArray) -> float:
    """Largest difference of PSFs (band, h, w) in units of the band's peak; infinite if they lack different bands."""
    if first is second:
        return 0.0
    if first.shape != second.shape:
        return np.inf
    missing = np.isnan(first[:, 0, 0]), np.isnan(second[:, 0, 0])
    if not np.array_equal(*missing):
        return np.inf
    a, b = first[~missing[0]], second[~missing[0]]
    return float((np.abs(a - b).max(axis=(1, 2)) / a.max(axis=(1, 2))).max(initial=0.0))


def _is_constant(exposure: MultibandExposure) -> bool:
    """Whether all bands have the same PSF everywhere, or none: then there is nothing to compare."""
    return all(psf is None or isinstance(psf, ImagePsf) for psf in exposure.psfs)


def _middle(exposure: MultibandExposure) -> tuple[int, int]:
    h, w = exposure.box.shape
    return h // 2, w // 2


def _places(footprint: Footprint) -> list[tuple[int, int]]:
    """Middle of a footprint, then its peaks, the nearest to it first."""
    cy, cx = footprint.box.center
    peaks = sorted(((p.y, p.x) for p in footprint.peaks), key=lambda p: ((p[0] - cy) ** 2 + (p[1] - cx) ** 2, p))
    return [(round(cy), round(cx)), *peaks]


def _at(exposure: MultibandExposure, place: tuple[int, int]) -> BandPsfs:
    """PSFs at a place; the last ones are kept."""
    key = (*(id(psf) for psf in exposure.psfs), exposure.box.shape, place)
    if key not in _PLACES:
        _PLACES[key] = (exposure.psfs, evaluate_psfs(exposure, [place]))
        while len(_PLACES) > _KEPT:
            _PLACES.popitem(last=False)
    _PLACES.move_to_end(key)
    return _PLACES[key][1]
