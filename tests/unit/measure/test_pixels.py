"""The image's own pixels, and the sky around a child."""

import numpy as np
import pytest

from meas_deblend.geometry import Box
from meas_deblend.image import MaskPlanes, MultibandExposure
from meas_deblend.measure import MeasureConfig, ObjectPixels, image_pixels, measure_fluxes, with_surroundings

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
    assert list(pixels.masked_fraction) == [0, 1 / (61 * 66)]


def test_surroundings_bring_back_the_wings_of_a_star(exposure, psf):
    box = Box((28, 32), (5, 6))
    cut = box.slices_in(exposure.box)
    share = np.full((2, 5, 6), 0.5)
    share[:, 0, 0] = 0.0
    flux = 0.5 * (exposure.images[(slice(None), *cut)] - 0.5) * (share > 0)
    child = ObjectPixels(box, exposure.box, flux, np.full(flux.shape, 2.0), np.zeros(flux.shape, dtype=bool), share)
    detected = np.zeros(exposure.box.shape, dtype=bool)
    detected[26:36, 30:40] = True
    whole = with_surroundings(child, exposure, detected, margin=20)
    inner = box.slices_in(whole.box)
    np.testing.assert_array_equal(whole.flux[(slice(None), *inner)], flux)
    np.testing.assert_array_equal(whole.share[(slice(None), *inner)], share)
    # Pixels of the parent that are another child's stay out; sky outside of all parents comes in whole.
    ring = Box((26, 30), (10, 10)).slices_in(whole.box)
    assert (whole.share[(slice(None), *ring)].sum(axis=(1, 2)) == 0.5 * 29).all()
    outside = Box((20, 30), (1, 1)).slices_in(whole.box)
    np.testing.assert_array_equal(whole.flux[(slice(None), *outside)].ravel(), exposure.images[:, 20, 30])
    assert (whole.share[(slice(None), *outside)] == 1).all()
    assert measure_fluxes(whole, [psf, psf], POSITION, MeasureConfig()).psf.error[0] > 0


def test_masked_fraction_counts_the_objects_own_pixels():
    box = Box((0, 0), (2, 2))
    share = np.array([[[1.0, 0.5], [0.0, 0.2]]])
    bad = np.array([[[True, False], [True, False]]])
    pixels = ObjectPixels(box, box, np.ones((1, 2, 2)), np.ones((1, 2, 2)), bad, share)
    assert pixels.masked_fraction[0] == pytest.approx(1 / 3)
    nothing = ObjectPixels(box, box, np.ones((1, 2, 2)), np.ones((1, 2, 2)), bad, np.zeros((1, 2, 2)))
    assert np.isnan(nothing.masked_fraction[0])


def test_inputs_stay_as_they_are(exposure):
    before = exposure.images.copy()
    pixels = image_pixels(exposure, Box((25, 30), (10, 10)))
    with_surroundings(pixels, exposure, np.ones(exposure.box.shape, dtype=bool))
    np.testing.assert_array_equal(exposure.images, before)
