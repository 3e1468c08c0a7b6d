"""Adaptive moments and centroids of all flavours of an object at once, and of its PSFs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..image import ImagePsf
from .child import CentroidSet, ShapeSet, centroid_set, psf_shape, shape_set
from .ellipses import Ellipse
from .moments import adaptive_moments, gaussian_centroid
from .pixels import Window
from .values import Sizes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..geometry import FloatArray
    from ..image import Psf
    from .config import MeasureConfig
    from .noise import NoiseCorrelation

    Float = NDArray[np.float64]

__all__ = [
    "SHORTEST",
    "PsfShapes",
    "band_centroids",
    "band_shapes",
    "band_weights",
    "common_ellipse",
    "sizes",
    "sizes_of_all",
    "stacked",
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

    def observed(self, y: float, x: float) -> ShapeSet:
        """Moments of the B observed PSFs near a position [px]."""
        cell = int(y // _CELL), int(x // _CELL)
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


def _for_model_psf(config: MeasureConfig) -> MeasureConfig:
    """Return settings with which the moments of a model PSF, which is about a pixel wide, are found."""
    return config.model_copy(update={"fallback_sigma": 1.0})


def stacked(own: Window, models: Sequence[Float]) -> Window:
    """Images of all flavours, one after the other, on one window.

    A model has no noise of its own: the same measurement on it is as uncertain as on the pixels that it was fitted
    to. All of its pixels can be used.
    """
    everything = np.ones_like(own.usable)
    count = len(models)
    return Window(
        own.box,
        np.concatenate([own.flux, *models]),
        np.concatenate([own.noise] * (count + 1)),
        np.concatenate([own.usable, *[everything] * count]),
        own.observed,
    )


def band_centroids(
    window: Window, start: tuple[float, float], sigma: Float, config: MeasureConfig, noise: NoiseCorrelation
) -> list[CentroidSet]:
    """Centroids of all images of a stacked window, one set per flavour; ``sigma`` is that of the weights [px]."""
    fit = gaussian_centroid(window, start, sigma, config, noise)
    found = centroid_set(fit, start)
    parts = np.split(np.arange(len(sigma)), len(sigma) // len(noise.xi))
    return [CentroidSet(found.y[k], found.x[k], found.y_error[k], found.x_error[k], found.reasons[k]) for k in parts]


def band_shapes(
    window: Window, start: tuple[float, float], sigma: Float, config: MeasureConfig, noise: NoiseCorrelation
) -> list[ShapeSet]:
    """Adaptive moments of all images of a stacked window, one set per flavour."""
    fit = adaptive_moments(window, start, sigma, config, noise)
    found = shape_set(fit)
    parts = np.split(np.arange(len(sigma)), len(sigma) // len(noise.xi))
    return [ShapeSet(found.moments[k], found.covariance[k], found.reasons[k], fit.center[k]) for k in parts]


def common_ellipse(shape: ShapeSet, psf: ShapeSet, largest: float) -> Ellipse | None:
    """Ellipse of one σ for all bands: mean of the trusted moments, weighted with their inverse variances.

    Without any, the PSF's; None where there is no PSF either. The axes are between half a pixel and ``largest`` [px].
    """
    from ._mean_kernels import inverse_variances, weighted_moments  # noqa: PLC0415 - loads the compiler

    weights, is_known = inverse_variances(shape.covariance, shape.reasons)
    if is_known:
        moments = weighted_moments(shape.moments, weights)
    elif (~shape.flag).any():
        moments = tuple(shape.moments[~shape.flag].mean(axis=0).tolist())
    elif (~psf.flag).any():
        moments = tuple(psf.moments[~psf.flag].mean(axis=0).tolist())
    else:
        return None
    ellipse = Ellipse.from_moments(*moments)
    a = min(max(ellipse.a, SHORTEST), largest)
    return Ellipse(a, min(max(ellipse.b, SHORTEST), a), ellipse.theta)


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


def sizes_of_all(shapes: Sequence[ShapeSet], psfs: Sequence[ShapeSet], above: float) -> list[Sizes]:
    """Return `sizes` of several sets of one length, with one pass over all."""
    found = sizes(_joined(shapes), _joined(psfs), above)
    excess, error, chance = (np.split(a, len(shapes)) for a in (found.excess, found.error, found.extendedness))
    flags = np.split(found.flag, len(shapes))
    return [Sizes(*values) for values in zip(excess, error, chance, flags, strict=True)]


def _joined(shapes: Sequence[ShapeSet]) -> ShapeSet:
    return ShapeSet(
        np.concatenate([shape.moments for shape in shapes]),
        np.concatenate([shape.covariance for shape in shapes]),
        np.concatenate([shape.reasons for shape in shapes]),
    )
