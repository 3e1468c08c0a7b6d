"""PSFs of all bands at one place, on stamps of one size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .._interrupt import raise_interrupt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..geometry import BoolArray
    from ..image import MultibandExposure, Psf

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
    stamps, warnings = [], []
    for band, psf in zip(exposure.bands, exposure.psfs, strict=True):
        stamp, warning = _evaluate(psf, places)
        stamps.append(stamp)
        if warning:
            warnings.append(f"{band}: {warning}")
    return BandPsfs(_common_size(stamps), tuple(warnings))


def exposure_psfs(exposure: MultibandExposure) -> BandPsfs:
    """PSFs at the middle of the image, or else at the middle of a quarter of it."""
    h, w = exposure.box.shape
    quarters = [(y, x) for y in (h // 4, 3 * h // 4) for x in (w // 4, 3 * w // 4)]
    return evaluate_psfs(exposure, [(h // 2, w // 2), *quarters])


def _evaluate(psf: Psf | None, places: Sequence[Place]) -> tuple[NDArray[np.float64] | None, str]:
    """PSF at the first of ``places`` where it can be evaluated, or None, and what to tell about it."""
    if psf is None:
        return None, "the band has no PSF"
    trouble = ""
    for y, x in places:
        try:
            stamp = np.asarray(psf.image(float(y), float(x)).stamp, dtype=np.float64)
        except Exception as error:  # noqa: BLE001 - PSFs are plug-ins, and each has errors of its own; it is reported
            raise_interrupt(error)
            trouble = trouble or f"{type(error).__name__} at (y, x) = {y, x}: {error}"
            continue
        if np.isfinite(stamp).all() and stamp.sum() > 0:
            return stamp, f"PSF taken at (y, x) = {y, x} instead of {places[0]}: {trouble}" if trouble else ""
        trouble = trouble or f"the PSF at (y, x) = {y, x} is not finite or has no flux"
    return None, f"no PSF: {trouble}"


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
