"""Where a PSF can be evaluated: at the place that was asked for, or at the nearest one that has a PSF."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .._interrupt import raise_interrupt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from ..image import Psf

__all__ = ["NO_PSF", "FoundPsf", "first_psf", "nearest_psf"]

Place = tuple[int, int]

NO_PSF = "the band has no PSF"


class FoundPsf(NamedTuple):
    """A PSF, and where it is from.

    Parameters
    ----------
    stamp : float64 array (y, x) or None
        Finite, of positive sum; None if there is none anywhere.
    place : tuple of int or None
        Pixel (y, x) where it was evaluated.
    distance : float or None
        From the place that was asked for, pixels.
    trouble : str
        Why there is none at that place; "" if there is.
    """

    stamp: NDArray[np.float64] | None
    place: Place | None
    distance: float | None
    trouble: str = ""


def first_psf(psf: Psf | None, places: Iterable[Place]) -> FoundPsf:
    """Evaluate a PSF at the first of several places where that works.

    A coadd's PSF is not defined everywhere: it raises, or has no flux, where no input image contributed.

    Parameters
    ----------
    psf : Psf or None
    places : iterable of (y, x)
        Whole pixels, so that no stamp is shifted within itself; the first is the one that is asked for.
    """
    if psf is None:
        return FoundPsf(None, None, None, NO_PSF)
    trouble, wanted = "", None
    for y, x in places:
        wanted = (y, x) if wanted is None else wanted
        try:
            stamp = np.asarray(psf.image(float(y), float(x)).stamp, dtype=np.float64)
        except Exception as error:  # noqa: BLE001 - PSFs are plug-ins, and each has errors of its own; it is reported
            raise_interrupt(error)
            trouble = trouble or f"{type(error).__name__} at (y, x) = {y, x}: {error}"
            continue
        if np.isfinite(stamp).all() and stamp.sum() > 0:
            return FoundPsf(stamp, (y, x), math.dist(wanted, (y, x)), trouble)
        trouble = trouble or f"the PSF at (y, x) = {y, x} is not finite or has no flux"
    return FoundPsf(None, None, None, trouble)


def nearest_psf(psf: Psf | None, wanted: Place, others: Iterable[Place] = ()) -> FoundPsf:
    """Evaluate a PSF where it is ``wanted``, or else at the nearest of ``others`` that has one.

    Every search starts at the place that is asked for, wherever the PSF of another band was found.
    """

    def by_distance() -> Iterator[Place]:
        yield wanted
        # A patch has thousands of places, and hardly ever is more than the first one needed.
        yield from sorted(others, key=lambda place: (math.dist(wanted, place), place))

    return first_psf(psf, by_distance())
