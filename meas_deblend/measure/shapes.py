"""Shapes of PSFs, and what is made of the adaptive moments of several bands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..image import ImagePsf
from .child import ShapeSet, psf_shape
from .values import Sizes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..geometry import FloatArray
    from ..image import Psf
    from .config import MeasureConfig

    Float = NDArray[np.float64]

__all__ = [
    "SHORTEST",
    "PsfShapes",
    "band_weights",
    "shape_part",
    "sizes",
]

SHORTEST = 0.5
"""Least axis of an object's ellipse of one standard deviation [px]."""

# PSFs change little over as many pixels.
_CELL = 256


class PsfShapes:
    """Moments of PSFs, each measured once.

    Parameters
    ----------
    psfs : sequence of Psf or None (B,)
        Observed PSFs. Moments are taken in the middle of cells of 256 pixels, since PSFs change little over one.
    config : MeasureConfig
    """

    def __init__(self, psfs: Sequence[Psf | None], config: MeasureConfig) -> None:
        self._psfs, self._config = psfs, config
        self._observed: dict[tuple[int, int], ShapeSet] = {}
        self._sharp: dict[bytes, ImagePsf] = {}
        self._models: dict[bytes, ShapeSet] = {}
        self._flavors: dict[tuple[int, int, bytes | None], ShapeSet] = {}

    def observed(self, y: float, x: float) -> ShapeSet:
        """Moments of the B observed PSFs near a position [px]."""
        cell = _cell(y, x)
        if cell not in self._observed:
            middle = tuple(float(c * _CELL + _CELL // 2) for c in cell)
            self._observed[cell] = psf_shape(self._psfs, (middle[0], middle[1]), self._config)
        return self._observed[cell]

    def sharp(self, stamp: FloatArray) -> ImagePsf:
        """Return a model PSF; the same object for the same pixels."""
        key = stamp.tobytes()
        if key not in self._sharp:
            self._sharp[key] = ImagePsf(np.asarray(stamp, dtype=np.float64))
        return self._sharp[key]

    def model(self, stamp: FloatArray | None) -> ShapeSet:
        """Moments of a model PSF, repeated for B bands; NaN without one, as for models that are templates."""
        if stamp is None:
            return psf_shape([None] * len(self._psfs), (0.0, 0.0), self._config)
        key = stamp.tobytes()
        if key not in self._models:
            alone = psf_shape([self.sharp(stamp)], (0.0, 0.0), _for_model_psf(self._config))
            count = len(self._psfs)
            self._models[key] = ShapeSet(
                np.repeat(alone.moments, count, axis=0),
                np.repeat(alone.covariance, count, axis=0),
                np.repeat(alone.reasons, count),
            )
        return self._models[key]

    def flavors(self, y: float, x: float, stamp: FloatArray | None) -> ShapeSet:
        """Moments that the images of all flavours have been seen through near a position [px] (3 B)."""
        key = (*_cell(y, x), None if stamp is None else stamp.tobytes())
        if key not in self._flavors:
            observed, sharp = self.observed(y, x), self.model(stamp)
            self._flavors[key] = _joined((observed, observed, sharp))
        return self._flavors[key]


def _cell(y: float, x: float) -> tuple[int, int]:
    return int(y // _CELL), int(x // _CELL)


def _for_model_psf(config: MeasureConfig) -> MeasureConfig:
    """Return settings with which the moments of a model PSF, which is about a pixel wide, are found."""
    return config.model_copy(update={"fallback_sigma": 1.0})


def shape_part(found: ShapeSet, part: slice) -> ShapeSet:
    """Return the shapes of some of the images."""
    center = None if found.center is None else found.center[part]
    return ShapeSet(found.moments[part], found.covariance[part], found.reasons[part], center)


def band_weights(shape: ShapeSet) -> Float:
    """Weights (B,) of the bands in the mean of their moments: inverse variances, with a sum of 1; 0 where flagged."""
    from ._mean_kernels import inverse_variances  # noqa: PLC0415 - loads the compiler

    return inverse_variances(shape.covariance, shape.reasons)[0]


def sizes(shape: ShapeSet, psf: ShapeSet, above: float) -> Sizes:
    """Excess of an object's size over its PSF's in B bands; ``above`` is `MeasureConfig.extended_above`."""
    from ._mean_kernels import size_excess  # noqa: PLC0415 - loads the compiler

    flag, found = shape.flag | psf.flag, np.empty((3, len(shape.reasons)))
    size_excess(shape.moments, shape.covariance, np.where(flag[:, None], np.nan, psf.moments), above, found)
    return Sizes(found[0], found[1], found[2], flag)


def _joined(shapes: Sequence[ShapeSet]) -> ShapeSet:
    return ShapeSet(
        np.concatenate([shape.moments for shape in shapes]),
        np.concatenate([shape.covariance for shape in shapes]),
        np.concatenate([shape.reasons for shape in shapes]),
    )
