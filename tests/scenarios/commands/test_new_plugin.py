"""The scaffold of a plug-in: written, installed, tested by its own test, found by its name, and run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import call

import meas_deblend
import meas_deblend_tasks
from meas_deblend.access import open_run

PLUGIN = Path(__file__).resolve().parents[2] / "plugin" / "by_distance"


def texts(folder):
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Folders of a plug-in's source, and of the packages with it."""
    folder = tmp_path_factory.mktemp("plugin")
    assert call("new-plugin", "my_way", "--out", folder) == 0
    place = folder / "site"
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--quiet", "--target", str(place)]
    copy = shutil.copytree(folder / "my_way", folder / "copy")  # a build leaves files in its source
    done = subprocess.run(  # noqa: S603 - our own package
        [sys.executable, "-m", "pip", "install", *options, str(copy)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / "my_way", place


def test_the_plug_in_of_the_tests_is_what_the_command_writes(tmp_path, capsys):
    assert call("new-plugin", "by_distance", "--out", tmp_path) == 0
    assert texts(tmp_path / "by_distance") == texts(PLUGIN)
    assert "deblend:deblender.name=by_distance" in capsys.readouterr().out


def test_its_own_tests_pass(installed):
    source, place = installed
    packages = [place, *(Path(module.__file__).parents[1] for module in (meas_deblend, meas_deblend_tasks))]
    done = subprocess.run(  # noqa: S603 - our own package
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(source)],
        capture_output=True,
        text=True,
        check=False,
        cwd=source,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, packages))},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_installed_it_is_found_and_run(installed, quick, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(installed[1]))
    chosen = ["-c", "deblend:deblender.name=my_way", "-c", "deblend:deblender.my_way.scale=3"]
    assert call("show", "config", "deblend", "--pipeline", "any_deblender", "--diff", "default", *chosen) == 0
    assert "scale: 3.0  # a number > 0, ≤ 100; set by command line" in capsys.readouterr().out
    code, folder, said = quick(*chosen, pipeline="any_deblender")
    assert code == 0, said.err
    run = open_run(folder)
    blended = run.objects["deblend_parentNPeaks"] > 1
    assert blended.sum() > 1
    assert not run.objects["deblend_noModel"][blended].any()
    assert np.isfinite(run.objects["r_psfFlux"][blended]).all()
    # Its options are checked as all settings are.
    wrong = ["-c", "deblend:deblender.my_way.scael=3"]
    assert call("show", "config", "deblend", "--pipeline", "any_deblender", *chosen[:2], *wrong) == 2
    assert "deblender.my_way.scael: unknown setting; did you mean 'scale'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("MyWay", "'MyWay' cannot name a deblender and its package: snake_case is needed, e.g. my_way"),
        ("my-way", "'my-way' cannot name a deblender"),
        ("class", "'class' cannot name a deblender"),
        ("multi_band", "there is a deblender 'multi_band' already; taken are "),
    ],
)
def test_names_that_cannot_be_used(name, message, tmp_path, capsys):
    assert call("new-plugin", name, "--out", tmp_path) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(tmp_path, capsys):
    (tmp_path / "my_way").mkdir()
    assert call("new-plugin", "my_way", "--out", tmp_path) == 2
    assert "my_way is there already: choose another name, or another folder with --out" in capsys.readouterr().err
