"""Sources drawn on stamps: sizes, transforms of PSFs, images and derivatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.fft

from .planes import fill_planes
from .radial import radial_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SIZES", "PsfTransforms", "draw"]

SIZES = (32, 48, 64, 96, 128, 192, 256)
"""Sides of stamps in pixels: lengths that transform fast."""

_LOG_4 = float(np.log(4.0))


@dataclass(frozen=True, slots=True, eq=False)
class PsfTransforms:
    """PSFs of all bands, and their transforms on stamps of every size.

    Parameters
    ----------
    stamps : float64 array (band, h, w)
        Odd, with the middle pixel as the centre.
    rings : float64 array (band, size)
        Mean of a PSF in rings at the edges of stamps of each of `SIZES`; 0 beyond what is known of it.
    kept : dict
        Transforms by size, made when they are first needed.
    """

    stamps: NDArray[np.float64]
    rings: NDArray[np.float64]
    kept: dict[int, NDArray[np.complex64]]

    @classmethod
    def of(cls, stamps: NDArray[np.floating]) -> PsfTransforms:
        """PSFs of all bands (band, h, w)."""
        known = np.asarray(stamps, dtype=np.float64)
        h, w = known.shape[1:]
        radius = np.hypot(*np.ogrid[-(h // 2) : h - h // 2, -(w // 2) : w - w // 2])
        rings = np.zeros((len(known), len(SIZES)))
        for k, size in enumerate(SIZES):
            ring = np.abs(radius - (size / 2 - 2)) < 1
            if ring.any():
                rings[:, k] = known[:, ring].mean(axis=1)
        return cls(known, rings, {})

    def on(self, size: int) -> NDArray[np.complex64]:
        """Transform (band, size, size // 2 + 1) around the first pixel; a PSF wider than the stamp is cut."""
        if size not in self.kept:
            b, h, w = self.stamps.shape
            ry, rx = min(h // 2, (size - 1) // 2), min(w // 2, (size - 1) // 2)
            wrapped = np.zeros((b, size, size))
            rows, columns = np.arange(-ry, ry + 1), np.arange(-rx, rx + 1)
            cut = self.stamps[:, h // 2 - ry : h // 2 + ry + 1, w // 2 - rx : w // 2 + rx + 1]
            wrapped[:, rows[:, None] % size, columns[None, :] % size] = cut
            self.kept[size] = scipy.fft.rfft2(wrapped).astype(np.complex64)
        return self.kept[size]


def draw(
    parameters: NDArray[np.float64], origin: tuple[int, int], size: int, psfs: PsfTransforms, which: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Draw a source of unit flux, or derivatives of it, on a stamp.

    Parameters
    ----------
    parameters : float64 array (8,)
        See `planes`; centre in the frame.
    origin : tuple of int
        First pixel ``(y, x)`` of the stamp in the frame.
    size : int
        Side of the stamp.
    psfs : PsfTransforms
    which : int64 array (n,)
        Numbers of parameters to differentiate by; −1 for the image itself.

    Returns
    -------
    float32 array (band, n, size, size)
    """
    transforms = psfs.on(size)
    local = parameters.copy()
    local[0] -= origin[0]
    local[1] -= origin[1]
    tables = np.stack([radial_table(float(parameters[7])).columns, radial_table(_LOG_4).columns])
    planes = np.empty((len(transforms), len(which), size, size // 2 + 1), dtype=np.complex64)
    fill_planes(local, tables, transforms, which, planes)
    return np.asarray(scipy.fft.irfft2(planes, s=(size, size), overwrite_x=True, workers=1))
