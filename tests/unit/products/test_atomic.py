"""Files appear whole or not at all."""

import stat
from pathlib import Path

import pytest

from meas_deblend import _atomic
from meas_deblend._atomic import atomic_write


def test_a_file_takes_its_name_when_it_is_complete(tmp_path):
    path = tmp_path / "new" / "file"
    with atomic_write(path, "wb") as stream:
        stream.write(b"one")
        assert not path.exists()
    assert path.read_bytes() == b"one"
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_content_is_on_the_disk_before_the_file_takes_its_name(tmp_path, monkeypatch):
    path, synced = tmp_path / "file", []

    def sync(descriptor):
        written = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append((written.parent, written.read_bytes(), path.exists()))

    monkeypatch.setattr(_atomic.os, "fsync", sync)
    with atomic_write(path, "wb") as stream:
        stream.write(b"one")
    assert synced == [(tmp_path, b"one", False)]


def test_text_is_utf_8_with_plain_line_ends(tmp_path):
    with atomic_write(tmp_path / "file", "w") as stream:
        stream.write("σ\n")
    assert (tmp_path / "file").read_bytes() == "σ\n".encode()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_error_the_old_file_stays(tmp_path, error):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(error), atomic_write(path, "w") as stream:  # noqa: PT012  (the error comes while it is open)
        stream.write("new")
        raise error
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_permissions_are_those_of_any_new_file(tmp_path):
    (tmp_path / "plain").write_text("")
    with atomic_write(tmp_path / "file") as stream:
        stream.write(b"")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "file")}
    assert len(modes) == 1
