"""Convolution tile by tile."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meas_deblend.scarlet import Convolver, Kernels, model_psf
from meas_deblend.scarlet.tiles import TiledConvolver


def kernels_of(rng, radius):
    stamps = rng.normal(size=(1, 2 * radius[0] + 1, 2 * radius[1] + 1))
    return Kernels(np.abs(stamps), model_psf(), stamps)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 999),
    shape=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    radius=st.tuples(st.integers(0, 9), st.integers(0, 9)),
    side=st.integers(5, 40),
)
def test_tiles_give_the_values_of_the_whole(seed, shape, radius, side):
    rng = np.random.default_rng(seed)
    kernels = kernels_of(rng, radius)
    whole, tiled = Convolver(kernels, shape), TiledConvolver(kernels, shape, side)
    cube = rng.normal(size=(1, *shape))
    scale = np.abs(kernels.stamps).sum() * np.abs(cube).max()
    np.testing.assert_allclose(tiled.render(cube), whole.render(cube), rtol=1e-6, atol=1e-12 * scale)
    np.testing.assert_allclose(tiled.adjoint(cube), whole.adjoint(cube), rtol=1e-6, atol=1e-12 * scale)
    other = rng.normal(size=(1, *shape))
    assert np.vdot(tiled.render(cube), other) == pytest.approx(np.vdot(cube, tiled.adjoint(other)), abs=1e-9 * scale)


def test_only_wanted_tiles_are_computed():
    rng = np.random.default_rng(1)
    kernels = kernels_of(rng, (3, 3))
    tiled = TiledConvolver(kernels, (40, 40), 20)
    cube = rng.normal(size=(1, 40, 40))
    wanted = np.zeros((40, 40), dtype=bool)
    wanted[5, 5] = True
    some, everything = tiled.render(cube, wanted), tiled.render(cube)
    assert np.array_equal(some[:, :20, :20], everything[:, :20, :20])
    assert not some[:, 20:].any()
