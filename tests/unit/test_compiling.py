"""Compiling ahead in processes of their own: once, said, and never in the way of a run."""

import importlib
import json
import logging
import os
import signal
from types import SimpleNamespace

import pytest

from meas_deblend import compiling

SAYS_SO = "meas-deblend: compiling the inner loops, in two processes: once after an installation"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Folder for what is compiled, empty; what the child compiles is one file there."""
    folder = tmp_path / "cache"
    for name in (compiling.HERE, "NUMBA_DISABLE_JIT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(folder))
    (tmp_path / "loop.nbi").touch()
    monkeypatch.setattr(compiling, "_compile", lambda *_: [str(tmp_path / "loop.nbi")])
    return folder


def failing(error):
    def fail(*_):
        raise error

    return fail


def test_it_is_done_once_and_said(cache, capsys):
    assert not compiling.is_compiled()
    compiling.compile_apart()
    assert capsys.readouterr().err.startswith(SAYS_SO)
    assert compiling.is_compiled()
    compiling.compile_apart()
    assert capsys.readouterr().err == ""


def test_what_is_compiled_is_compiled_elsewhere(cache, monkeypatch, tmp_path):
    def compile_there(*_):
        (tmp_path / "process").write_text(str(os.getpid()))
        return []

    monkeypatch.setattr(compiling, "_compile", compile_there)
    compiling.compile_apart()
    assert int((tmp_path / "process").read_text()) != os.getpid()


@pytest.mark.parametrize("change", ["sources", "files"])
def test_it_is_done_again_when_something_has_changed(cache, monkeypatch, tmp_path, capsys, change):
    compiling.compile_apart()
    if change == "files":
        (tmp_path / "loop.nbi").unlink()
    else:
        monkeypatch.setattr(compiling, "_processor", lambda: "another")
    assert not compiling.is_compiled()
    (tmp_path / "loop.nbi").touch()
    capsys.readouterr()
    if change == "sources":
        compiling.compile_apart()
        assert capsys.readouterr().err.startswith(SAYS_SO)
    assert compiling.is_compiled()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"of": 1}', "not json"])
def test_a_mark_that_cannot_be_read_is_none(cache, content):
    cache.mkdir()
    (cache / "meas_deblend_compiled.json").write_text(content)
    assert not compiling.is_compiled()


@pytest.mark.parametrize(("name", "value", "done"), [
    (compiling.HERE, "1", False), (compiling.HERE, "", True), ("NUMBA_DISABLE_JIT", "1", False),
    ("NUMBA_DISABLE_JIT", "0", True),
])  # fmt: skip
def test_it_can_be_left_out(cache, monkeypatch, name, value, done):
    monkeypatch.setenv(name, value)
    compiling.compile_apart()
    assert compiling.is_compiled() == done


def test_where_nothing_can_be_kept_it_says_so(cache, monkeypatch, tmp_path, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(compiling, "_compile", failing(AssertionError("not to be called")))
    compiling.compile_apart()
    assert capsys.readouterr().err == (
        f"meas-deblend: compiled loops cannot be kept in {tmp_path}/file/cache: every run compiles them again, which "
        "takes 300 to 400 MB more memory\n"
    )


@pytest.mark.parametrize(("how", "message"), [
    (failing(ValueError("made to fail")), "made to fail"),
    (lambda *_: os.kill(os.getpid(), signal.SIGKILL), "compiling: the process that worked on it was ended by SIGKILL"),
])  # fmt: skip
def test_a_failure_is_said_and_the_run_goes_on(cache, monkeypatch, capsys, how, message):
    monkeypatch.setattr(compiling, "_compile", how)
    compiling.compile_apart()
    said = capsys.readouterr().err.splitlines()[1]
    assert said.startswith(f"meas-deblend: that failed ({message}")
    assert said.endswith("this run compiles what is missing, which takes 300 to 400 MB more memory")
    assert not compiling.is_compiled()


def test_the_mark_lies_beside_the_code_or_at_home(monkeypatch, tmp_path):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    beside, home = compiling._places()
    assert (beside.parent / "compiling.py").is_file()
    assert home == tmp_path / "meas_deblend"


def test_loops_that_cannot_be_kept_are_compiled_all_the_same(monkeypatch):
    jit = importlib.import_module("meas_deblend.scarlet._jit")
    plain = jit.numba.njit

    def njit(cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return plain(**options)

    monkeypatch.setattr(jit, "numba", SimpleNamespace(njit=njit))
    assert jit.jit(lambda x: x + 1)(1) == 2


def test_what_is_found_again_is_listed(monkeypatch, tmp_path):
    # It is another process that goes quiet, and takes turns with others.
    monkeypatch.setattr(compiling, "compile_once", lambda _: None)
    monkeypatch.setattr(logging.getLogger("meas_deblend"), "level", logging.NOTSET)
    monkeypatch.setattr(compiling, "compile_chain", lambda _: importlib.import_module("meas_deblend.scarlet.monotone"))
    files = compiling._compile(tmp_path, 0)
    assert json.dumps(files)
    assert all(file.endswith(".nbi") for file in files)
