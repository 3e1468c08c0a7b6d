"""A cheap look at which sources are broader than the PSF, before anything is rendered."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from ..geometry import Box, FloatArray
from .kernels import Kernels
from .observation import Observation

__all__ = ["broadenings"]


def broadenings(observation: Observation, centers: Sequence[tuple[int, int]], radius: int) -> FloatArray:
    """By how much sources are broader than the PSF: the excess of their variance along an axis, in pixels².

    Every band around a pixel is a linear combination of the PSF P, its slopes, its Laplacian and a constant: a source
    of variance s at a distance d from the pixel has P + d · ∇P + (s / 2 + |d|² / 4) ∇²P to second order. Bands are
    averaged by their signal. Pixels count alike, and neighbours are not taken off, so this is good enough to pass over
    galaxies, and not to tell a star.

    Parameters
    ----------
    observation : Observation
    centers : sequence of (y, x)
        Pixels.
    radius : int
        Pixels around each that are used.

    Returns
    -------
    float64 array (center,)
        −∞ where the pixels around a centre leave the frame: nothing is known.
    """
    solver = _solver(observation.convolver.kernels, radius)
    noise = observation.noise.astype(np.float64)
    weight = np.where(np.isfinite(noise) & (noise > 0), 1 / np.maximum(noise, np.finfo(np.float64).tiny) ** 2, 0)
    out = np.full(len(centers), -np.inf)
    for k, center in enumerate(centers):
        window = Box(center, (1, 1)).grow(radius)
        if not observation.frame.encloses(window):
            continue
        data = observation.images[(slice(None), *window.slices_in(observation.frame))]
        flux, dy, dx, laplacian, _ = (solver @ data.reshape(len(data), -1, 1))[:, :, 0].T
        signal = np.sum(weight * flux * flux)
        if signal > 0:
            sy, sx, change = (float(np.sum(weight * flux * term) / signal) for term in (dy, dx, laplacian))
            out[k] = 2 * change - (sy**2 + sx**2) / 2
    return out


@lru_cache(maxsize=16)
def _solver(kernels: Kernels, radius: int) -> FloatArray:
    """Matrices (band, 5, pixel) that fit the PSF, its slopes, its Laplacian and a constant to a window.

    Kept for the kernels used last, as they are the same for many blends.
    """
    psfs = kernels.psfs.astype(np.float64)
    h, w = psfs.shape[1:]
    padded = np.pad(psfs, [(0, 0), (radius + 1, radius + 1), (radius + 1, radius + 1)])
    y, x = h // 2 + radius + 1, w // 2 + radius + 1

    def at(dy: int, dx: int) -> FloatArray:
        part = padded[:, y + dy - radius : y + dy + radius + 1, x + dx - radius : x + dx + radius + 1]
        return part.reshape(len(psfs), -1)

    up, down, left, right, middle = at(1, 0), at(-1, 0), at(0, -1), at(0, 1), at(0, 0)
    terms = [middle, (up - down) / 2, (right - left) / 2, up + down + left + right - 4 * middle, np.ones_like(middle)]
    design = np.stack(terms, axis=1)
    # Bands without a PSF have nothing but the constant: the shortest solution gives them no flux.
    out: FloatArray = np.linalg.pinv(design @ design.transpose(0, 2, 1), hermitian=True) @ design
    return out
