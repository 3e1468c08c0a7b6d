"""Compilation ahead of the first detection."""

from __future__ import annotations

from functools import cache

import numpy as np

from ..image import MaskPlanes, MoffatPsf, MultibandExposure
from .config import DeconvolveConfig, DetectConfig, HierarchyConfig
from .deconvolved import deconvolve_exposure
from .exposure import detect_bands
from .hierarchy import split_parents
from .merge import merge_detections
from .significance import FWHM_PER_SIGMA, gaussian_kernel
from .smooth_model import Stamp, smooth_model

__all__ = ["warmup"]

SIDE = 40
COLUMNS = (6, 18)
"""Where the stars begin: near enough for one parent."""


@cache
def warmup() -> None:
    """Compile every inner loop of detection and deconvolution, or load it: what is forked afterwards has them.

    Once in a process; further calls do nothing. Two stars beside a bad pixel are detected in two bands, deconvolved and
    split, and one of them is modelled.
    """
    sigma = 1.6
    star = 500 * gaussian_kernel(sigma)
    images = np.random.default_rng(0).standard_normal((2, SIDE, SIDE), dtype=np.float32)
    for x in COLUMNS:
        images[:, 12 : 12 + len(star), x : x + len(star)] += star.astype(np.float32)
    mask = np.zeros(images.shape, dtype=np.int32)
    mask[:, 20, 24] = 1
    psfs = (MoffatPsf(sigma * FWHM_PER_SIGMA, 3.5),) * 2
    planes = MaskPlanes({"BAD": 0}, ("BAD",))
    exposure = MultibandExposure(("g", "r"), images, np.ones_like(images), mask, psfs, planes)
    found = merge_detections(detect_bands(exposure, DetectConfig()), DetectConfig(), int)
    center = 12 + len(star) // 2, COLUMNS[0] + len(star) // 2
    smooth_model(Stamp(exposure.box, images.astype(np.float64), np.ones(images.shape), mask == 0, center))
    deconvolved = deconvolve_exposure(exposure, found.parents, DeconvolveConfig(max_iter=1))
    split_parents(found.parents, deconvolved, HierarchyConfig())
