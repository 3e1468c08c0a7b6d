"""One object as a stamp, in all bands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray, Box, FloatArray
    from ..image import MaskPlanes

__all__ = ["NEIGHBOUR", "NOT_FINITE", "Stamp"]

NEIGHBOUR = "NEIGHBOUR"
"""Mask plane of pixels that are noise for the most part, or changed by more than their standard deviation."""

NOT_FINITE = "NOT_FINITE"
"""Mask plane of pixels that have no finite value in the coadd."""


@dataclass(frozen=True, repr=False, eq=False)
class Stamp:
    """One object with its neighbours gone.

    Parameters
    ----------
    id, parent_id : int
        objectId; its parent, 0 if it is isolated.
    bands : tuple of str
        First axis of all arrays.
    box : Box
        Where the stamp lies on the coadds.
    center : tuple of float
        Position ``(y, x)`` of the object on the coadds; `position` is that on the stamp.
    image : float array (band, y, x)
        The coadd without the neighbours, in ``units``; 0 where it has no finite value.
    variance : float array (band, y, x)
        The coadd's own.
    mask : int array (band, y, x)
        The coadd's own, with the planes `NEIGHBOUR` and `NOT_FINITE`.
    noise : float array (band, y, x)
        Noise like the coadd's, made from the object's identifier and independent of the noise that fills holes.
    model : float array (band, y, x)
        The object's own model as seen.
    psf : float64 array (band, h, w)
        PSF in the middle of the object's pixel, odd sides; NaN in a band without one.
    wcs : astropy.wcs.WCS, optional
        World coordinates of the stamp's pixels.
    mask_planes : MaskPlanes
        Names of the bits of ``mask``.
    zeropoints : tuple of float or None
        AB magnitude of one unit per band.
    units : str
        Unit of the pixels.
    neighbours : str
        What was done about them.
    """

    id: int
    parent_id: int
    bands: tuple[str, ...]
    box: Box
    center: tuple[float, float]
    image: FloatArray
    variance: FloatArray
    mask: NDArray[np.integer[Any]]
    noise: FloatArray
    model: FloatArray
    psf: NDArray[np.float64]
    wcs: Any
    mask_planes: MaskPlanes
    zeropoints: tuple[float | None, ...]
    units: str
    neighbours: str

    @property
    def position(self) -> tuple[float, float]:
        """Position ``(y, x)`` of the object on the stamp, 0-based."""
        return self.center[0] - self.box.origin[0], self.center[1] - self.box.origin[1]

    @property
    def bad(self) -> BoolArray:
        """Pixels (band, y, x) that carry no usable flux."""
        usable = np.isfinite(self.variance) & (self.variance > 0)
        return self.mask_planes.any_set(self.mask) | ~usable

    @property
    def weight(self) -> FloatArray:
        """Inverse variance (band, y, x), 0 on pixels that carry no usable flux."""
        good = ~self.bad
        return np.divide(1, self.variance, out=np.zeros_like(self.variance), where=good)

    def band(self, name: str) -> int:
        """Index of a band.

        Raises
        ------
        ModelError
            If there is no such band.
        """
        if name not in self.bands:
            raise ModelError(f"no band {name!r} in this stamp; there are {', '.join(self.bands)}")
        return self.bands.index(name)

    def __repr__(self) -> str:
        h, w = self.box.shape
        return f"<Stamp {self.id}: {h} × {w} pixels, bands {', '.join(self.bands)}, neighbours {self.neighbours}>"
