"""The PSF as the single-band deblender needs it: stamps of unit flux at any position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..exceptions import InputError
from ..geometry import Box, FloatArray, Image
from ..image import ImagePsf, Psf

if TYPE_CHECKING:
    from typing import Self

__all__ = ["PsfModel", "nearest_pixel"]


def nearest_pixel(y: float, x: float) -> tuple[int, int]:
    """Pixel whose square holds the position; halves round up, so that shifts by whole pixels change nothing."""
    return int(np.floor(y + 0.5)), int(np.floor(x + 0.5))


@dataclass(frozen=True, slots=True, eq=False)
class PsfModel:
    """Stamps with their place on the pixel grid, from any `Psf`."""

    psf: Psf

    @classmethod
    def of(cls, psf: FloatArray | Psf) -> Self:
        """Wrap a PSF; an array (y, x) is one stamp for the whole field and is divided by its sum.

        Raises
        ------
        InputError
            If an array is not 2-D with odd sides and a finite sum above 0.
        """
        if isinstance(psf, Psf):
            return cls(psf)
        total = float(np.sum(psf))
        if not (np.isfinite(total) and total > 0):
            raise InputError(f"a PSF array must have a finite sum above 0, got {total}")
        return cls(ImagePsf(np.asarray(psf, dtype=np.float64) / total))

    def stamp(self, y: float, x: float) -> Image:
        """PSF of a point source of flux 1 at ``(y, x)``, over the pixels that its stamp covers (float64)."""
        array, (cy, cx) = self.psf.image(y, x)
        h, w = array.shape
        return Image(np.asarray(array, dtype=np.float64), Box((cy - h // 2, cx - w // 2), (h, w)))
