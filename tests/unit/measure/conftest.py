"""An isolated star with exact pixels, and objects cut from it."""

import numpy as np
import pytest

from meas_deblend.geometry import Box
from meas_deblend.image import GaussianPsf
from meas_deblend.measure import ObjectPixels

PSF = GaussianPsf(1.8)
FRAME = Box((0, 0), (61, 71))


def star_image(flux, position, frame=FRAME, psf=PSF):
    """Image (y, x) of one star, exactly integrated over each pixel."""
    stamp, center = psf.image(*position)
    box = Box((center[0] - stamp.shape[0] // 2, center[1] - stamp.shape[1] // 2), stamp.shape)
    out = np.zeros(frame.shape)
    here, there = box.overlap_slices(frame)
    out[there] = flux * stamp[here]
    return out


def objects_of(cube, *, variance=1.0, bad=None, share=None, frame=FRAME):
    """ObjectPixels over the whole frame."""
    bad = np.zeros(cube.shape, dtype=bool) if bad is None else bad
    variance = np.broadcast_to(np.asarray(variance, dtype=float), cube.shape)
    share = None if share is None else np.broadcast_to(np.asarray(share, dtype=float), cube.shape)
    return ObjectPixels(frame, frame, cube, variance, bad, share)


@pytest.fixture(name="star_image")
def star_image_fixture():
    return star_image


@pytest.fixture(name="objects_of")
def objects_of_fixture():
    return objects_of


@pytest.fixture(name="psf")
def psf_fixture():
    return PSF
