"""The deblender by_distance keeps what meas_deblend expects of every deblender."""

from by_distance import ByDistance

from meas_deblend.deblenders import get_deblender
from meas_deblend.testing import check_deblender


def test_it_keeps_every_promise():
    check_deblender(ByDistance)


def test_it_is_found_by_its_name():
    assert isinstance(get_deblender("by_distance"), ByDistance)
