"""Which parents are selected, and what is refused."""

import numpy as np
import pytest

from meas_deblend.detect import Selection, parse_bbox
from meas_deblend.exceptions import InputError
from meas_deblend.geometry import Box, Footprint, Parent, Peak

FRAME = Box((0, 0), (60, 80))


@pytest.fixture
def parents():
    """An L of rows 10–19 and columns 20–29 without its upper right corner, and a square at (40, 50)."""
    corner = np.ones((10, 10), bool)
    corner[5:, 5:] = False
    return (
        Parent(1, Footprint(Box((10, 20), (10, 10)), corner, (Peak(0, 12, 22),))),
        Parent(2, Footprint.from_box(Box((40, 50), (6, 6)), (Peak(0, 42, 52),))),
    )


def chosen(selection, parents):
    return [parent.id for parent in selection.mark(parents, FRAME) if parent.selected]


def test_without_a_selection_every_parent_is_selected(parents):
    assert Selection().is_all
    assert chosen(Selection(), parents) == [1, 2]


@pytest.mark.parametrize(
    ("bbox", "expected"),
    [
        ("0:80,0:60", [1, 2]),
        ("29:30,10:15", [1]),  # the last column of the L, one pixel wide
        ("30:50,0:60", None),  # between the two: stops are not included
        ("25:30,15:20", None),  # the corner that the footprint does not have
        ("25:51,15:41", [2]),  # one pixel of the square
        ("-100:21,-5:11", [1]),  # reaches beyond the image
    ],
)
def test_a_box_selects_parents_with_a_pixel_in_it(parents, bbox, expected):
    selection = Selection(bbox=parse_bbox(bbox))
    if expected is not None:
        assert chosen(selection, parents) == expected
        return
    with pytest.raises(InputError, match=r"none of the 2 parents touches the bbox x \d+:\d+, y \d+:\d+"):
        selection.mark(parents, FRAME)


def test_others_keep_all_that_they_are(parents):
    marked = Selection((2,)).mark(parents, FRAME)
    assert [parent.selected for parent in marked] == [False, True]
    assert [(p.id, p.footprint) for p in marked] == [(p.id, p.footprint) for p in parents]


def test_names_and_a_box_must_both_hold(parents):
    with pytest.raises(InputError, match=r"none of the parents 1 touches the bbox x 50:56, y 40:46"):
        Selection((1,), parse_bbox("50:56,40:46")).mark(parents, FRAME)


def test_an_unknown_parent_is_refused_with_those_that_there_are(parents):
    with pytest.raises(InputError, match=r"only: 7 is no parent of these coadds .*; parents are 1, 2$"):
        Selection((2, 7)).mark(parents, FRAME)
    many = tuple(Parent(n, parents[0].footprint) for n in range(100, 130))
    message = r"only: 99, 140 are no parents .*; parents are 30 from 100 to 129; nearest to 99: 100, 101, 102"
    with pytest.raises(InputError, match=message):
        Selection((99, 140)).mark(many, FRAME)


def test_a_box_off_the_image_is_refused(parents):
    with pytest.raises(InputError, match=r"bbox x 80:90, y 0:60 lies off the image, which is x 0:80, y 0:60"):
        Selection(bbox=parse_bbox("80:90,0:60")).mark(parents, FRAME)


@pytest.mark.parametrize("text", ["1:2", "1:2,3", "1:2,3:4,5:6", "a:b,c:d", "1.5:2,3:4", ""])
def test_a_text_that_is_no_box(text):
    with pytest.raises(InputError, match=r"bbox must be X0:X1,Y0:Y1 in pixels, 0-based, X1 and Y1 not included; got"):
        parse_bbox(text)


@pytest.mark.parametrize("text", ["5:5,0:3", "0:3,9:2"])
def test_an_empty_box_is_refused(text):
    with pytest.raises(InputError, match=r"is empty: it needs X0 < X1 and Y0 < Y1"):
        parse_bbox(text)
    with pytest.raises(InputError, match="is empty: it holds no pixel"):
        Selection(bbox=Box((0, 0), (0, 3)))


def test_x_comes_first_and_spaces_do_not_matter():
    assert parse_bbox(" 1 : 11 , 20:50 ") == Box((20, 1), (30, 10))
