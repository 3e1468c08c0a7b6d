"""Compilation ahead of the first fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .config import FitConfig
from .deblend import deblend_blend
from .kernels import model_psf

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["warmup"]


def warmup(precisions: Sequence[str] = ("float32", "float64")) -> None:
    """Compile every inner loop of `deblend_blend`, and keep the machine code on disk.

    It takes some seconds the first time, and a fraction of one when everything is there already. Two small blends are
    fitted, with what the options choose between: preconditioned steps, optimizers, errors of the fluxes.

    Parameters
    ----------
    precisions : sequence of str
        Types of the images that it is compiled for; coadds are float32.
    """
    for precision in precisions:
        dtype: np.dtype[np.floating] = np.dtype(precision)
        psfs = np.stack([model_psf(sigma, 15) for sigma in (1.3, 1.6)]).astype(dtype)
        images = np.zeros((2, 24, 26), dtype=dtype)
        centers = ((8, 9), (15, 17))
        for y, x in centers:
            images[:, y - 7 : y + 8, x - 7 : x + 8] += 100 * psfs
        images += np.asarray(np.random.default_rng(0).normal(0, 0.02, images.shape), dtype=dtype)
        variance = np.full_like(images, 4e-4)
        detect = images.sum(axis=0)
        for config in (FitConfig(max_iter=8), FitConfig.production(), FitConfig(max_iter=3, optimizer="adam")):
            deblend_blend(images, variance, psfs, centers, detect=detect, config=config)
        blend = deblend_blend(images, variance, psfs, centers, init=np.stack([detect, detect]), config=FitConfig())
        blend.flux_covariance("marginal")
        blend.flux_covariance("conditional")
