"""The multi-band exposure: what every step of the chain reads."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import InputError
from ..geometry import BoolArray, Box, FloatArray, IntArray
from .masks import MaskPlanes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .psf import Psf

__all__ = ["BandSource", "MultibandExposure", "unusable"]


@dataclass(frozen=True, slots=True)
class BandSource:
    """Where a band's pixels came from, so that they can be found and checked again.

    Parameters
    ----------
    path : str
        Absolute path of the image file; "" for arrays that were never in a file.
    sha256 : str
        Checksum of the file; "" where there is none.
    """

    path: str = ""
    sha256: str = ""


def unusable(image: FloatArray, variance: FloatArray, masked: BoolArray) -> BoolArray:
    """Pixels (of any shape) that carry no flux: those that are ``masked``, and those without data or variance."""
    usable = np.isfinite(image) & np.isfinite(variance) & (variance > 0)
    return masked | ~usable


@dataclass(frozen=True, slots=True, eq=False)
class MultibandExposure:
    """Images of one patch of sky in several bands, on one pixel grid.

    Parameters
    ----------
    bands : tuple of str
        Names, in the caller's order; the first axis of every cube.
    images, variance : float array (band, y, x)
        Pixels and their variances, in ``units`` and ``units``².  NaN where there is no data.
    mask : int array (band, y, x)
        Bit planes named by ``mask_planes``.
    psfs : tuple of Psf or None
        One per band; None for a band without one (only when the caller allowed it).
    wcs : astropy.wcs.WCS, optional
        World coordinates of the common grid.
    zeropoints : tuple of float or None
        AB magnitude of one image unit per band; None where it is not known.
    units : str
        Unit of the pixels, e.g. "count" or "nJy".
    pixel_scale : float, optional
        Arcseconds per pixel.
    sources : tuple of BandSource
        Files, one per band.
    warnings : tuple of str
        What was found wrong and repaired while reading.
    background : tuple of float
        Median level that was subtracted while reading, per band, in ``units``; 0 where nothing was.
    """

    bands: tuple[str, ...]
    images: FloatArray
    variance: FloatArray
    mask: IntArray
    psfs: tuple[Psf | None, ...]
    mask_planes: MaskPlanes = field(default_factory=MaskPlanes)
    wcs: Any = None
    zeropoints: tuple[float | None, ...] = ()
    units: str = "count"
    pixel_scale: float | None = None
    sources: tuple[BandSource, ...] = ()
    warnings: tuple[str, ...] = ()
    background: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.bands)
        if len(set(self.bands)) != n or n == 0:
            raise InputError(f"bands must be named once each, and at least one; got {self.bands}")
        for name in ("images", "variance", "mask"):
            shape = getattr(self, name).shape
            if len(shape) != 3 or shape[0] != n or shape != self.images.shape:
                raise InputError(f"{name} must have shape (band, y, x) = ({n}, …) like images, got {shape}")
        if len(self.psfs) != n:
            raise InputError(f"{len(self.psfs)} PSFs for {n} bands")
        if not self.zeropoints:
            object.__setattr__(self, "zeropoints", (None,) * n)
        if not self.sources:
            object.__setattr__(self, "sources", (BandSource(),) * n)
        if not self.background:
            object.__setattr__(self, "background", (0.0,) * n)
        for name in ("zeropoints", "sources", "background"):
            if len(getattr(self, name)) != n:
                raise InputError(f"{len(getattr(self, name))} {name} for {n} bands")

    @property
    def box(self) -> Box:
        """All pixels: origin (0, 0)."""
        return Box((0, 0), (self.images.shape[1], self.images.shape[2]))

    @property
    def bad(self) -> BoolArray:
        """Pixels that carry no usable flux (band, y, x): a bad plane is set, or image or variance is not usable."""
        return unusable(self.images, self.variance, self.mask_planes.any_set(self.mask))

    @property
    def noise_rms(self) -> FloatArray:
        """Median standard deviation of a usable pixel per band (band,), image units; NaN without usable pixels."""
        good = ~self.bad
        rms = [np.sqrt(np.median(v[g])) if g.any() else np.nan for v, g in zip(self.variance, good, strict=True)]
        return np.array(rms, dtype=np.float64)

    def band_index(self, band: str) -> int:
        """Index of ``band`` on the first axis.

        Raises
        ------
        InputError
            If there is no such band; the message lists those that there are.
        """
        if band not in self.bands:
            raise InputError(f"no band {band!r}; there are {', '.join(self.bands)}")
        return self.bands.index(band)

    def select(self, bands: Sequence[str]) -> MultibandExposure:
        """Return the same exposure with only ``bands``, in that order."""
        index = [self.band_index(b) for b in bands]
        return replace(
            self,
            bands=tuple(bands),
            images=self.images[index],
            variance=self.variance[index],
            mask=self.mask[index],
            psfs=tuple(self.psfs[k] for k in index),
            zeropoints=tuple(self.zeropoints[k] for k in index),
            sources=tuple(self.sources[k] for k in index),
            background=tuple(self.background[k] for k in index),
        )
