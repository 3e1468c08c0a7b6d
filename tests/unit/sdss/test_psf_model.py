"""Stamps of the PSF at any position."""

import numpy as np
import pytest

from meas_deblend.exceptions import InputError
from meas_deblend.geometry import Box
from meas_deblend.sdss.psf_model import PsfModel


def test_an_array_is_centred_on_the_nearest_pixel(sky):
    exact = sky.GaussianPsf(2, 41)
    model = PsfModel.of(3 * exact.image(0, 0).stamp)
    for y, x in ((7, -4), (7.2, -4.4), (6.5, -4.5)):
        stamp, expected = model.stamp(y, x), PsfModel.of(exact).stamp(y, x)
        assert stamp.box == expected.box
        assert stamp.array.sum() == pytest.approx(1)
        # A Gaussian of this width has no power beyond the pixels' sampling, so that a shift is exact.
        np.testing.assert_allclose(stamp.array, expected.array, atol=1e-6 * expected.array.max())
    assert model.stamp(7, -4).box == Box((-13, -24), (41, 41))


def test_arrays_that_are_no_psf_are_refused():
    with pytest.raises(InputError, match=r"odd sides, got shape \(10, 11\)"):
        PsfModel.of(np.ones((10, 11)))
    with pytest.raises(InputError, match=r"finite sum above 0, got 0\.0"):
        PsfModel.of(np.zeros((3, 3)))
