"""Identifiers: one space for a survey."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meas_deblend.exceptions import InputError
from meas_deblend.products import pack_id, unpack_id

parts = st.tuples(st.integers(0, 2**17 - 1), st.integers(0, 2**14 - 1), st.integers(1, 2**32 - 1))


@given(parts)
def test_identifiers_fit_63_bits_and_come_apart_again(part):
    identifier = pack_id(*part)
    assert 0 < identifier < 2**63
    assert unpack_id(identifier) == part


@given(parts, parts)
def test_identifiers_are_equal_only_if_all_parts_are_and_are_ordered_as_they_are(a, b):
    assert (pack_id(*a) == pack_id(*b)) == (a == b)
    assert (pack_id(*a) < pack_id(*b)) == (a < b)


def test_data_without_a_tract_have_plain_counters():
    assert [pack_id(0, 0, k) for k in (1, 2, 3)] == [1, 2, 3]
    assert pack_id(2**17 - 1, 2**14 - 1, 2**32 - 1) == 2**63 - 1


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ((-1, 0, 1), r"tract must be 0 … 131071 \(17 bits\), got -1"),
        ((2**17, 0, 1), "tract must be 0 … 131071"),
        ((0, 2**14, 1), r"patch must be 0 … 16383 \(14 bits\), got 16384"),
        ((0, 0, 0), "counter must be 1 … 4294967295"),
        ((0, 0, 2**32), "counter must be 1 … 4294967295"),
    ],
)
def test_parts_out_of_range_are_refused(part, message):
    with pytest.raises(InputError, match=message):
        pack_id(*part)


@pytest.mark.parametrize("number", [0, -1, 2**63, 2**32])
def test_numbers_that_are_no_identifiers_are_refused(number):
    with pytest.raises(InputError, match=f"{number} is not an identifier"):
        unpack_id(number)
