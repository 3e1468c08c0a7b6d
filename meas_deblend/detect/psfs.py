"""PSFs of all bands at one place, on stamps of one size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .psf_search import NO_PSF, FoundPsf, first_psf, nearest_psf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..geometry import BoolArray, Peak
    from ..image import MultibandExposure

__all__ = ["BandPsfs", "evaluate_psfs", "exposure_psfs"]

Place = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class BandPsfs:
    """PSFs of all bands.

    Parameters
    ----------
    stamps : float32 array (band, h, w)
        Odd sides, centred; NaN planes for bands without a PSF, (band, 1, 1) if no band has one.
    warnings : tuple of str
        Why a band has none, or has that of another place.
    """

    stamps: NDArray[np.float32]
    warnings: tuple[str, ...] = ()

    @property
    def known(self) -> BoolArray:
        """Which bands have a PSF (band,)."""
        return np.asarray(np.isfinite(self.stamps).all(axis=(1, 2)))

    def stamp(self, band: int) -> NDArray[np.float32] | None:
        """PSF of the band with this index, or None."""
        return self.stamps[band] if bool(self.known[band]) else None


def evaluate_psfs(exposure: MultibandExposure, places: Sequence[Place]) -> BandPsfs:
    """Evaluate each band's PSF at the first of several places where that works.

    A coadd's PSF is not defined everywhere: it raises, or has no flux, where no input image contributed.

    Parameters
    ----------
    exposure : MultibandExposure
    places : sequence of (y, x)
        Whole pixels, at least one, so that no stamp is shifted within itself.

    Returns
    -------
    BandPsfs
        A PSF that cannot be evaluated raises nothing: the band is left without one, and a warning says why.
    """
    return _psfs(exposure, [first_psf(psf, places) for psf in exposure.psfs], places[0])


def exposure_psfs(exposure: MultibandExposure, peaks: Sequence[Peak] = ()) -> BandPsfs:
    """PSFs at the middle of the image, or else at the nearest place where there is one.

    Tried are the middles of its quarters and the ``peaks`` that the band detects.
    """
    h, w = exposure.box.shape
    quarters = [(y, x) for y in (h // 4, 3 * h // 4) for x in (w // 4, 3 * w // 4)]
    found = []
    for band, psf in zip(exposure.bands, exposure.psfs, strict=True):
        own = [(peak.y, peak.x) for peak in peaks if band in peak.bands]
        found.append(nearest_psf(psf, (h // 2, w // 2), (*quarters, *own)))
    return _psfs(exposure, found, (h // 2, w // 2))


def _psfs(exposure: MultibandExposure, found: Sequence[FoundPsf], wanted: Place) -> BandPsfs:
    """Bring the bands' stamps to one size, and say what is not from the place that was ``wanted``."""
    told = [_warning(one, wanted) for one in found]
    warnings = tuple(f"{band}: {text}" for band, text in zip(exposure.bands, told, strict=True) if text)
    return BandPsfs(_common_size([one.stamp for one in found]), warnings)


def _warning(found: FoundPsf, wanted: Place) -> str:
    if found.stamp is None:
        return found.trouble if found.trouble == NO_PSF else f"no PSF: {found.trouble}"
    return f"PSF taken at (y, x) = {found.place} instead of {wanted}: {found.trouble}" if found.trouble else ""


def _common_size(stamps: Sequence[NDArray[np.float64] | None]) -> NDArray[np.float32]:
    """Pad the stamps with zeros to the largest height and width; NaN planes for None."""
    shapes = [s.shape for s in stamps if s is not None] or [(1, 1)]
    h, w = max(s[0] for s in shapes), max(s[1] for s in shapes)
    out = np.full((len(stamps), h, w), np.nan, dtype=np.float32)
    for plane, stamp in zip(out, stamps, strict=True):
        if stamp is not None:
            top, left = (h - stamp.shape[0]) // 2, (w - stamp.shape[1]) // 2
            plane[:] = 0
            plane[top : top + stamp.shape[0], left : left + stamp.shape[1]] = stamp
    return out
