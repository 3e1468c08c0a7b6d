"""PSFs that vary over a coadd: one per tile, and the same one where they hardly differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .psf_search import first_psf
from .tiling import tiles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ..geometry import Box, FloatArray
    from ..image import Psf

__all__ = ["TilePsfs", "stamp_difference", "tile_psfs"]


@dataclass(frozen=True, slots=True, eq=False)
class TilePsfs:
    """PSFs of one band.

    Parameters
    ----------
    middle : array (y, x)
        PSF in the middle of the image.
    others : mapping of tuple of int to array (y, x)
        Those of tiles where it differs, by the origin of the tile.
    """

    middle: FloatArray
    others: Mapping[tuple[int, int], FloatArray]

    def on(self, tile: Box) -> FloatArray:
        """PSF of a tile."""
        return self.others.get(tile.origin, self.middle)


def tile_psfs(psf: Psf | None, middle: FloatArray, shape: tuple[int, int], side: int, tolerance: float) -> TilePsfs:
    """Evaluate a PSF in the middle of every tile.

    Tiles share the stamps of the middle of the image, or of a tile before them, that differ by no more than the
    tolerance, and with the stamps what is derived from them.  A tile in whose middle, and in the middles of whose
    quarters, there is no PSF has that of the middle of the image.

    Parameters
    ----------
    psf : Psf or None
    middle : array (y, x)
        See `exposure_psfs`.
    shape : tuple of int
        Of the image (y, x).
    side : int
        Of the tiles, pixels.
    tolerance : float
        Largest `stamp_difference`.
    """
    kept: list[NDArray[np.float64]] = []
    others = {}
    for tile in tiles(shape, side):
        (y, x), (h, w) = tile.origin, tile.shape
        quarters = [(y + v * h // 4, x + u * w // 4) for v in (1, 3) for u in (1, 3)]
        stamp = first_psf(psf, [(y + h // 2, x + w // 2), *quarters]).stamp
        if stamp is None or stamp_difference(stamp, middle) <= tolerance:
            continue
        like = next((known for known in kept if stamp_difference(stamp, known) <= tolerance), None)
        if like is None:
            kept.append(stamp)
        others[tile.origin] = stamp if like is None else like
    return TilePsfs(middle, others)


def stamp_difference(first: FloatArray, second: FloatArray) -> float:
    """Largest difference of two stamps (y, x), centred on each other, in units of the first one's peak."""
    h, w = (max(sides) for sides in zip(first.shape, second.shape, strict=True))
    one, other = (np.pad(s, [((n - side) // 2,) * 2 for n, side in zip((h, w), s.shape, strict=True)])
                  for s in (first, second))  # fmt: skip
    return float(np.abs(one - other).max() / one.max())
