"""Noise that is correlated from pixel to pixel: measured on the sky, propagated, and drawn again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft, ndimage

from .._each import in_turn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .._each import Each
    from ..geometry import BoolArray, FloatArray
    from ..image import MultibandExposure

    Float = NDArray[np.float64]

__all__ = ["NoiseCorrelation", "measure_noise", "noise_field"]

# Sky farther than this from its mean, in standard deviations, is no sky.
_CLIP = 5.0
# Pixels that detected objects' wings may touch around their footprints.
_MARGIN = 4
# Fewer pixels of sky than this tell nothing of the correlation.
_FEWEST = 1000
# As many pixels give ξ to 1e-3; more cost time.
_MOST = 1 << 20
# A correlation within this many standard deviations of 0 counts as 0, so that white noise stays white.
_SIGNIFICANCE = 4.0


@dataclass(frozen=True, eq=False)
class NoiseCorrelation:
    """Autocorrelation of the noise of B bands over small lags.

    Parameters
    ----------
    xi : float64 array (B, 2 L + 1, 2 L + 1)
        ξ(Δy, Δx), symmetric about its middle, where it is 1.
    variance_ratio : float64 array (B,)
        Variance of the sky over what the variance plane says; 1 where it was not measured.
    pixels : int array (B,)
        Pixels of sky that it was measured on; 0 where noise is taken to be white.
    """

    xi: Float
    variance_ratio: Float
    pixels: NDArray[np.int64]

    @classmethod
    def white(cls, bands: int) -> NoiseCorrelation:
        """Noise of ``bands`` bands without correlation."""
        return cls(np.ones((bands, 1, 1)), np.ones(bands), np.zeros(bands, dtype=np.int64))

    @property
    def lag(self) -> int:
        """Largest lag L that is kept [px]."""
        return int(self.xi.shape[1] // 2)

    @property
    def reach(self) -> int:
        """How far noise is correlated [px]: the largest lag that is kept, or 0 for white noise."""
        return self.lag if self.lags else 0

    @cached_property
    def lags(self) -> tuple[tuple[int, int, Float], ...]:
        """Lags (Δy, Δx) of one half plane at which some band is correlated, with 2 ξ (B,), apart from (0, 0)."""
        reach = self.lag
        half = [(dy, dx) for dy in range(reach + 1) for dx in range(-reach, reach + 1) if dy > 0 or dx > 0]
        values = ((dy, dx, 2 * self.xi[:, reach + dy, reach + dx]) for dy, dx in half)
        return tuple(item for item in values if item[2].any())

    def variance(self, amplitude: Float) -> Float:
        """Variance of Σ g n, n being noise of unit variance: Σ g(p) g(p + Δ) ξ(Δ) over all pixels and lags.

        Parameters
        ----------
        amplitude : float64 array (..., B, h, w)
            g = a ρ √V: the weight of each pixel's noise.

        Returns
        -------
        float64 array (..., B)
        """
        if not self.lags:
            return np.asarray(np.einsum("...yx,...yx->...", amplitude, amplitude))
        from ._noise_kernels import weights_variance  # noqa: PLC0415 - loads the compiler

        images = np.ascontiguousarray(amplitude).reshape(-1, *amplitude.shape[-2:])
        # Thresholded correlations need not be positive definite: a variance never falls below nothing.
        return np.asarray(np.maximum(weights_variance(images, self.xi), 0.0).reshape(amplitude.shape[:-2]))

    def shared_variance(self, weights: Float, sigma: Float) -> Float:
        """`variance` of weights that all bands share: g = a σ, with a (F, h, w) and σ (B, h, w); returns (F, B)."""
        if not self.lags:
            return _product(weights**2, sigma**2)
        from ._noise_kernels import products_variance  # noqa: PLC0415 - loads the compiler

        found = products_variance(np.ascontiguousarray(weights), np.ascontiguousarray(sigma), self.xi)
        return np.asarray(np.maximum(found, 0.0))

    def smooth(self, cube: Float) -> Float:
        """Convolve each band's image (..., B, h, w) with ξ; what leaves the box is lost."""
        if not self.lags or cube.size == 0:
            return cube.copy()
        from ._noise_kernels import smooth_images  # noqa: PLC0415 - loads the compiler

        images = np.ascontiguousarray(cube).reshape(-1, *cube.shape[-2:])
        out = np.empty_like(images)
        smooth_images(images, self.xi, out)
        return out.reshape(cube.shape)


def _product(first: Float, second: Float) -> Float:
    return np.asarray(first.reshape(len(first), -1) @ second.reshape(len(second), -1).T)


def measure_noise(
    exposure: MultibandExposure, detected: BoolArray, max_lag: int = 4, each: Each = in_turn
) -> NoiseCorrelation:
    """Measure the noise's autocorrelation on pixels without detected objects.

    A coadd's pixels share the light of the input pixels that they were resampled from, which its variance plane does
    not know (Casertano et al. 2000, AJ 120, 2747, appendix A). ξ(Δ) is the mean product of (image − mean) / √V of
    pixels at a distance of Δ, over that at Δ = 0; light of sources too faint to be detected is part of it.

    Parameters
    ----------
    exposure : MultibandExposure
        B bands.
    detected : bool array (y, x)
        Pixels of detected objects.
    max_lag : int
        Largest lag [px]; 0: white noise.
    each : callable
        Does bands one after the other or several at a time.

    Returns
    -------
    NoiseCorrelation
        White in bands with too little sky.
    """
    near = ndimage.binary_dilation(detected, iterations=_MARGIN) if detected.any() else detected
    found = list(each(_band_noise, range(len(exposure.bands)), (exposure, (near, detected), max_lag)))
    xi, ratio, pixels = zip(*found, strict=True)
    return NoiseCorrelation(np.stack(xi), np.array(ratio), np.array(pixels, dtype=np.int64))


def _band_noise(shared: tuple[MultibandExposure, tuple[BoolArray, BoolArray], int], k: int) -> tuple[Float, float, int]:
    """ξ of band number ``k``, the variance of its sky over what the plane says, and on how many pixels."""
    exposure, excluded, max_lag = shared
    rows = _rows(exposure.box.shape)
    planes = exposure.images[k, rows], exposure.variance[k, rows]
    bad = exposure.mask_planes.any_set(exposure.mask[k : k + 1, rows])[0]
    for taken in excluded:
        values, good = _normalised(planes, bad | taken[rows])
        if good.sum() >= _FEWEST:
            return *_autocorrelation(values, good, max_lag), int(good.sum())
    xi = np.zeros((2 * max_lag + 1, 2 * max_lag + 1))
    xi[max_lag, max_lag] = 1.0
    return xi, 1.0, 0


def _rows(shape: tuple[int, ...]) -> slice:
    """Rows in the middle of an image that hold pixels enough."""
    count = min(shape[0], max(_MOST // max(shape[1], 1), 1))
    start = (shape[0] - count) // 2
    return slice(start, start + count)


def _normalised(planes: tuple[FloatArray, FloatArray], excluded: BoolArray) -> tuple[Float, BoolArray]:
    """Sky in units of its standard deviation, 0 where it is none, and where it is some."""
    image, variance = (plane.astype(np.float64) for plane in planes)
    good = ~excluded & np.isfinite(image) & np.isfinite(variance) & (variance > 0)
    values, sky = np.zeros(image.shape), image[good] / np.sqrt(variance[good])
    if not sky.size:
        return values, good
    middle = np.median(sky)
    away = np.abs(sky - middle)
    kept = away <= _CLIP * (1.4826 * np.median(away))
    good[good] = kept
    values[good] = sky[kept] - (sky[kept].mean() if kept.any() else 0.0)
    return values, good


def _autocorrelation(values: Float, good: BoolArray, reach: int) -> tuple[Float, float]:
    """ξ (2 L + 1, 2 L + 1) with insignificant values set to 0, and the variance at lag 0."""
    xi = np.zeros((2 * reach + 1, 2 * reach + 1))
    variance = float((values**2).sum() / good.sum())
    xi[reach, reach] = 1.0
    if not variance > 0:
        return xi, 1.0
    # With zeros between the rows every lag is one distance in memory, and each sum a product of two vectors.
    flat, counted = _flat(values, reach), _flat(good.astype(np.float32), reach)
    for dy in range(reach + 1):
        for dx in range(-reach, reach + 1):
            lag = dy * (values.shape[1] + reach) + dx
            if lag <= 0 or lag >= flat.size:
                continue
            # Numbers of pixels below 2²⁴ are exact in single precision.
            pairs = float(counted[lag:] @ counted[:-lag])
            value = float(flat[lag:] @ flat[:-lag]) / max(pairs, 1.0) / variance
            if abs(value) * np.sqrt(max(pairs, 1.0)) > _SIGNIFICANCE:
                xi[reach + dy, reach + dx] = xi[reach - dy, reach - dx] = value
    return xi, variance


def _flat(image: NDArray[np.floating], reach: int) -> NDArray[np.floating]:
    """Rows one after the other, each followed by ``reach`` zeros."""
    return np.pad(image, [(0, 0), (0, reach)]).ravel()


def noise_field(correlation: NoiseCorrelation, shape: tuple[int, int], seed: tuple[int, ...]) -> Float:
    """Draw Gaussian noise of unit variance, correlated as ``correlation`` says.

    Parameters
    ----------
    correlation : NoiseCorrelation
        B bands.
    shape : tuple of int
        Height and width; on smaller images than the correlation reaches, noise is white.
    seed : tuple of int
        Each at least 0; the same seed and shape give the same noise.

    Returns
    -------
    float64 array (B, h, w)
    """
    white = np.random.default_rng(seed).standard_normal((len(correlation.xi), *shape))
    if not correlation.lags or min(shape) <= 2 * correlation.lag + 1:
        return white
    filtered = fft.rfft2(white) * _filter(correlation, shape)
    return np.asarray(fft.irfft2(filtered, s=shape))


@lru_cache(maxsize=256)
def _filter(correlation: NoiseCorrelation, shape: tuple[int, int]) -> Float:
    """Root of the power spectrum, by the theorem of Wiener and Khinchin; its mean square is 1."""
    reach = correlation.lag
    padded = np.zeros((len(correlation.xi), *shape))
    padded[:, : 2 * reach + 1, : 2 * reach + 1] = correlation.xi
    power = np.maximum(fft.rfft2(np.roll(padded, (-reach, -reach), axis=(1, 2))).real, 0.0)
    # Columns of a real transform other than the first (and the Nyquist one) stand for two.
    twice = np.full(power.shape[2], 2.0)
    twice[0] = 1.0
    if shape[1] % 2 == 0:
        twice[-1] = 1.0
    mean = (power * twice).sum(axis=(1, 2), keepdims=True) / (shape[0] * shape[1])
    return np.asarray(np.sqrt(power / mean))
