"""Noise that is correlated as a coadd's is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import fft

from ..exceptions import InputError
from ..geometry import Box, Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["stacked_squares", "unit_noise"]


def unit_noise(seed: tuple[int, ...], shape: tuple[int, ...], xi: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Gaussian noise (band, y, x) of variance 1 with autocorrelation ``xi``.

    White noise is filtered with the root of the power spectrum, the Fourier transform of ξ (theorem of Wiener and
    Khinchin); a measured ξ may be no correlation of anything, so its spectrum is cut at 0 and its sum restored.
    """
    rng = np.random.default_rng(seed)
    if xi is None or xi.shape[-1] == 1:
        return rng.standard_normal(shape)
    reach = xi.shape[-1] // 2
    # A margin keeps opposite edges, which the transform joins, apart.
    h, w = shape[1] + 2 * reach, shape[2] + 2 * reach
    padded = np.zeros((len(xi), max(h, 2 * reach + 1), max(w, 2 * reach + 1)))
    padded[:, : 2 * reach + 1, : 2 * reach + 1] = xi
    power = np.maximum(fft.fft2(np.roll(padded, (-reach, -reach), axis=(1, 2))).real, 0.0)
    amplitude = np.sqrt(power / power.mean(axis=(1, 2), keepdims=True))
    white = fft.fft2(np.asarray(rng.standard_normal(padded.shape)))
    noise = np.asarray(fft.ifft2(white * amplitude).real)
    return noise[:, reach : reach + shape[1], reach : reach + shape[2]]


def stacked_squares(squares: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Bring squares (y, x) with odd sides to the size of the largest, around their middles, with 0 outside.

    Raises
    ------
    InputError
        If one has another shape.
    """
    for square in squares:
        if square.ndim != 2 or square.shape[0] != square.shape[1] or square.shape[0] % 2 == 0:
            raise InputError(f"an autocorrelation must be a square with odd sides; its shape is {square.shape}")
    largest = _centered(max(len(square) for square in squares))
    return np.stack([Image(square, _centered(len(square))).project(largest).array for square in squares])


def _centered(side: int) -> Box:
    return Box((-(side // 2), -(side // 2)), (side, side))
