"""Stores made one, in a file or as a folder."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from synthetic_models import BANDS, assert_same_parent, make_parent

from meas_deblend import load_models
from meas_deblend.exceptions import CorruptModelError, InputError, ModelError
from meas_deblend.products import ModelDataset, ModelStore, StoreMetadata, merge_models, open_models, write_models
from meas_deblend.products import _writer as writer_module

METADATA = StoreMetadata(BANDS, (100, 120), "", (27.0, 27.0, None), "count", {"meas_deblend": "0.1.0", "python": "3"})

DIES_WHILE_WRITING = """
import os, sys
from synthetic_models import BANDS, make_parent
from meas_deblend.products import StoreMetadata, _writer, write_models

_writer.parent_record = lambda *_: os._exit(3)  # as by a signal that nobody can catch
write_models(sys.argv[1], [make_parent(1, [(25, 35)])], StoreMetadata(BANDS))
"""


def store_of(path, ids, metadata=METADATA):
    made = [make_parent(k, [(25, 35), (20, 45)]) for k in ids]
    write_models(path, made, metadata)
    return {parent.id: parent for parent in made}


def test_merging_interleaves_and_keeps_every_bit(tmp_path, monkeypatch):
    monkeypatch.setattr(writer_module, "_GROUP_ROWS", 4)
    made = store_of(tmp_path / "a", range(1, 20, 2)) | store_of(
        tmp_path / "b", range(2, 30, 2), replace(METADATA, provenance={"meas_deblend": "0.2.0", "python": "3"})
    )
    merge_models([tmp_path / "a", tmp_path / "b"], tmp_path / "out")
    store = ModelStore(tmp_path / "out")
    assert store.parent_ids() == tuple(sorted(made))
    assert store.metadata.provenance == {"meas_deblend": "0.1.0; 0.2.0", "python": "3"}
    assert len(store.psf_keys()) == 4  # the PSFs are the same in both
    for parent in store.parents():
        assert_same_parent(parent, made[parent.id])
        assert_same_parent(store.parent(parent.id), made[parent.id])
    # The same as writing all of them at once.
    write_models(tmp_path / "once", made.values(), store.metadata)
    assert (tmp_path / "once").read_bytes() == (tmp_path / "out").read_bytes()


def test_the_output_may_be_an_input(tmp_path):
    store_of(tmp_path / "a", (1, 3))
    store_of(tmp_path / "b", (2,))
    merge_models([tmp_path / "a", tmp_path / "b"], tmp_path / "a")
    assert ModelStore(tmp_path / "a").parent_ids() == (1, 2, 3)


def test_stores_that_do_not_fit_are_not_merged(tmp_path):
    store_of(tmp_path / "a", (1, 2))
    store_of(tmp_path / "b", (2, 3))
    with pytest.raises(InputError, match=r"the identifier 2\d* is in .*a and in .*b: identifiers must be unique"):
        merge_models([tmp_path / "a", tmp_path / "b"], tmp_path / "out")
    # An object of one is a parent of the other.
    store_of(tmp_path / "c", (101,))
    with pytest.raises(InputError, match="the identifier 101 is in"):
        merge_models([tmp_path / "a", tmp_path / "c"], tmp_path / "out")
    store_of(tmp_path / "d", (7,), replace(METADATA, shape=(5, 5)))
    with pytest.raises(
        InputError, match=r"d does not fit .*a: shape is \(5, 5\), not \(100, 120\); stores of different"
    ):
        merge_models([tmp_path / "a", tmp_path / "d"], tmp_path / "out")
    with pytest.raises(InputError, match="nothing to merge"):
        merge_models([], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_interrupted_merge_leaves_the_old_file(tmp_path):
    store_of(tmp_path / "a", (1,))
    store_of(tmp_path / "b", (2,))
    store_of(tmp_path / "out", (9,))
    before = (tmp_path / "out").read_bytes()
    whole = bytearray((tmp_path / "b").read_bytes())
    place = whole.rfind(b"multi_band", 0, len(whole) * 3 // 4)  # in the column of deblenders
    whole[place] ^= 0xFF
    (tmp_path / "b").write_bytes(whole)
    with pytest.raises(CorruptModelError, match="damaged at parent 2"):
        merge_models([tmp_path / "a", tmp_path / "b"], tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b", "out"]


def test_a_write_that_is_killed_leaves_the_old_file(tmp_path):
    path = tmp_path / "models.parquet"
    store_of(path, (9,))
    before = path.read_bytes()
    done = subprocess.run(  # noqa: S603  (this interpreter, and a text of ours)
        [sys.executable, "-c", DIES_WHILE_WRITING, path],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert done.returncode == 3
    assert path.read_bytes() == before
    # What the dead process left is no store that anyone would open.
    assert ModelDataset(tmp_path).parent_ids() == (9,)


def test_a_folder_of_stores_is_one(tmp_path):
    other = replace(METADATA, shape=(50, 60), zeropoints=(27.0, 28.0, None))
    made = store_of(tmp_path / "t1" / "p1" / "models.parquet", (1, 4))
    made |= store_of(tmp_path / "models-2.parquet", (2, 3), other)
    models = load_models(tmp_path)
    assert isinstance(models.store, ModelDataset)
    assert isinstance(open_models(tmp_path / "models-2.parquet"), ModelStore)
    assert models.parent_ids == (1, 2, 3, 4)
    assert sorted(models.ids) == [100, 101, 200, 201, 300, 301, 400, 401]
    # What differs from patch to patch is said by each object, not by all.
    assert models.metadata == replace(METADATA, shape=(0, 0), zeropoints=(27.0, None, None))
    assert models.source(301).metadata == models.blend(3).metadata == other
    assert models.source(101).metadata == METADATA
    for blend in models.blends():
        assert_same_parent(blend.parent, made[blend.id])
    assert np.isfinite(models.source(400).model("g").array).all()
    with pytest.raises(ModelError, match="no object 7"):
        models.source(7)
    with pytest.raises(ModelError, match="no parent 7"):
        models.blend(7)


def test_folders_that_are_no_stores_are_told(tmp_path):
    with pytest.raises(ModelError, match=r"there is no models\.parquet in"):
        load_models(tmp_path)
    with pytest.raises(ModelError, match="there is no folder"):
        ModelDataset(tmp_path / "none")
    store_of(tmp_path / "models-1.parquet", (1,))
    store_of(tmp_path / "models-2.parquet", (100,))
    with pytest.raises(InputError, match=r"the identifier 100 is in .*models-1\.parquet and in .*models-2\.parquet"):
        load_models(tmp_path)
    store_of(tmp_path / "models-2.parquet", (5,), replace(METADATA, units="nJy"))
    with pytest.raises(InputError, match="units is 'nJy', not 'count'"):
        load_models(tmp_path)
