"""The convolution inside the fit, with either library of transforms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meas_deblend.scarlet import row_filter


def direct(cube, kernel):
    """Cyclic convolution with one kernel (y, x) for all bands, by sums, cut to the rows of the cube."""
    out = np.zeros((len(cube), len(kernel), cube.shape[2]))
    padded = np.zeros_like(out)
    padded[:, : cube.shape[1]] = cube
    for (y, x), value in np.ndenumerate(kernel):
        out += value * np.roll(padded, (y, x), axis=(1, 2))
    return out[:, : cube.shape[1]]


@settings(deadline=None, max_examples=20)
@given(
    seed=st.integers(0, 999),
    ny=st.integers(1, 9),
    ly=st.integers(9, 12),
    length=st.integers(2, 12),
    name=st.sampled_from(["_with_scipy", "_compiled"]),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_it_is_a_cyclic_convolution_of_rows(seed, ny, ly, length, name, dtype):
    rng = np.random.default_rng(seed)
    cube, kernel = rng.normal(size=(2, ny, length)), rng.normal(size=(ly, length))
    transform = np.repeat(np.fft.rfft2(kernel)[None], 2, axis=0).astype(np.result_type(dtype, np.complex64))
    found = getattr(row_filter, name)(cube.astype(dtype), transform)
    assert found.dtype == dtype
    tolerance = 200 * np.finfo(dtype).eps * np.abs(kernel).sum()
    assert found == pytest.approx(direct(cube, kernel), abs=tolerance)


@settings(deadline=None, max_examples=20)
@given(
    seed=st.integers(0, 999),
    ny=st.integers(1, 5),
    first=st.integers(0, 4),
    height=st.integers(1, 9),
    length=st.integers(2, 12),
    name=st.sampled_from(["_spread_with_scipy", "_spread_compiled"]),
)
def test_one_image_for_all_bands_is_as_many_of_it(seed, ny, first, height, length, name):
    rng = np.random.default_rng(seed)
    rows, kernels = rng.normal(size=(ny, length)), rng.normal(size=(3, 9, length))
    transform = np.fft.rfft2(kernels)
    cube = np.zeros((3, 9, length))
    cube[:, first : first + ny] = rows
    found = getattr(row_filter, name)(rows, first, height, transform)
    assert found == pytest.approx(row_filter.filter_rows(cube, transform)[:, :height], abs=1e-12)


def test_the_compiled_one_is_used():
    # It is a dependency of the package, though the engine does without.
    assert row_filter.IS_COMPILED


def test_many_bands_are_filtered_in_groups(monkeypatch):
    rng = np.random.default_rng(3)
    cube, kernels = rng.normal(size=(5, 200, 256)), rng.normal(size=(5, 240, 256))
    transform = np.fft.rfft2(kernels)
    assert 5 * transform[0].size > row_filter.IN_CACHE > 2 * transform[0].size
    expected = row_filter._with_scipy(cube, transform)
    found = row_filter.filter_rows(cube, transform)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * np.abs(expected).max())
