"""The pixels that an object is measured on: its own share of the light, or the image as it is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray, FloatArray
    from ..image import MultibandExposure

__all__ = ["ObjectPixels", "Window", "cropped", "image_pixels"]


@dataclass(frozen=True)
class ObjectPixels:
    """What one object has on each pixel.

    Parameters
    ----------
    box : Box
        Where the arrays lie; the object has no flux, and no noise, on other pixels.
    frame : Box
        All pixels of the image: what is outside of it was never observed.
    flux : float array (B, h, w)
        The object's flux per pixel, image units.
    variance : float array (B, h, w)
        The image's own variance.
    bad : bool array (B, h, w)
        Pixels that carry no usable flux. Those without finite flux or finite, positive variance count as bad too.
    share : float array (B, h, w), optional
        Part of the pixel's light that was given to the object, ρ = template / Σ templates, in [0, 1]; 1 if None.

    Raises
    ------
    ValueError
        If the arrays' shapes do not agree with each other and with ``box``.
    """

    box: Box
    frame: Box
    flux: FloatArray
    variance: FloatArray
    bad: BoolArray
    share: FloatArray | None = None

    def __post_init__(self) -> None:
        for name in ("flux", "variance", "bad", "share"):
            array = getattr(self, name)
            if array is not None and array.shape != (len(self.flux), *self.box.shape):
                raise ValueError(
                    f"{name} has shape {array.shape}; ({len(self.flux)}, {self.box.shape[0]}, {self.box.shape[1]}) "
                    "is needed by the bands of flux and by the box"
                )

    @cached_property
    def usable(self) -> BoolArray:
        """Pixels that can be measured on (B, h, w)."""
        good = ~self.bad & np.isfinite(self.flux) & np.isfinite(self.variance) & (self.variance > 0)
        return good if self.share is None else good & np.isfinite(self.share)

    @cached_property
    def noise(self) -> NDArray[np.float64]:
        """Variance of the object's flux for a fixed share, ρ² V (B, h, w); 0 on pixels that are not usable."""
        share = 1.0 if self.share is None else np.where(self.usable, self.share, 0.0)
        return share**2 * np.where(self.usable, self.variance, 0.0).astype(np.float64)

    @cached_property
    def clean_flux(self) -> NDArray[np.float64]:
        """Flux with 0 on pixels that are not usable (B, h, w)."""
        return np.where(self.usable, self.flux, 0.0).astype(np.float64)

    def window(self, box: Box) -> Window:
        """Bring the pixels onto ``box``, which may reach beyond the object's box and the image."""
        shape = (len(self.flux), *box.shape)
        flux, noise, usable = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=bool)
        observed = np.zeros(box.shape, dtype=bool)
        observed[self.frame.overlap_slices(box)[1]] = True
        usable[:] = observed
        here, there = self.box.overlap_slices(box)
        flux[(..., *there)] = self.clean_flux[(..., *here)]
        noise[(..., *there)] = self.noise[(..., *here)]
        usable[(..., *there)] &= self.usable[(..., *here)]
        return Window(box, flux, noise, usable, observed)


@dataclass(frozen=True)
class Window:
    """An object's pixels on another box.

    Parameters
    ----------
    box : Box
        Where the arrays lie.
    flux : float64 array (N, h, w)
        Images; 0 where the object has no share and where a pixel is not usable.
    noise : float64 array (B, h, w)
        Variance: N is a multiple of B, and image k has that of band k modulo B.
    usable : bool array (B, h, w)
        Pixels that can be measured on: observed, and not bad. Images from number B on are models, all of whose pixels
        can be used.
    observed : bool array (h, w)
        Pixels of the image.
    same : int array (N,), optional
        For each image the first one that differs from it by a positive factor only, itself where there is none; the
        shapes of such images are sought once.
    """

    box: Box
    flux: NDArray[np.float64]
    noise: NDArray[np.float64]
    usable: BoolArray
    observed: BoolArray
    same: NDArray[np.int64] | None = None

    @cached_property
    def is_complete(self) -> bool:
        """Whether all pixels of all images can be measured on."""
        return bool(self.usable.all())


def cropped(window: Window, box: Box) -> Window:
    """Part of a window."""
    inner = window.box & box
    cut = inner.slices_in(window.box)
    both = (slice(None), *cut)
    planes = (window.flux[both], window.noise[both], window.usable[both])
    return Window(inner, *planes, window.observed[cut], window.same)


def image_pixels(exposure: MultibandExposure, box: Box, margin: int = 25) -> ObjectPixels:
    """Take the image's own pixels, not deblended, around an object.

    The same measurements on them say how much its neighbours contribute.

    Parameters
    ----------
    exposure : MultibandExposure
        B bands.
    box : Box
        The object's box.
    margin : int
        Pixels added on each side, which must hold the largest aperture and the PSF's stamp; at least 0.

    Returns
    -------
    ObjectPixels
        Views of the exposure's arrays; share 1.
    """
    cut = box.grow(margin) & exposure.box
    window = (slice(None), *cut.slices_in(exposure.box))
    bad = exposure.mask_planes.any_set(exposure.mask[window])
    return ObjectPixels(cut, exposure.box, exposure.images[window], exposure.variance[window], bad)
