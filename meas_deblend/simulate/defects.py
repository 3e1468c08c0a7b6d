"""What goes wrong with images: saturation and bleeds, dead columns, missing data, wrong variances."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..image import MultibandExposure

__all__ = ["PLANES", "Defect", "poison", "saturate"]

#: Mask planes of simulated images, in the order of their bits; all are bad.
PLANES = ("BAD", "SAT", "NO_DATA")

# Pixels of a bleed per saturated pixel, upwards and downwards.
_BLEED = 3.0


@dataclass(frozen=True, slots=True)
class Defect:
    """One thing that was done to an image.

    Parameters
    ----------
    kind : str
        ``saturated``, ``bleed``, ``nan_columns``, ``missing``, ``variance_scaled``, ``variance_zero`` or
        ``psf_missing``.
    band : str
        Where.
    box : tuple of int
        ``(y0, y1, x0, x1)`` [px], half-open: the smallest box around what was changed.
    factor : float
        What the variance plane was multiplied by; 1 for other defects.
    flagged : bool
        Whether the mask says so.
    """

    kind: str
    band: str
    box: tuple[int, int, int, int]
    factor: float = 1.0
    flagged: bool = True


def saturate(
    exposure: MultibandExposure, model: NDArray[np.float64], levels: NDArray[np.float64], *, bleed: bool
) -> tuple[MultibandExposure, list[Defect]]:
    """Cut off what is brighter than a pixel can hold, and flag it ``SAT``.

    Parameters
    ----------
    exposure : MultibandExposure
        With the planes `PLANES`; not changed.
    model : float64 array (B, y, x)
        Noiseless image, electrons.
    levels : float64 array (B,)
        Electrons that a pixel holds, all visits together.
    bleed : bool
        Whether the surplus runs along the columns.

    Returns
    -------
    MultibandExposure
    list of Defect
    """
    images, mask, defects = exposure.images.copy(), exposure.mask.copy(), []
    bit = exposure.mask_planes.value(["SAT"])
    for k, band in enumerate(exposure.bands):
        full = model[k] > levels[k]
        if not full.any():
            continue
        defects.append(Defect("saturated", band, _bounds(full)))
        if bleed:
            trail = _bleed(full) & ~full
            if trail.any():
                full = full | trail
                defects.append(Defect("bleed", band, _bounds(full)))
        images[k][full] = levels[k]
        mask[k][full] |= bit
    return replace(exposure, images=images, mask=mask), defects


def poison(
    rng: np.random.Generator, exposure: MultibandExposure, target: tuple[float, float] | None
) -> tuple[MultibandExposure, list[Defect]]:
    """Spoil an exposure as real ones are.

    * two columns of NaN, pixels and variances, in one band, which the mask does not know about; they run through
      ``target``;
    * the left half of the image without data in one band, and half of its lower part in another (``NO_DATA``), so
      that some sources lack one or two bands;
    * the variance plane of one band four times too small everywhere;
    * a block of zero variance in one band;
    * one band without a PSF.

    Parameters
    ----------
    rng : numpy Generator
        Chooses bands and places.
    exposure : MultibandExposure
        With the planes `PLANES`; not changed.
    target : pair of float or None
        ``(y, x)`` of a source that the NaN columns shall hit.

    Returns
    -------
    MultibandExposure
    list of Defect
    """
    n, h, w = exposure.images.shape
    images, variance, mask = exposure.images.copy(), exposure.variance.copy(), exposure.mask.copy()
    order = np.resize(rng.permutation(n), 6)
    defects: list[Defect] = []

    x = int(np.clip(round(target[1]) if target else rng.integers(w), 0, w - 2))
    images[order[0], :, x : x + 2] = np.nan
    variance[order[0], :, x : x + 2] = np.nan
    defects.append(Defect("nan_columns", exposure.bands[order[0]], (0, h, x, x + 2), flagged=False))

    bit = exposure.mask_planes.value(["NO_DATA"])
    for k, (y1, x1) in ((order[1], (h, w // 2)), (order[2], (h // 2, w // 2))):
        images[k, :y1, :x1] = variance[k, :y1, :x1] = np.nan
        mask[k, :y1, :x1] |= bit
        defects.append(Defect("missing", exposure.bands[k], (0, y1, 0, x1)))

    variance[order[3]] *= 0.25
    defects.append(Defect("variance_scaled", exposure.bands[order[3]], (0, h, 0, w), 0.25, flagged=False))
    y, x = int(rng.integers(h - h // 8)), int(rng.integers(w - w // 8))
    box = (y, y + h // 8, x, x + w // 8)
    variance[order[4], box[0] : box[1], box[2] : box[3]] = 0.0
    defects.append(Defect("variance_zero", exposure.bands[order[4]], box, 0.0, flagged=False))
    psfs = tuple(None if k == order[5] else psf for k, psf in enumerate(exposure.psfs))
    defects.append(Defect("psf_missing", exposure.bands[order[5]], (0, h, 0, w), flagged=False))
    return replace(exposure, images=images, variance=variance, mask=mask, psfs=psfs), defects


def _bleed(full: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Columns through saturated pixels, longer the more there are in a column."""
    labels, count = ndimage.label(full)
    out = full.copy()
    for star in range(1, count + 1):
        rows, columns = np.nonzero(labels == star)
        for x in np.unique(columns):
            y = rows[columns == x]
            reach = int(np.ceil(_BLEED * len(y)))
            # Only the core bleeds: the rim of a saturated disc is barely full.
            if len(y) * 2 > np.bincount(columns).max():
                out[max(y.min() - reach, 0) : y.max() + reach + 1, x] = True
    return out


def _bounds(where: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
