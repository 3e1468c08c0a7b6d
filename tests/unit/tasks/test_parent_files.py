"""What a checkpoint keeps of detection and deconvolution is what was put into it, to the last bit."""

from dataclasses import fields, is_dataclass, replace
from types import MappingProxyType

import numpy as np
import pytest

from meas_deblend.detect import Detections
from meas_deblend.exceptions import CorruptModelError
from meas_deblend.framework import Checkpoint, Workplace, once, working
from meas_deblend.geometry import Box, Footprint, Image, Parent, Peak
from meas_deblend_tasks.parent_files import DetectionFiles, ParentFiles


def plain(value):
    """Everything in a value, in plain types that can be compared."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes(), value.flags.c_contiguous
    if is_dataclass(value):
        return type(value), tuple(plain(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, (tuple, list)):
        return type(value), tuple(map(plain, value))
    if isinstance(value, MappingProxyType):
        return tuple((plain(key), plain(one)) for key, one in value.items())
    return type(value), repr(value)


def footprint(seed, origin, shape, peaks=()):
    return Footprint(Box(origin, shape), np.random.default_rng(seed).random(shape) > 0.5, peaks)


def parents():
    one = Peak(0, 4, -7, 1 / 3, ("g", "r"))
    two = Peak(1, 5, 6, float("nan"), (), (5.1, 6.0 + 2**-40), 'näme "x"')
    pixels = np.random.default_rng(1).normal(0, 1, (3, 5)).astype(np.float32)
    return (
        Parent(2**62 + 3, footprint(0, (3, -8), (7, 13), (one, two))),
        Parent(
            7,
            footprint(2, (0, 0), (3, 5), (one,)),
            (footprint(3, (1, 1), (2, 2), (one,)), footprint(4, (0, 0), (0, 0))),
            Image(pixels, Box((0, 0), (3, 5))),
            detect_sigma=0.8,
            selected=False,
        ),
    )


@pytest.mark.parametrize("given", [parents(), ()], ids=["two", "none"])
def test_parents_come_back_as_they_were(tmp_path, given):
    files = ParentFiles()
    files.write(tmp_path / "a.npz", [given])
    assert plain(files.read(tmp_path / "a.npz")[0]) == plain(given)


def test_detections_come_back_as_they_were(tmp_path):
    files = DetectionFiles()
    bands = MappingProxyType({2**62 + 3: ("g",), 7: ()})
    given = Detections(parents(), bands, (Peak(3, -1, 900, name="off"),))
    files.write(tmp_path / "a.npz", [given])
    assert plain(files.read(tmp_path / "a.npz")[0]) == plain(given)


def test_seeds_are_not_dropped_in_silence(tmp_path):
    (one, _) = parents()
    with pytest.raises(ValueError, match="parents with seeds are not kept"):
        ParentFiles().write(tmp_path / "a.npz", [(replace(one, seeds=(None, None)),)])


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "a.npz"
    ParentFiles().write(path, [parents()])
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CorruptModelError, match=r"a\.npz is damaged"):
        ParentFiles().read(path)


def test_what_was_made_is_not_made_again(tmp_path):
    made = []

    def make():
        made.append(1)
        return parents()

    kept = Checkpoint.open(tmp_path / "kept", {"a": "1"})
    for resume in (True, True, False):
        kept = Checkpoint.open(tmp_path / "kept", {"a": "1"}, resume=resume)
        with working(Workplace(checkpoint=kept, label="deconvolve")):
            assert plain(once(make, ParentFiles())) == plain(parents())
    assert made == [1, 1]
    assert plain(once(make, ParentFiles())) == plain(parents())
    assert made == [1, 1, 1]
