"""Pixels that nobody may have are told as a fraction of each object's own, band by band."""

import numpy as np
import pytest

from meas_deblend.apportion import apportion
from meas_deblend.geometry import Box, Footprint, Image
from meas_deblend.image import MaskPlanes, MultibandExposure
from meas_deblend.measure.one_object import _masked_fraction

FRAME = Box((0, 0), (8, 10))


@pytest.fixture
def exposure():
    """Two bands; of the first, the left half's two upper rows are masked, and a pixel on the right has no value."""
    images = np.ones((2, *FRAME.shape), dtype=np.float32)
    images[0, 7, 9] = np.nan
    mask = np.zeros(images.shape, dtype=np.int64)
    mask[0, :2, :5] = 1
    return MultibandExposure(
        ("g", "r"), images, np.ones_like(images), mask, (None, None), MaskPlanes({"BAD": 0}, ("BAD",))
    )


def test_each_child_counts_the_pixels_that_it_would_have_had(exposure):
    left, right = (Image(np.ones((2, 8, 5)), Box((0, x), (8, 5))) for x in (0, 5))
    shared = apportion(exposure.images, Footprint.from_box(FRAME), [left, right], exposure.bad, FRAME)
    assert [child.masked.sum(axis=(1, 2)).tolist() for child in shared.children] == [[10, 0], [1, 0]]
    for child, fraction in zip(shared.children, (10 / 40, 1 / 40), strict=True):
        assert _masked_fraction(child) == pytest.approx([fraction, 0])
        # Masked pixels carry no flux.
        assert child.flux[0].sum() == 40 * (1 - fraction)
