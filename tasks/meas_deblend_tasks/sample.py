"""A small blend that needs nothing: what steps are tried on while others are at work, so that their code is loaded."""

from __future__ import annotations

import numpy as np

from meas_deblend.geometry import Footprint, Image, Parent, Peak
from meas_deblend.image import GaussianPsf, MaskPlanes, MultibandExposure

__all__ = ["sample_blend"]

_SHAPE = (31, 33)
_CENTERS = ((13, 12), (17, 20))


def sample_blend() -> tuple[MultibandExposure, Parent]:
    """Return two sources on a sky of two bands, and the parent that holds them."""
    y, x = np.indices(_SHAPE)
    light = sum(np.exp(-0.5 * ((y - cy) ** 2 + (x - cx) ** 2) / 2.0**2) for cy, cx in _CENTERS)
    images = 50 * np.stack([light, light]) + np.random.default_rng(0).normal(0, 1, (2, *_SHAPE))
    exposure = MultibandExposure(
        bands=("r", "i"),
        images=images.astype(np.float32),
        variance=np.ones((2, *_SHAPE), dtype=np.float32),
        mask=np.zeros((2, *_SHAPE), dtype=np.int32),
        psfs=(GaussianPsf(1.5), GaussianPsf(1.6)),
        mask_planes=MaskPlanes({"BAD": 0}, ("BAD",)),
    )
    peaks = tuple(Peak(k, cy, cx, 50.0, ("r", "i")) for k, (cy, cx) in enumerate(_CENTERS))
    footprint = Footprint.from_mask(light > 0.03, (0, 0), peaks)
    detect = Image((light * 50).astype(np.float32), exposure.box)
    return exposure, Parent(1, footprint, detect_image=detect.project(footprint.box))
