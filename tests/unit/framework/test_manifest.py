import json
import platform

import pytest

import meas_deblend
from meas_deblend.exceptions import InputError
from meas_deblend.framework import atomic_write, checksum, prepare_output, read_manifest, versions, write_manifest


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_an_interrupted_write_leaves_the_old_file_whole(tmp_path):
    path = tmp_path / "catalog.txt"
    path.write_text("old")

    def interrupted():
        with atomic_write(path, "w") as stream:
            stream.write("half of the n")
            stream.flush()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["catalog.txt"]


def test_a_write_that_ends_replaces_the_file(tmp_path):
    path = tmp_path / "catalog.bin"
    path.write_bytes(b"old")
    with atomic_write(path) as stream:
        stream.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_output_folder_is_made(tmp_path):
    folder = prepare_output(tmp_path / "a" / "b")
    assert folder.is_dir()
    assert prepare_output(folder) == folder  # still empty


def test_a_folder_in_use_is_refused(tmp_path):
    for name in "dcba":
        (tmp_path / name).touch()
    with pytest.raises(InputError) as caught:
        prepare_output(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: the output folder is in use, it holds a, b, c, ...; choose another, or say overwrite"
    )
    with pytest.raises(InputError, match="this is a file; a folder is needed"):
        prepare_output(tmp_path / "a", overwrite=True)


def test_overwriting_removes_the_files_of_the_run_before_and_no_others(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    for name in ("objects.parquet", "notes.txt"):
        (folder / name).write_text(name)
    write_manifest(folder, ["objects.parquet"], {})
    prepare_output(folder, overwrite=True)
    assert names(folder) == ["notes.txt"]


def test_a_manifest_cannot_remove_files_elsewhere(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    (tmp_path / "precious").write_text("x")
    (folder / "manifest.json").write_text(json.dumps({"files": {"../precious": {}, "gone": {}}}))
    prepare_output(folder, overwrite=True)
    assert (tmp_path / "precious").read_text() == "x"


def test_manifest_lists_files_versions_and_what_was_said(tmp_path):
    (tmp_path / "b.txt").write_text("abc")
    path = write_manifest(tmp_path, ["b.txt"], {"data_id": {"tract": 1}})
    content = read_manifest(tmp_path)
    assert path.name == "manifest.json"
    # SHA-256 of "abc", FIPS 180-2, appendix B.1.
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert content["files"] == {"b.txt": {"bytes": 3, "sha256": digest}}
    assert checksum(tmp_path / "b.txt") == digest
    assert content["data_id"] == {"tract": 1}
    assert content["versions"] == versions()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "there is no manifest.json; this is not the output of a run that was completed"),
        ("{", "not a manifest: "),
        ("[]", "not a manifest: it lists no files"),
    ],
)
def test_what_is_no_manifest(tmp_path, text, message):
    if text is not None:
        (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(InputError, match=message):
        read_manifest(tmp_path)


def test_versions_name_python_package_and_dependencies():
    found = versions()
    assert found["python"] == platform.python_version()
    assert found["meas_deblend"] == meas_deblend.__version__
    assert {"numpy", "pydantic", "scipy", "pyarrow"} <= set(found)
    assert "pytest" not in found
