"""Deconvolution of coadds to the resolution of the model PSF, for detection and for first guesses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry import BoolArray, FloatArray
from .config import DeconvolveConfig
from .kernels import Kernels
from .tiles import TiledConvolver

LONGEST_STEP = 1.9
"""Longest step times the largest gain of the kernel squared; projected gradients converge below 2 (Combettes & Wajs
2005, Multiscale Model. Simul. 4, 1168, theorem 3.4)."""

__all__ = ["Deconvolved", "deconvolution_step", "deconvolve"]


@dataclass(frozen=True, slots=True, eq=False)
class Deconvolved:
    """Deconvolved images.

    Parameters
    ----------
    images : array (band, y, x)
        At least 0. Positivity keeps noise peaks, so they are biased high: good for detection and as a first guess.
    iterations : tuple of int
        Updates per band.
    losses : tuple of tuples of float
        −½ Σ (rendered − data)² before each update, per band.
    """

    images: FloatArray
    iterations: tuple[int, ...]
    losses: tuple[tuple[float, ...], ...]


def deconvolve(
    images: FloatArray,
    noise: FloatArray,
    kernels: Kernels,
    *,
    mask: BoolArray | None = None,
    config: DeconvolveConfig = DeconvolveConfig(),  # noqa: B008 -- a frozen value
) -> Deconvolved:
    """Projected gradient descent, band by band: M ← max(M + step · Kᵀ (D − K M), 0).

    Parameters
    ----------
    images : array (band, y, x)
        Values that are not finite are left out of the residual: their neighbours decide.
    noise : array (band,)
        Standard deviation of a pixel, for the step.
    kernels : Kernels
        From `prepare_kernels`.
    mask : bool array (y, x), optional
        Pixels that may be positive (the union of the detected footprints).
    config : DeconvolveConfig

    Returns
    -------
    Deconvolved

    Raises
    ------
    ValueError
        If there is not one noise and one kernel per band, or the mask does not fit.
    """
    noise = np.asarray(noise)
    if images.ndim != 3 or noise.shape != images.shape[:1] or len(kernels.stamps) != len(images):
        raise ValueError(
            f"images has shape {images.shape}, noise {noise.shape}, kernels {kernels.stamps.shape}: expected "
            "(band, y, x), one noise and one kernel per band"
        )
    if mask is not None and mask.shape != images.shape[1:]:
        raise ValueError(f"mask has shape {mask.shape}, expected {images.shape[1:]}, the frame (y, x) of images")
    results = [
        _deconvolve_band(image[None], float(sigma), kernels.select(slice(b, b + 1)), mask, config)
        for b, (image, sigma) in enumerate(zip(images, noise, strict=True))
    ]
    losses = tuple(loss for _, loss in results)
    cube = np.concatenate([image for image, _ in results])
    return Deconvolved(cube, tuple(len(loss) for loss in losses), losses)


def deconvolution_step(image: FloatArray, noise: float) -> float:
    """Step from the fraction of pixels above 3σ and their median S/N: fraction · √(S/N) / 0.1, within 0.01 … 1.

    0.1 if the noise is not a positive number.
    """
    if not (np.isfinite(noise) and noise > 0):
        return 0.1
    signal = image[image > 3 * noise]
    snr = float(np.median(signal)) / noise if signal.size else 1.0
    return float(np.clip(signal.size / image.size * np.sqrt(snr) / 0.1, 0.01, 1.0))


def _deconvolve_band(
    data: FloatArray, noise: float, kernels: Kernels, mask: BoolArray | None, config: DeconvolveConfig
) -> tuple[FloatArray, tuple[float, ...]]:
    """Deconvolve one band (1, y, x); returns the image and the loss before each update.

    A band without a PSF has an empty image and no updates.
    """
    if not kernels.known[0]:
        return np.zeros_like(data), ()
    convolver = TiledConvolver(kernels.astype(data.dtype), (data.shape[1], data.shape[2]))
    measured = np.isfinite(data)
    data = np.where(measured, data, 0)
    model, loss = data.copy(), []
    # Kernels of a PSF narrower than the model PSF amplify; a longer step than this would diverge.
    step = min(deconvolution_step(data, noise), LONGEST_STEP / convolver.gain**2)
    for n in range(config.max_iter):
        residual = convolver.render(model)
        np.subtract(data, residual, out=residual)
        residual *= measured
        # Summed in double precision piece by piece: such a plane would be as large as all others together.
        loss.append(-0.5 * float(np.einsum("byx,byx->", residual, residual, dtype=np.float64)))
        model += step * convolver.adjoint(residual, mask)
        np.copyto(model, 0, where=~(np.isfinite(model) & (model > 0)))
        if mask is not None:
            model *= mask
        if n > 0 and loss[-1] < loss[-2]:
            step /= 2  # the last step was too long
        if n > config.min_iter and abs(loss[-1] - loss[-2]) < config.e_rel * abs(loss[-1]):
            break
    return model, tuple(loss)
