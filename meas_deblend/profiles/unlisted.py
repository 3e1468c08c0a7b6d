"""Sources that nobody listed: peaks of what a fit leaves over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.fft
from scipy.ndimage import maximum_filter
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .config import ProfileFitConfig

__all__ = ["Leftover", "Unlisted", "find_unlisted"]


@dataclass(frozen=True, slots=True, eq=False)
class Leftover:
    """What a fit leaves over.

    Parameters
    ----------
    residual, weights : float32 array (band, y, x)
        Data − models, without the sky; inverse variances of the data, 0 for pixels without any.
    model : float32 array (band, y, x)
        Sum of the models.
    near : bool array (y, x)
        Pixels that matter to the sources that were fitted.
    """

    residual: NDArray[np.float32]
    weights: NDArray[np.float32]
    model: NDArray[np.float32]
    near: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Unlisted:
    """Sources that the residual demands.

    Parameters
    ----------
    centers : float64 array (source, 2)
    fluxes : float64 array (source, band)
        Guesses.
    """

    centers: NDArray[np.float64]
    fluxes: NDArray[np.float64]


def find_unlisted(
    leftover: Leftover,
    psf: NDArray[np.float64],
    known: tuple[NDArray[np.float64], NDArray[np.float64]],
    config: ProfileFitConfig,
) -> Unlisted:
    """Find peaks of the residual, matched to the PSF, that are more than noise and more than errors of models.

    The filter is the optimal one for a point with the median colours of the known sources (Lang & Hogg 2020,
    arXiv:2012.15797, discuss such combinations of bands); models are taken to be wrong by a fraction of their
    brightness.

    Parameters
    ----------
    leftover : Leftover
    psf : float64 array (band, h, w)
    known : tuple of float64 array
        Centres (source, 2) and fluxes (source, band) of the sources that were fitted.
    config : ProfileFitConfig

    Returns
    -------
    Unlisted
    """
    weights = leftover.weights / (1 + leftover.weights * (np.float32(config.add_model_error) * leftover.model) ** 2)
    centers, fluxes = known
    bright = fluxes[fluxes.sum(axis=1) > 0]
    color = np.median(bright / bright.sum(axis=1, keepdims=True), axis=0) if len(bright) else np.ones(len(psf))
    bands = np.flatnonzero(color > 0)
    stamps = color[bands, None, None] * psf[bands]
    toward = _correlate(weights[bands] * leftover.residual[bands], stamps)
    # PSFs are rather alike: where weights hardly change under them, their mean square serves all bands as well.
    squares = (stamps**2).sum(axis=(1, 2))
    information = np.tensordot(squares.astype(np.float32), weights[bands], 1)
    power = _correlate(information[None], ((stamps**2).sum(axis=0) / squares.sum())[None])
    # Less than a thousandth of the usual information: pixels without data, and rounding of the transforms.
    snr = np.where(power > 1e-3 * power.max(), toward / np.sqrt(np.maximum(power, 1e-30)), 0.0)
    peaks = np.argwhere((snr == maximum_filter(snr, 5)) & (snr > config.add_min_snr) & leftover.near)
    if len(peaks) and len(centers):
        peaks = peaks[cKDTree(centers).query(peaks)[0] > config.add_distance]
    most = int(config.add_most * len(centers))
    peaks = peaks[np.argsort(-snr[tuple(peaks.T)], kind="stable")[:most]]
    y, x = peaks.T
    return Unlisted(peaks.astype(np.float64), (toward[y, x] / np.maximum(power[y, x], 1e-30))[:, None] * color)


def _correlate(images: NDArray[np.float32], stamps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Σ over bands and pixels of image(x + d) stamp(d), with 0 beyond the image."""
    h, w = stamps.shape[1:]
    rows, columns = images.shape[1:]
    # What comes back in on the other side of the frame is to meet nothing.
    shape = [scipy.fft.next_fast_len(n + m // 2, real=True) for n, m in ((rows, h), (columns, w))]
    shape = [max(n, m) for n, m in zip(shape, (h, w), strict=True)]
    total = np.zeros((shape[0], shape[1] // 2 + 1), dtype=np.complex64)
    for image, stamp in zip(images, stamps, strict=True):
        wrapped = np.zeros(shape, dtype=np.float32)
        wrapped[:h, :w] = stamp
        wrapped = np.roll(wrapped, (-(h // 2), -(w // 2)), (0, 1))
        total += scipy.fft.rfft2(image, shape, workers=1) * scipy.fft.rfft2(wrapped, workers=1).conj()
    filtered = scipy.fft.irfft2(total, shape, workers=1)
    return np.asarray(filtered[:rows, :columns], dtype=np.float64)
