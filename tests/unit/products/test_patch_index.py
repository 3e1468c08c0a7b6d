"""The index of a run of many patches, and the manifests of its quanta, are read back or refused."""

import json
from datetime import UTC, datetime

import pytest

from meas_deblend.exceptions import ModelError
from meas_deblend.products import (
    PATCH_INDEX,
    Frame,
    PatchEntry,
    PatchIndex,
    QuantumManifest,
    read_manifest,
    read_manifests,
    read_patch_index,
    write_manifest,
    write_patch_index,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ENTRY = PatchEntry(tract=9813, patch="4,4", number=404, folder="9813/4,4", inputs={"g": {"image": "/g.fits"}})
INDEX = PatchIndex(created=NOW, identity={"a": "b"}, labels=("read", "write"), patches=(ENTRY,))
MANIFEST = QuantumManifest(
    label="read", tract=1, patch="2", config_hash="0", inputs={"/g.fits": "a"}, versions={"python": "3"}, ended=NOW,
    host="h", process=1, attempt=1, outcome="ok", reason="ok", seconds=1.0, cpu_seconds=1.0, peak_memory_mb=3.0,
    frame=Frame(shape=(3, 4)), log=("one", "two"),
)  # fmt: skip


def test_an_index_is_read_back(tmp_path):
    write_patch_index(tmp_path, INDEX)
    assert read_patch_index(tmp_path) == INDEX
    assert ENTRY.name == "9813/4,4"


def test_manifests_are_read_back_in_the_order_of_labels(tmp_path):
    other = MANIFEST.model_copy(update={"label": "apportion"})
    for one in (other, MANIFEST):
        write_manifest(tmp_path, one)
    assert read_manifest(tmp_path / "read.json") == MANIFEST
    assert read_manifests(tmp_path, ("read", "detect", "apportion")) == (MANIFEST, other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": "9.0.0"}, r"is of version 9\.0\.0 of meas_deblend\.patches; this release .* reads up to 1\.0\.0"),
        ({"type": "x"}, "is of type 'x', not 'meas_deblend.patches'"),
        ({"labels": 3}, "is damaged: labels: "),
        ({"surplus": 3}, "is damaged: surplus: Extra inputs"),
        ({"patches": []}, "is damaged: patches: "),
    ],
)
def test_an_index_that_is_none_is_refused(tmp_path, change, message):
    (tmp_path / PATCH_INDEX).write_text(json.dumps(json.loads(INDEX.model_dump_json()) | change))
    with pytest.raises(ModelError, match=message):
        read_patch_index(tmp_path)


@pytest.mark.parametrize("folder", ["/out", "../out", "a/../../b"])
def test_folders_outside_are_refused(folder):
    with pytest.raises(ValueError, match="lies beneath that of the index"):
        PatchEntry(**ENTRY.model_dump() | {"folder": folder})


def test_a_damaged_manifest_is_told(tmp_path):
    (tmp_path / "read.json").write_text("{")
    with pytest.raises(ModelError, match=r"read\.json is damaged"):
        read_manifest(tmp_path / "read.json")
    with pytest.raises(ModelError, match="there is no manifest"):
        read_manifest(tmp_path / "write.json")
    (tmp_path / "read.json").write_text(json.dumps({"type": "meas_deblend.quantum", "version": "2.0.0"}))
    with pytest.raises(ModelError, match=r"reads up to 1\.0\.0"):
        read_manifest(tmp_path / "read.json")
