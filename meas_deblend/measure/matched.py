"""Gaussian apertures above the atmosphere: fluxes whose ratios are colours, whatever the seeing of each band."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray, Box
    from .fluxes import PsfCube

    Float = NDArray[np.float64]

__all__ = ["matched_weights"]


def matched_weights(drawn: PsfCube, sigma: float, box: Box) -> tuple[Float, BoolArray]:
    """Pixel weights whose sum sees an object through a Gaussian before any PSF.

    With I the sky before the PSF P, the Gaussian-aperture flux is ∫ I W, W(r) = exp(−r² / 2 σ²) (Kuijken 2008, A&A
    482, 1053). As Σ a (P ∗ I) = Σ I (a ⋆ P), the weights a with a ⋆ P = W measure it in any seeing: in Fourier space
    a = W / P*. Different bands so see the same part of an object. For a point source the flux is its total flux; for
    others it is smaller, but colours are those of the light under W.

    Parameters
    ----------
    drawn : PsfCube
        PSFs (B, h, w) at the object's position.
    sigma : float
        σ of W; wider than the PSFs [px].
    box : Box
        Where the weights are wanted.

    Returns
    -------
    weights : float64 array (B, h, w)
        0 in bands without a PSF.
    usable : bool array (B,)
        False without a PSF, or where W is no wider than the PSF, so that no weights see the sky through it.
    """
    from ..scarlet.row_filter import IS_COMPILED  # noqa: PLC0415 - loads the compiler
    from ._matched_kernels import compiled_quotients, quotients  # noqa: PLC0415 - loads the compiler

    weights = np.zeros((len(drawn.cube), *box.shape))
    if drawn.box.is_empty:
        return weights, np.zeros(len(drawn.cube), dtype=bool)
    reach = int(np.ceil(4 * sigma))
    # An even length is told from half of its transform.
    size = [fft.next_fast_len(side + 2 * reach, real=True) for side in drawn.box.shape]
    size[1] = 2 * fft.next_fast_len((size[1] + 1) // 2, real=True)
    (rows, columns), there = drawn.box.grow(reach).overlap_slices(box)
    gaussian = _transformed_gaussian(sigma, size[0], size[1])
    made = compiled_quotients if IS_COMPILED else quotients
    found, usable = made(np.ascontiguousarray(drawn.cube), gaussian, reach, (rows.start, rows.stop))
    weights[(slice(None), *there)] = found[:, :, columns]
    return weights, np.asarray(drawn.usable & usable)


@lru_cache(maxsize=32)
def _transformed_gaussian(sigma: float, height: int, width: int) -> Float:
    """Transform of W on so many pixels, half of it; read only."""
    ky, kx = np.fft.fftfreq(height), np.fft.rfftfreq(width)
    out = 2 * np.pi * sigma**2 * np.exp(-2 * (np.pi * sigma) ** 2 * (ky[:, None] ** 2 + kx[None, :] ** 2))
    out.setflags(write=False)
    return np.asarray(out)
