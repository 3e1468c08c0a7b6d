"""Fields with truth: an image, and what each of its galaxies looks like alone and without noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..geometry import Box
from ..image import ImagePsf, MaskPlanes, MultibandExposure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import FloatArray

__all__ = ["Field", "FieldSetting"]


@dataclass(frozen=True, slots=True, eq=False)
class FieldSetting:
    """What all fields of a folder have in common.

    Parameters
    ----------
    bands : tuple of str
    psf : float64 array (band, h, w)
        Stamps of a unit-flux PSF; they are cut off, so their sums may be below 1, and are not normalised. NaN for a
        band without PSF.
    fwhm : float64 array (band,)
        FWHM of the PSF in pixels: it sets the apertures.
    sky : float64 array (band,)
        Variance of a pixel without sources, in squared image units.
    zeropoints : tuple of float or None
        AB magnitude of one image unit; None where it is not known.
    """

    bands: tuple[str, ...]
    psf: NDArray[np.float64]
    fwhm: NDArray[np.float64]
    sky: NDArray[np.float64]
    zeropoints: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One simulated field.

    Parameters
    ----------
    name : str
        Name of its file without the ending.
    image : float array (band, y, x)
        With noise.
    truth : float array (source, band, y, x)
        Each source alone, without noise, in the seeing of each band.
    x, y : float64 array (source,)
        True centres in pixels, 0-based.
    a, b, theta : float64 array (source,)
        Half-light ellipse of the larger of bulge and disc: semi-axes in pixels before the PSF, and the angle of the
        major axis from +x to +y in radians, in [−π/2, π/2].
    snr : float64 array (source,)
        Signal-to-noise ratio in r as the catalog gives it; NaN where it does not.
    magnitudes : float64 array (source, band)
        Catalog AB magnitudes; NaN where there are none.
    setting : FieldSetting
    stated_variance : float array (band, y, x), optional
        What the file gives as the variance, right or wrong; None for that of sky and sources.
    bad : bool array (band, y, x), optional
        Pixels that the file's mask marks; None for none.
    """

    name: str
    image: FloatArray
    truth: FloatArray
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    a: NDArray[np.float64]
    b: NDArray[np.float64]
    theta: NDArray[np.float64]
    snr: NDArray[np.float64]
    magnitudes: NDArray[np.float64]
    setting: FieldSetting
    stated_variance: FloatArray | None = None
    bad: NDArray[np.bool_] | None = None

    @property
    def box(self) -> Box:
        """All pixels."""
        return Box((0, 0), (self.image.shape[1], self.image.shape[2]))

    @property
    def sources(self) -> dict[str, list[Any]]:
        """Table of the true centres, as a user gives positions: x, y, and the index of the source as its id."""
        return {"id": [str(k) for k in range(len(self.x))], "x": self.x.tolist(), "y": self.y.tolist()}

    @property
    def variance(self) -> NDArray[np.float64]:
        """Variance of every pixel (band, y, x): that of the sky plus the noiseless sources (photon counts)."""
        noiseless: NDArray[np.float64] = self.truth.sum(axis=0, dtype=np.float64)
        return self.setting.sky[:, None, None] + np.maximum(noiseless, 0)

    @property
    def observed(self) -> NDArray[np.float64]:
        """Image (band, y, x) on which fluxes are measured: bad pixels are replaced by the noiseless sources."""
        bad = ~np.isfinite(self.image) if self.bad is None else self.bad | ~np.isfinite(self.image)
        image = self.image.astype(np.float64)
        return np.where(bad, self.truth.sum(axis=0, dtype=np.float64), image) if bad.any() else image

    def exposure(self) -> MultibandExposure:
        """Return what a deblender is given.

        The variance is the true one, unless the file states another. A coadd's variance plane is as good: it comes
        from hundreds of exposures, not from the pixel itself, whose noise would otherwise enter its own weight.
        """
        variance = self.variance if self.stated_variance is None else self.stated_variance
        bad = np.zeros(self.image.shape, dtype=bool) if self.bad is None else self.bad
        return MultibandExposure(
            self.setting.bands,
            self.image,
            variance.astype(np.float32),
            bad.astype(np.int32),
            tuple(ImagePsf(stamp) if np.isfinite(stamp).all() else None for stamp in self.setting.psf),
            mask_planes=MaskPlanes({"BAD": 0}, ("BAD",)),
            zeropoints=self.setting.zeropoints,
        )
