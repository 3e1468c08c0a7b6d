"""Starlets of both generations."""

import numpy as np
import pytest

from meas_deblend.scarlet import scale_count, starlet_inverse, starlet_transform

IMPULSE = {1: (0.859375, 0.11108398, 0.02248764, 0.00705338), 2: (0.92523193, 0.12375546, 0.02543388, 0.00705338)}


@pytest.mark.parametrize(("shape", "count"), [((33, 33), 4), ((58, 48), 4), ((64, 64), 5), ((15, 15), 2), ((1, 9), 0)])
def test_number_of_scales(shape, count):
    assert scale_count(shape) == count
    assert scale_count(shape, 3) == min(count, 3)


@pytest.mark.parametrize("generation", [1, 2])
def test_impulse(generation):
    image = np.zeros((33, 33))
    image[16, 16] = 1
    planes = starlet_transform(image, 3, generation)
    assert planes.shape == (4, 33, 33)
    # Products of the spline's taps, written out.
    assert planes[:, 16, 16] == pytest.approx(IMPULSE[generation], abs=1e-7)


@pytest.mark.parametrize("generation", [1, 2])
@pytest.mark.parametrize("shape", [(58, 48), (5, 58, 48), (7, 40), (1, 1)])
def test_reconstruction(generation, shape):
    image = np.random.default_rng(1).normal(size=shape)
    planes = starlet_transform(image, None, generation)
    assert planes.shape == (scale_count(shape[-2:]) + 1, *shape)
    np.testing.assert_allclose(starlet_inverse(planes, generation), image, rtol=1e-6, atol=1e-12)
    single = starlet_transform(image.astype(np.float32), None, generation)
    assert single.dtype == np.float32
    assert starlet_inverse(single, generation) == pytest.approx(image, abs=1e-5)
