"""Pixels as bytes: exact to the bit, or rounded within the stated bound; nothing declared is believed."""

import math

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_models import BANDS, assert_same_array, assert_same_parent, make_parent

from meas_deblend.exceptions import CorruptModelError, ModelError
from meas_deblend.products import ModelStore, StoreMetadata, models_from_json, models_to_json, write_models
from meas_deblend.products._arrays import COMPACT_ERROR, array_record, pixel_record, read_array, read_pixels, rounded

shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6)
any_bits = st.one_of(
    hnp.arrays(np.uint32, shapes, elements=st.integers(0, 2**32 - 1)).map(lambda a: a.view(np.float32)),
    hnp.arrays(np.uint64, shapes, elements=st.integers(0, 2**64 - 1)).map(lambda a: a.view(np.float64)),
    hnp.arrays(np.float32, shapes, elements=st.sampled_from([0.0, -0.0, 1.5, 3e38, 1e-45, math.nan, math.inf])),
)


@settings(deadline=None)
@given(any_bits)
def test_every_bit_is_kept(array):
    assert_same_array(read_pixels(pixel_record(array)), array)
    assert_same_array(read_array(array_record(array)), array)


@settings(deadline=None)
@given(any_bits)
def test_rounding_keeps_its_bound(array):
    out = rounded(array)
    assert (out.dtype, out.shape) == (array.dtype, array.shape)
    finite = np.isfinite(array)
    assert out[~finite].tobytes() == array[~finite].tobytes()
    assert np.isfinite(out[finite]).all()
    assert (np.signbit(out) == np.signbit(array)).all()
    size = np.abs(array[finite], dtype=np.longdouble)
    smallest = np.finfo(array.dtype).smallest_normal
    error = np.abs(out[finite].astype(np.longdouble) - array[finite])
    assert (error <= COMPACT_ERROR * np.maximum(size, smallest)).all()
    assert_same_array(rounded(out), out)
    assert_same_array(read_pixels(pixel_record(array, compact=True)), out)


def test_compact_stores_say_how_exact_they_are(tmp_path):
    metadata = StoreMetadata(BANDS)
    made = [make_parent(k, [(25, 35), (20, 45)]) for k in range(1, 21)]
    write_models(tmp_path / "exact", made, metadata)
    write_models(tmp_path / "compact", made, metadata, compact=True)
    assert (tmp_path / "compact").stat().st_size < (tmp_path / "exact").stat().st_size
    store = ModelStore(tmp_path / "compact")
    assert ModelStore(tmp_path / "exact").metadata.pixel_error == 0
    assert store.metadata.pixel_error == COMPACT_ERROR == 2**-11
    for parent, read in zip(made, store.parents(), strict=True):
        assert_same_array(read.psfs, parent.psfs)
        for source, other in zip(parent.sources, read.sources, strict=True):
            mine, theirs = source.components[0], other.components[0]
            assert_same_array(mine.spectrum, theirs.spectrum)
            np.testing.assert_allclose(theirs.morph, mine.morph, rtol=COMPACT_ERROR, atol=0)
            assert (theirs.morph != mine.morph).any()
    # What was rounded once stays so, and its store goes on saying it.
    write_models(tmp_path / "again", store.parents(), store.metadata)
    again = ModelStore(tmp_path / "again")
    assert again.metadata == store.metadata
    for parent, other in zip(store.parents(), again.parents(), strict=True):
        assert_same_parent(parent, other)
    assert models_from_json(models_to_json(store.parents(), store.metadata)).metadata == store.metadata


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": [10**9, 10**9]}, "2 bytes of support do not make an array of shape"),
        ({"shape": [2**40, 1]}, "is not the shape"),
        ({"shape": [-3, -5]}, "is not the shape"),
        ({"shape": [3.0, 5]}, "is not the shape"),
        ({"shape": [3, 5, 1, 1]}, "4 dimensions"),
        ({"support": b"\xff\xff"}, "20 bytes do not make the 15 pixels"),
        ({"values": b""}, "0 bytes do not make the 5 pixels"),
        ({"dtype": "|O"}, "an array of type"),
    ],
)
def test_pixels_that_do_not_fit_are_refused(change, message):
    array = np.zeros((3, 5), np.float32)
    array[1] = 2
    with pytest.raises(CorruptModelError, match=message):
        read_pixels(pixel_record(array) | change)


def test_plain_arrays_that_do_not_fit_are_refused():
    with pytest.raises(CorruptModelError, match=r"16 bytes do not make an array of type <f4 and shape \(1000000000,"):
        read_array(array_record(np.ones(4, np.float32)) | {"shape": [10**9, 10**9]})
    with pytest.raises(ModelError, match="float32 or float64, got int16"):
        pixel_record(np.zeros(3, np.int16))
