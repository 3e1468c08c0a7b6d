import json
import platform

import pytest

import meas_deblend
from meas_deblend.exceptions import InputError
from meas_deblend.framework import atomic_write, prepare_output, versions


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


def test_overwriting_removes_the_record_and_the_files_it_lists_and_no_others(tmp_path):
    for name in ("objects.parquet", "notes.txt", "figures/a.png", "figures/mine.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    listed = ["objects.parquet", "figures/a.png", "figures", "gone.txt"]
    (tmp_path / "run.json").write_text(json.dumps({"files": listed}))
    prepare_output(tmp_path, overwrite=True)
    assert names(tmp_path) == ["figures", "notes.txt"]
    assert names(tmp_path / "figures") == ["mine.png"]


def test_a_record_cannot_remove_files_elsewhere(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    (tmp_path / "precious").write_text("x")
    (folder / "link").symlink_to(tmp_path / "precious")
    listed = ["../precious", str(tmp_path / "precious"), "link", 5]
    (folder / "run.json").write_text(json.dumps({"files": listed}))
    prepare_output(folder, overwrite=True)
    assert (tmp_path / "precious").read_text() == "x"
    assert names(folder) == ["link"]


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"files": []}', '{"files": 5}'])
def test_a_record_that_lists_nothing_goes_alone(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    (tmp_path / "objects.parquet").write_text("x")
    prepare_output(tmp_path, overwrite=True)
    assert names(tmp_path) == ["objects.parquet"]


def test_versions_name_python_package_and_dependencies():
    found = versions()
    assert found["python"] == platform.python_version()
    assert found["meas_deblend"] == meas_deblend.__version__
    assert {"numpy", "pydantic", "scipy", "pyarrow"} <= set(found)
    assert "pytest" not in found
