"""What detection reads of one band."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..exceptions import InputError
from .significance import FWHM_PER_SIGMA, filter_kernel, psf_sigma

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..geometry import BoolArray, FloatArray
    from .config import DetectConfig

__all__ = ["BandPixels"]


@dataclass(frozen=True, slots=True, eq=False)
class BandPixels:
    """What detection reads of one band.

    Parameters
    ----------
    image, variance : array (y, x)
    usable : bool array (y, x)
        Both are finite here, and the variance is positive.
    kernel : array (y, x)
        PSF, or what takes its place, of unit sum.
    """

    image: FloatArray
    variance: FloatArray
    usable: BoolArray
    kernel: FloatArray

    @classmethod
    def prepare(
        cls,
        image: FloatArray,
        variance: FloatArray,
        bad: BoolArray,
        psf_stamp: ArrayLike | None,
        config: DetectConfig,
    ) -> BandPixels:
        """Check the arrays of a band and find its usable pixels; a band without any contrast has none.

        Raises
        ------
        InputError
            If the arrays do not have one two-dimensional shape, or the PSF's sides are even.
        """
        if image.ndim != 2 or image.shape != variance.shape or image.shape != bad.shape:
            shapes = f"{image.shape}, {variance.shape} and {bad.shape}"
            raise InputError(f"image, variance and bad must have one shape (y, x); got {shapes}")
        usable = ~bad & np.isfinite(image) & np.isfinite(variance) & (variance > 0)
        values = image[usable]
        if values.size == 0 or values.min() == values.max():
            usable = np.zeros(image.shape, dtype=bool)
        return cls(image, variance, usable, filter_kernel(psf_stamp, config))

    @property
    def sigma(self) -> float:
        """Standard deviation of the kernel in pixels (`psf_sigma`)."""
        return psf_sigma(self.kernel)

    @property
    def fwhm(self) -> float:
        """Of the kernel, pixels."""
        return self.sigma * FWHM_PER_SIGMA
