"""What steps hand to each other survives a repository, bit by bit."""

import json
from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest
import small_sky
from pydantic import BaseModel

from meas_deblend.apportion import ApportionConfig
from meas_deblend.exceptions import CorruptModelError, InputError, ModelError
from meas_deblend.geometry import Box, Footprint, Image, Parent, Peak
from meas_deblend.image import GaussianPsf, GridPsf, ImagePsf, MoffatPsf, PsfexPsf
from meas_deblend_tasks.deconvolve import DeconvolveTask
from meas_deblend_tasks.detect import DetectTask

pytest.importorskip("lsst.pex.config", reason="Rubin's middleware is not installed")
pa = pytest.importorskip("pyarrow")
records = pytest.importorskip("meas_deblend_tasks.lsst.records")


def same(one, other):
    """Whether two values are of one class and equal to the last bit, all the way down."""
    if type(one) is not type(other) and not isinstance(one, dict):
        return False
    if isinstance(one, np.ndarray | np.generic):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if is_dataclass(one) and not isinstance(one, BaseModel):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one) if f.init)
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    return one == other or (one != one and other != other)


def there_and_back(value):
    return records.read_records(records.to_records(value))


@pytest.fixture(scope="module")
def detections():
    return DetectTask().run(small_sky.exposure()).detections


class TestValues:
    def test_detections(self, detections):
        found = there_and_back(detections)
        assert same(replace(detections, footprint_bands=dict(detections.footprint_bands)), found)

    def test_parents_with_their_blends(self, detections):
        split = DeconvolveTask().run(small_sky.exposure(), detections).split_parents
        assert same(split, there_and_back(split))

    def test_a_row_for_each_parent(self, detections):
        table = records.to_records(detections)
        assert table["kind"].to_pylist() == ["Parent"] * 3 + ["Detections"]
        assert table["id"].to_pylist()[:3] == [parent.id for parent in detections.parents]

    @pytest.mark.parametrize(
        "psf",
        [
            ImagePsf(np.arange(49.0).reshape(7, 7) / 1176),
            GaussianPsf(1.7),
            MoffatPsf(fwhm=4.0, beta=3.0),
            GridPsf(np.ones((2, 3, 3)) / 9, np.array([0.0, 9.0]), np.array([1.0, 2.0])),
            PsfexPsf(np.ones((3, 5, 5)) / 25, axes="xy", degree=1, zero=(0.0, 0.0), scale=(50.0, 50.0)),
        ],
        ids=lambda psf: type(psf).__name__,
    )
    def test_psfs(self, psf):
        found = there_and_back(psf)
        assert type(found) is type(psf)
        assert np.array_equal(found.image(3.3, 4.4).stamp, psf.image(3.3, 4.4).stamp)

    def test_settings(self):
        assert there_and_back(ApportionConfig(keep_outside=True)) == ApportionConfig(keep_outside=True)

    def test_odd_values(self):
        peak = Peak(0, 1, 2, value=float("nan"), bands=("g",), position=(1.1, float("inf")), name='quote " and ü')
        seeds = (None, Image(np.zeros((0, 3), np.float32), Box((0, 0), (0, 3))))
        parent = Parent(2**62, Footprint.from_box(Box((-3, 1), (2, 2)), (peak,)), seeds=seeds, detect_sigma=0.1 + 0.2)
        assert same(parent, there_and_back(parent))

    def test_scalars_of_numpy_keep_their_type(self):
        recipe = records.Recipe("a", {}, "b", {"value": np.float32(0.1)})
        assert same(there_and_back(recipe).kept["value"], np.float32(0.1))


class TestWhatCannotBeKept:
    def test_classes_that_are_not_known(self):
        class OwnPsf:
            """A PSF of the user's."""

        with pytest.raises(InputError, match=r"a OwnPsf cannot be kept in a repository; these can: .*Parent"):
            records.to_records(OwnPsf())

    def test_arrays_of_objects(self):
        with pytest.raises(InputError, match="an array of type object cannot be kept"):
            records.to_records(records.Recipe("a", {}, "b", {"value": np.array([None])}))


class TestDamage:
    @pytest.fixture
    def rows(self):
        table = records.to_records(Box((0, 0), (2, 2)))
        return table.to_pylist(), table.schema

    def made(self, rows, schema):
        return pa.Table.from_pylist(rows, schema=schema)

    def test_another_table(self):
        with pytest.raises(ModelError, match=r"a table of meas_deblend\.records is needed; .* \['x'\]"):
            records.read_records(pa.table({"x": [1]}))

    def test_a_later_version(self, rows):
        about = json.dumps({"type": "meas_deblend.records", "version": "9.0.0"})
        with pytest.raises(ModelError, match=r"9\.0\.0 cannot be read"):
            records.read_records(self.made(rows[0], rows[1].with_metadata({"meas_deblend": about})))

    @pytest.mark.parametrize(
        "record",
        [
            "{",
            '{"$": "Popen", "fields": {"args": "ls"}}',
            '{"$": "Box", "fields": {"origin": 1}}',
            '{"$": "array", "dtype": "object", "shape": [1], "first": 0}',
            '{"$": "array", "dtype": "float64", "shape": [9], "first": 0}',
            '{"$": "row", "at": 7}',
        ],
    )
    def test_records_that_are_none(self, rows, record):
        rows[0][0]["record"] = record
        with pytest.raises(CorruptModelError, match=r"a table of meas_deblend\.records is damaged"):
            records.read_records(self.made(*rows))

    def test_no_rows(self, rows):
        with pytest.raises(CorruptModelError, match="damaged"):
            records.read_records(self.made([], rows[1]))
