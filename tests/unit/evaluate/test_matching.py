"""Which object is which source, and what detection got wrong."""

import numpy as np
import pytest

from meas_deblend.evaluate import Detection, match_objects, open_fields
from meas_deblend.evaluate.matching import count_detection


def test_one_to_one_the_brightest_first(field):
    positions = np.array([[41.0, 41.0], [70.0, 20.0], [20.5, 68.0]])
    match = match_objects(field, positions)
    assert match.object_of.tolist() == [0, -1, 1, 2]
    assert match.source_of.tolist() == [0, 2, 3]


def test_everything_found(field):
    positions = np.stack([field.y, field.x], axis=1)
    counts = count_detection(field, positions, match_objects(field, positions))
    assert counts == Detection(4, 4, 4, 0, 0)
    assert counts.rates()["completeness"] == counts.rates()["purity"] == 1


def test_a_blend_taken_for_one_and_a_source_torn_apart(make_folder, arrays_of):

    arrays = arrays_of([(45, 42, 1e5, 2.0), (45, 46, 5e4, 2.0), (15, 15, 1e5, 2.0), (75, 75, 1e4, 1.0)])
    field = open_fields(make_folder([arrays], "torn")).read(0)
    # One object for the pair, two for the third, none for the fourth, one where there is nothing.
    positions = np.array([[45, 42.5], [15, 15], [15, 19.5], [60, 20]])
    counts = count_detection(field, positions, match_objects(field, positions))
    assert counts == Detection(sources=4, objects=4, matched=2, unrecognised=1, shredded=1)
    rates = counts.rates()
    assert rates["completeness"] == pytest.approx(0.5)
    assert rates["purity"] == pytest.approx(0.5)
    assert rates["unrecognised"] == pytest.approx(0.25)


def test_no_object_at_all(field):
    match = match_objects(field, np.zeros((0, 2)))
    counts = count_detection(field, np.zeros((0, 2)), match)
    assert counts == Detection(4, 0, 0, 0, 0)
    assert counts.rates()["purity"] is None
    assert counts + counts == Detection(8, 0, 0, 0, 0)
