"""The image's own pixels."""

import numpy as np
import pytest

from meas_deblend.geometry import Box
from meas_deblend.image import MaskPlanes, MultibandExposure
from meas_deblend.measure import image_pixels

POSITION = (30.3, 34.6)


@pytest.fixture
def exposure(star_image, psf):
    images = np.repeat(star_image(800.0, POSITION)[None], 2, axis=0) + 0.5
    mask = np.zeros(images.shape, dtype=np.int32)
    mask[1, 10, 10] = 1
    return MultibandExposure(
        ("g", "r"), images, np.full(images.shape, 2.0), mask, (psf, psf), MaskPlanes({"BAD": 0}, ("BAD",))
    )


def test_image_pixels_are_the_images(exposure):
    pixels = image_pixels(exposure, Box((25, 30), (10, 10)), margin=28)
    assert pixels.box == Box((0, 2), (61, 66))
    np.testing.assert_array_equal(pixels.flux, exposure.images[:, :, 2:68])
    assert pixels.share is None
    assert pixels.bad.sum() == 1
    assert pixels.bad[1, 10, 8]


def test_inputs_stay_as_they_are(exposure):
    before = exposure.images.copy()
    pixels = image_pixels(exposure, Box((25, 30), (10, 10)))
    assert pixels.window(Box((0, 0), (20, 20))).flux.any()
    np.testing.assert_array_equal(exposure.images, before)
