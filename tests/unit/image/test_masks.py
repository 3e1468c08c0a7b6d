"""Mask planes: names, merging, and bits that nobody named."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meas_deblend.exceptions import InputError
from meas_deblend.image import MaskPlanes

NAMES = st.sampled_from(["BAD", "SAT", "INTRP", "CR", "EDGE", "DETECTED", "NO_DATA"])


@st.composite
def planes(draw):
    names = draw(st.lists(NAMES, unique=True, max_size=7))
    bits = draw(st.lists(st.integers(0, 62), unique=True, min_size=len(names), max_size=len(names)))
    return MaskPlanes(dict(zip(names, bits, strict=True)), ("BAD",))


@given(planes(), planes(), st.integers(0, 2**32))
def test_translation_keeps_what_is_set_under_every_name(first, second, seed):
    common = first.union(second)
    assert len(set(common.bits.values())) == len(common.bits)
    mask = np.zeros((4, 5), dtype=np.int64)
    rng = np.random.default_rng(seed)
    for bit in second.bits.values():
        mask |= rng.integers(0, 2, mask.shape) << bit
    translated = common.translate(mask, second)
    for name in common.bits:
        expected = second.any_set(mask, [name]) if name in second.bits else np.zeros(mask.shape, bool)
        np.testing.assert_array_equal(common.any_set(translated, [name]), expected)


@given(planes(), planes())
def test_union_leaves_the_first_as_it_is(first, second):
    common = first.union(second)
    assert {name: common.bits[name] for name in first.bits} == dict(first.bits)


def test_bits_without_a_name_get_one_so_that_no_new_plane_lands_on_them():
    planes = MaskPlanes({"BAD": 0}, ("BAD",)).naming_all(np.array([[1 | 1 << 1, 1 << 12]]))
    assert dict(planes.bits) == {"BAD": 0, "BIT_1": 1, "BIT_12": 12}
    assert planes.with_plane("NOT_DEBLENDED").bits["NOT_DEBLENDED"] == 2
    assert planes.bad == ("BAD",)


def test_planes_travel_to_worker_processes():
    planes = MaskPlanes({"BAD": 0, "SAT": 1}, ("SAT",))
    copy = pickle.loads(pickle.dumps(planes))  # noqa: S301 - made in this line
    assert (dict(copy.bits), copy.bad) == (dict(planes.bits), planes.bad)


def test_an_unknown_plane_is_answered_with_the_nearest():
    with pytest.raises(InputError, match=r"no mask plane 'SATT' \(there are: BAD, SAT\); did you mean 'SAT'\?"):
        MaskPlanes({"BAD": 0, "SAT": 1}).value(["SATT"])
