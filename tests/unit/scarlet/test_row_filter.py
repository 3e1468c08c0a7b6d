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
    name=st.sampled_from(["_with_scipy", "_with_ducc"]),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_it_is_a_cyclic_convolution_of_rows(seed, ny, ly, length, name, dtype):
    if name == "_with_ducc":
        pytest.importorskip("ducc0", reason="the extra fast is not installed")
    rng = np.random.default_rng(seed)
    cube, kernel = rng.normal(size=(2, ny, length)), rng.normal(size=(ly, length))
    transform = np.repeat(np.fft.rfft2(kernel)[None], 2, axis=0).astype(np.result_type(dtype, np.complex64))
    found = getattr(row_filter, name)(cube.astype(dtype), transform)
    assert found.dtype == dtype
    tolerance = 200 * np.finfo(dtype).eps * np.abs(kernel).sum()
    assert found == pytest.approx(direct(cube, kernel), abs=tolerance)
