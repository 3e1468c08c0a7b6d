"""What detection reads of one band."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ..exceptions import InputError
from ..geometry import Box
from .significance import FWHM_PER_SIGMA, filter_kernel, psf_sigma
from .tiling import TilePixels, row_strips

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..geometry import BoolArray, FloatArray, IntArray
    from ..image import MultibandExposure
    from .config import DetectConfig
    from .tile_psfs import TilePsfs

__all__ = ["BandPixels", "with_depth"]


@dataclass(frozen=True, slots=True, eq=False)
class BandPixels:
    """What detection reads of one band: nothing is copied but the pixels of one tile at a time.

    Parameters
    ----------
    image, variance : array (y, x)
    mask : int or bool array (y, x)
    bad : int
        Bits of ``mask`` that make a pixel unusable.
    kernel : array (y, x)
        PSF in the middle of the image, or what takes its place, of unit sum.
    depth : float
        Smallest variance of a usable pixel; 0 for a band that has none, or no contrast: nothing of it is used.
    kernels : mapping of tuple of int to array (y, x)
        Kernels of the tiles whose PSF differs from that in the middle, by the origin of the tile.
    known : bool array (y, x), optional
        Which pixels may be used, for those who ask again and again; default: it is found when somebody asks.
    """

    image: FloatArray
    variance: FloatArray
    mask: IntArray | BoolArray
    bad: int
    kernel: FloatArray
    depth: float
    kernels: Mapping[tuple[int, int], FloatArray] = field(default_factory=dict)
    known: BoolArray | None = None

    @classmethod
    def prepare(
        cls, image: FloatArray, variance: FloatArray, bad: BoolArray, psf_stamp: ArrayLike | None, config: DetectConfig
    ) -> BandPixels:
        """Check the arrays of a band; one without any contrast has no usable pixels.

        Raises
        ------
        InputError
            If the arrays do not have one two-dimensional shape, or the PSF's sides are even.
        """
        if image.ndim != 2 or image.shape != variance.shape or image.shape != bad.shape:
            shapes = f"{image.shape}, {variance.shape} and {bad.shape}"
            raise InputError(f"image, variance and bad must have one shape (y, x); got {shapes}")
        kernel = filter_kernel(psf_stamp, config)
        return with_depth(cls(image, variance, bad, 1, kernel, 1.0))

    @classmethod
    def of_exposure(cls, exposure: MultibandExposure, k: int, psfs: TilePsfs) -> BandPixels:
        """Take band number ``k`` of an exposure, with PSFs as kernels; every usable pixel of it is used."""
        planes = exposure.mask_planes
        bad = planes.value([name for name in planes.bad if name in planes.bits])
        cubes = exposure.images[k], exposure.variance[k], exposure.mask[k]
        return cls(*cubes, bad=bad, kernel=psfs.middle, depth=1.0, kernels=psfs.others)

    def without_planes(self) -> BandPixels:
        """Return the same of an empty frame, which can be sent to where the planes are."""
        empty = np.zeros((0, 0))
        return replace(self, image=empty, variance=empty, mask=np.zeros((0, 0), dtype=bool), known=None)

    @property
    def shape(self) -> tuple[int, int]:
        """Of the image (y, x)."""
        return self.image.shape[0], self.image.shape[1]

    @property
    def sigma(self) -> float:
        """Standard deviation of the kernel in pixels (`psf_sigma`)."""
        return psf_sigma(self.kernel)

    @property
    def fwhm(self) -> float:
        """Of the kernel, pixels."""
        return self.sigma * FWHM_PER_SIGMA

    def kernel_on(self, tile: Box) -> FloatArray:
        """Kernel (y, x) for a tile."""
        return self.kernels.get(tile.origin, self.kernel)

    def usable(self, rows: slice, columns: slice = slice(None)) -> BoolArray:
        """Which pixels of a part of the image may be used (y, x)."""
        part = (rows, columns)
        if self.known is not None:
            return self.known[part]
        if self.depth == 0:
            return np.zeros(self.image[part].shape, dtype=bool)
        flagged = (self.mask[part] & np.asarray(self.bad, dtype=self.mask.dtype)) != 0
        return np.asarray(
            ~flagged & np.isfinite(self.image[part]) & np.isfinite(self.variance[part]) & (self.variance[part] > 0)
        )

    def on(self, box: Box) -> TilePixels:
        """Pixels on a box, which may reach beyond the image."""
        inside = box & Box((0, 0), self.shape)
        rows, columns = inside.slices_in(Box((0, 0), self.shape))
        here = inside.slices_in(box)
        usable = np.zeros(box.shape, dtype=bool)
        usable[here] = self.usable(rows, columns)
        image, variance = np.zeros(box.shape), np.zeros(box.shape)
        for out, array in ((image, self.image), (variance, self.variance)):
            np.copyto(out[here], array[rows, columns], where=usable[here])
        return TilePixels(image, variance, usable)


def with_depth(band: BandPixels) -> BandPixels:
    """Find which pixels of a band may be used, and its depth: 0, and none of them, where these have all one value."""
    known = np.zeros(band.shape, dtype=bool)
    low, high, depth = np.inf, -np.inf, np.inf
    for rows in row_strips(band.shape):
        usable = band.usable(rows)
        known[rows] = usable
        if usable.any():
            values = band.image[rows][usable]
            low, high = min(low, float(values.min())), max(high, float(values.max()))
            depth = min(depth, float(band.variance[rows][usable].min()))
    if not low < high:
        return replace(band, depth=0.0, known=np.zeros_like(known))
    return replace(band, depth=depth, known=known)
