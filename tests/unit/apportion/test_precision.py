"""In which precision templates are kept."""

import numpy as np
import pytest

from meas_deblend.apportion._precision import kept
from meas_deblend.geometry import Box, Image


@pytest.fixture
def templates():
    draw = np.random.default_rng(3).standard_normal
    return [Image(draw((2, 3, size)), Box((0, 0), (3, size))) for size in (4, 5, 6)]


def test_few_values_stay_as_they_were_made(templates):
    assert all(one is other for one, other in zip(kept(iter(templates)), templates, strict=True))


@pytest.mark.parametrize("limit", [1, 24, 60, 89])
def test_of_very_many_values_all_are_kept_in_single_precision(templates, limit, monkeypatch):
    monkeypatch.setattr("meas_deblend.apportion._precision.LARGE", limit)
    for one, made in zip(kept(iter(templates)), templates, strict=True):
        assert one.array.dtype == np.float32
        assert one.box == made.box
        # Half an ulp.
        np.testing.assert_allclose(one.array, made.array, rtol=6e-8)


def test_single_precision_is_never_widened(monkeypatch):
    single = Image(np.ones((1, 2, 2), dtype=np.float32), Box((0, 0), (2, 2)))
    assert kept([single])[0] is single
    monkeypatch.setattr("meas_deblend.apportion._precision.LARGE", 1)
    assert kept([single])[0] is single
