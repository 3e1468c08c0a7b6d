"""The image around one object, with everything else replaced by noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Box
from .noise import noise_field
from .pixels import Window

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from ..apportion import Child
    from ..geometry import BoolArray, Footprint, Peak
    from ..image import MultibandExposure
    from .noise import NoiseCorrelation

    Float = NDArray[np.float64]

__all__ = ["Scene", "detected_pixels"]

_OFFSET = 1 << 40
"""Seeds are not negative, and reference pixels may lie anywhere."""


def detected_pixels(footprints: Iterable[Footprint], shape: tuple[int, int]) -> BoolArray:
    """Pixels (y, x) that belong to a footprint."""
    out = np.zeros(shape, dtype=bool)
    for footprint in footprints:
        here, there = footprint.box.overlap_slices(Box((0, 0), shape))
        out[there] |= footprint.mask[here]
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What objects are measured on.

    Parameters
    ----------
    exposure : MultibandExposure
        B bands; it is never changed, so nothing has to be put back after a measurement.
    detected : bool array (y, x)
        Pixels of all detected parents.
    noise : NoiseCorrelation
        How the noise of its pixels is correlated.
    seed : int
        With the place of an object, the seed of the noise that replaces its neighbours.
    """

    exposure: MultibandExposure
    detected: BoolArray
    noise: NoiseCorrelation
    seed: int = 0

    def whole(self, box: Box) -> Window:
        """Return the image as it is, not deblended, on ``box``, which may reach beyond its edge."""
        from ._scene_kernels import place_usable  # noqa: PLC0415 - loads the compiler

        exposure = self.exposure
        flux, noise = np.zeros((2, len(exposure.bands), *box.shape))
        usable, observed = np.zeros(flux.shape, dtype=bool), np.zeros(box.shape, dtype=bool)
        observed[exposure.box.overlap_slices(box)[1]] = True
        first = box.origin[0] - exposure.box.origin[0], box.origin[1] - exposure.box.origin[1]
        planes = exposure.images, exposure.variance, exposure.mask
        place_usable(planes, exposure.mask_planes.bad_value, first, (flux, noise, usable))
        return Window(box, flux, noise, usable, observed)

    def seed_at(self, peak: Peak) -> tuple[int, int, int]:
        """Return the seed of the noise around an object.

        It goes with the pixel of its peak, counted from the reference pixel of the world coordinates: images that are
        parts of one pixel grid, such as patches that overlap, have the same noise around it, and measure the same.

        Parameters
        ----------
        peak : Peak
        """
        wcs = self.exposure.wcs
        reference = (1.0, 1.0) if wcs is None else wcs.wcs.crpix[::-1]
        # Parts of one grid differ by whole pixels; a reference pixel at a corner or a centre is far from the next step.
        y, x = (int(np.floor(one + 0.25)) for one in reference)
        return self.seed, peak.y - y + _OFFSET, peak.x - x + _OFFSET

    def isolated(self, whole: Window, child: Child | None, seed: tuple[int, ...]) -> Window:
        """Return the image with only one object on it.

        Pixels of which the object has a share hold its part of the data, with the variance ρ² V. Sky, which belongs to
        no parent, stays as it is. All other pixels of parents hold noise of variance V, correlated like that of the
        image: light of neighbours goes, and apertures see neither holes nor edges of templates.

        Parameters
        ----------
        whole : Window
            By `whole`.
        child : Child, optional
            The object's pixels; None for a place without an object.
        seed : tuple of int
            Of the noise, from `seed_at`.
        """
        from ._scene_kernels import keep_own, replace_by_noise  # noqa: PLC0415 - loads the compiler

        free = np.zeros(whole.box.shape, dtype=bool)
        here, there = self.exposure.box.overlap_slices(whole.box)
        free[there] = ~self.detected[here]
        nothing = np.zeros((len(whole.flux), 0, 0))
        mine, first = (nothing, nothing), (0, 0)
        if child is not None:
            mine = np.ascontiguousarray(child.flux), np.ascontiguousarray(child.share)
            first = child.box.origin[0] - whole.box.origin[0], child.box.origin[1] - whole.box.origin[1]
        flux, noise = np.empty_like(whole.flux), np.empty_like(whole.noise)
        if keep_own((whole.flux, whole.noise, whole.usable), free, mine, first, (flux, noise)):
            drawn = noise_field(self.noise, whole.box.shape, seed)
            replace_by_noise(drawn, whole.noise, (flux, noise))
        return Window(whole.box, flux, noise, whole.usable, whole.observed)
