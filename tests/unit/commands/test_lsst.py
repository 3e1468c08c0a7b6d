"""``meas-deblend lsst`` where Rubin's middleware is not installed, and what needs none of it."""

import importlib
from pathlib import Path

import pytest
from command_line import call

from meas_deblend.framework import shipped_pipelines


@pytest.mark.parametrize("name", shipped_pipelines())
def test_pipelines_are_found(name, capsys):
    """Each of ours has one for pipetask."""
    assert call("lsst", "pipeline", name) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path.is_file()
    assert "meas_deblend_tasks.lsst." in path.read_text()


def test_unknown_pipelines_are_refused(capsys):
    assert call("lsst", "pipeline", "multi_band") == 2
    assert "there is no pipeline 'multi_band'; did you mean 'multiband'?" in capsys.readouterr().err


def test_it_says_how_to_install_the_middleware(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(importlib.import_module("meas_deblend.commands.lsst"), "find_spec", lambda name: None)
    assert call("lsst", "init", tmp_path / "repo", "--coadd", "g=g.fits") == 2
    assert "pip install 'meas_deblend[lsst]', with Python 3.12 or later" in capsys.readouterr().err
    assert not (tmp_path / "repo").exists()
