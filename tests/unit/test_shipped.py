"""The shipped settings are found in a checkout, in a wheel and in a zip, and a stranger's are not taken for ours."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import meas_deblend
from meas_deblend import shipped
from meas_deblend.exceptions import ConfigError

PACKAGE = Path(meas_deblend.__file__).parent
SHOW = "from meas_deblend.shipped import *; print(shipped_folder('config')); print(*surveys())"


def install(root: Path) -> Path:
    """The finder as a wheel installs it, without data."""
    package = root / "meas_deblend"
    package.mkdir(parents=True)
    for name in ("shipped.py", "exceptions.py"):
        shutil.copy(PACKAGE / name, package / name)
    (package / "__init__.py").write_text("")
    return package


def add_survey(config: Path, name: str) -> None:
    (config / name).mkdir(parents=True)
    (config / name / "survey.yaml").write_text(f"name: {name}\n")


def show(path: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", SHOW], env=environment, capture_output=True, text=True, cwd=path.parent, check=False
    )


def test_the_shipped_surveys_are_listed():
    assert {"generic", "hsc", "lsst"} <= set(shipped.surveys())


def test_in_a_checkout_the_folder_beside_the_package_wins_over_a_stale_copy(tmp_path):
    package = install(tmp_path)
    add_survey(package / "_data" / "config", "stale")
    add_survey(tmp_path / "config", "edited")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "meas_deblend"\n')
    assert show(tmp_path).stdout.split() == [str(tmp_path / "config"), "edited"]


def test_a_wheel_reads_its_own_data(tmp_path):
    add_survey(install(tmp_path) / "_data" / "config", "packaged")
    assert show(tmp_path).stdout.split()[-1] == "packaged"


def test_a_zipped_wheel_reads_its_own_data(tmp_path):
    add_survey(install(tmp_path / "wheel") / "_data" / "config", "packaged")
    archive = tmp_path / "wheel.zip"
    with zipfile.ZipFile(archive, "w") as out:
        for path in (tmp_path / "wheel").rglob("*"):
            out.write(path, path.relative_to(tmp_path / "wheel"))
    assert show(archive).stdout.split()[-1] == "packaged"


@pytest.mark.parametrize("pyproject", [None, '[project]\nname = "stranger"\n'])
def test_a_strangers_config_is_refused_and_both_places_are_named(tmp_path, pyproject):
    install(tmp_path)
    add_survey(tmp_path / "config", "strange")
    if pyproject is not None:
        (tmp_path / "pyproject.toml").write_text(pyproject)
    message = show(tmp_path).stderr
    assert "ConfigError: no config folder" in message
    assert str(tmp_path / "config") in message
    assert str(tmp_path / "meas_deblend" / "_data" / "config") in message


def test_missing_pipelines_name_their_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(shipped, "__file__", str(tmp_path / "meas_deblend" / "shipped.py"))
    monkeypatch.setattr(shipped, "files", lambda _: tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match=r"tasks/pipelines .*_data/pipelines; the installation is incomplete"):
        shipped.shipped_folder("pipelines")
