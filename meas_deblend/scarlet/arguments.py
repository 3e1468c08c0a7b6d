"""What is checked before a fit: shapes, finiteness, positions; and the making of an `Observation`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import BoolArray, Box, FloatArray
from .config import FitConfig
from .convolve import Convolver
from .kernels import Kernels
from .matching import matched_kernels, undersampling_warning
from .observation import Observation, mean_noise

__all__ = ["check_bands", "check_centers", "check_start", "make_observation"]

Center = tuple[int, int]


def expect_shape(name: str, array: NDArray[Any], shape: tuple[int, ...], axes: str) -> None:
    """Raise ValueError, naming the argument, its shape and the expected one, unless they agree."""
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}, expected {shape}, {axes}")


def make_observation(
    images: FloatArray,
    variance: FloatArray,
    psfs: FloatArray | Kernels,
    *,
    weights: FloatArray | None = None,
    footprint: BoolArray | None = None,
    config: FitConfig = FitConfig(),  # noqa: B008 -- a frozen value
) -> Observation:
    """Check arrays and bind them to kernels for the configured model PSF; see `deblend_blend` for the arguments."""
    images = np.asarray(images)
    if images.ndim != 3 or 0 in images.shape:
        raise ValueError(f"images has shape {images.shape}, expected (band, y, x) with at least one pixel")
    dtype = np.dtype(np.float32) if images.dtype.newbyteorder("=") == np.float32 else np.dtype(np.float64)
    images = images.astype(dtype)
    variance = np.asarray(variance).astype(dtype)
    expect_shape("variance", variance, images.shape, "that of images (band, y, x)")
    # A pixel without a value is one without a measurement, whatever its variance says.
    variance = np.where(np.isfinite(images), variance, np.inf).astype(dtype)
    weights = np.where(np.isfinite(images), _weights(weights, variance, images.shape), 0)
    if footprint is not None:
        footprint = np.asarray(footprint)
        expect_shape("footprint", footprint, images.shape[1:], "the frame (y, x) of images")
        weights = np.where(footprint.astype(bool), weights, 0)
    kernels = _kernels(psfs, len(images), dtype, config)
    # A band without a PSF cannot be compared with anything.
    weights[~kernels.known] = 0
    return Observation(
        images=np.where(np.isfinite(images), images, 0).astype(dtype),
        variance=variance,
        weights=np.ascontiguousarray(weights, dtype=dtype),
        convolver=Convolver(kernels, (images.shape[1], images.shape[2])),
        noise=mean_noise(variance),
    )


def _weights(weights: FloatArray | None, variance: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Given weights, checked, or the inverse variance."""
    if weights is None:
        tiny = np.finfo(variance.dtype).tiny  # below it the inverse overflows
        usable = np.isfinite(variance) & (variance > tiny)
        return np.divide(1, variance, out=np.zeros_like(variance), where=usable)
    weights = np.asarray(weights)
    expect_shape("weights", weights, shape, "that of images (band, y, x)")
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise ValueError(
            f"weights of shape {weights.shape} holds negative or non-finite values, expected finite and ≥ 0"
        )
    return weights


def _kernels(psfs: FloatArray | Kernels, bands: int, dtype: np.dtype[np.floating], config: FitConfig) -> Kernels:
    """Kernels for the model PSF, configured or chosen, in the precision of the images."""
    if isinstance(psfs, Kernels):
        expect_shape("psfs (kernels)", psfs.stamps, (bands, *psfs.stamps.shape[1:]), "one kernel per band of images")
        return psfs.astype(dtype)
    stamps = np.asarray(psfs)
    if stamps.ndim != 3 or len(stamps) != bands:
        raise ValueError(f"psfs has shape {stamps.shape}, expected ({bands}, h, w), one stamp per band of images")
    warning = undersampling_warning(stamps)
    if warning:
        warnings.warn(warning, stacklevel=4)
    sigma, floor = config.model_psf_sigma, config.kernel_floor
    return matched_kernels(stamps.astype(dtype), sigma=sigma, floor=floor, size=config.model_psf_size)


def check_centers(centers: FloatArray | Sequence[tuple[float, float]], frame: Box) -> tuple[Center, ...]:
    """Centres rounded to pixels of ``frame``."""
    places = np.asarray(centers, dtype=np.float64)
    if places.size == 0:
        return ()
    if places.ndim != 2 or places.shape[1] != 2:
        raise ValueError(f"centers has shape {places.shape}, expected (n, 2), positions (y, x)")
    if not np.isfinite(places).all():
        raise ValueError(f"centers of shape {places.shape} holds values that are not finite, expected positions (y, x)")
    pixels = [(int(y), int(x)) for y, x in np.rint(places)]
    outside = [pixel for pixel in pixels if not frame.contains(*pixel)]
    if outside:
        raise ValueError(f"centers {outside} lie outside the images, expected (y, x) inside shape {frame.shape}")
    return tuple(pixels)


def check_bands(bands: Sequence[str] | None, count: int) -> tuple[str, ...]:
    """Names of the bands, by default their numbers."""
    names = tuple(str(b) for b in range(count)) if bands is None else tuple(bands)
    if len(names) != count:
        raise ValueError(f"bands has {len(names)} names {names}, expected {count}, one per band of images")
    return names


def check_start(
    detect: FloatArray | None, init: FloatArray | None, shape: tuple[int, int, int], dtype: np.dtype[np.floating]
) -> FloatArray | None:
    """Check the detection image (y, x) or the templates (source, y, x) where morphologies start; None if neither."""
    if detect is not None and init is not None:
        raise ValueError("detect and init are both given, expected at most one: morphologies start from either")
    if init is not None:
        templates = np.asarray(init)
        expect_shape("init", templates, shape, "one template (y, x) per center")
        return templates.astype(dtype)
    if detect is None:
        return None
    image = np.asarray(detect)
    expect_shape("detect", image, shape[1:], "the frame (y, x) of images")
    return np.where(np.isfinite(image), image, 0).astype(dtype)
