import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[3] / ".ci"

if not FOLDER.is_dir():
    pytest.skip("the source archive does not hold the scripts of the continuous integration", allow_module_level=True)


def _load(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


keep_compiled = _load("keep_compiled")
readme_commands = _load("readme_commands")
wheel_files = _load("wheel_files")


def test_commands_are_taken_word_for_word():
    text = "# A\n\n<!-- command: run -->\n```bash\nfirst && second 'x y'\nthird\n```\n\n```bash\nnot this\n```\n"
    text += "\n<!-- command: test -->\n\n```\npytest\n```\n"
    assert readme_commands.commands(text) == {"run": "first && second 'x y'\nthird", "test": "pytest"}


@pytest.mark.parametrize(
    "text",
    [
        "<!-- command: run -->\nno block\n",
        "<!-- command: run -->\n```bash\n```\n",
        "<!-- command: run -->\n```bash\na\n```\n<!-- command: run -->\n```bash\nb\n```\n",
    ],
)
def test_a_marker_without_its_own_block_is_refused(text):
    with pytest.raises(ValueError, match="each marker needs one block"):
        readme_commands.commands(text)


def test_the_readme_has_both_commands():
    text = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    assert set(readme_commands.commands(text)) == {"run", "test"}


def _wheel(path, *names):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "")
    return path


def test_the_list_does_not_depend_on_the_version(tmp_path):
    one = _wheel(tmp_path / "a.whl", "meas_deblend/a.py", "meas_deblend-0.1.0.dist-info/METADATA")
    two = _wheel(tmp_path / "b.whl", "meas_deblend-2.0.dist-info/METADATA", "meas_deblend/a.py")
    assert wheel_files.names(one) == wheel_files.names(two) == ["DIST-INFO/METADATA", "meas_deblend/a.py"]


def test_a_missing_file_is_shown_and_fails(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(wheel_files, "LIST", tmp_path / "list.txt")
    both = _wheel(tmp_path / "both.whl", "meas_deblend/a.py", "meas_deblend/_data/config/hsc/survey.yaml")
    monkeypatch.setattr(sys, "argv", ["wheel_files.py", str(both), "--write"])
    wheel_files.main()
    monkeypatch.setattr(sys, "argv", ["wheel_files.py", str(both)])
    wheel_files.main()
    assert "2 files, as listed" in capsys.readouterr().out
    one = _wheel(tmp_path / "one.whl", "meas_deblend/a.py")
    monkeypatch.setattr(sys, "argv", ["wheel_files.py", str(one)])
    with pytest.raises(SystemExit, match="not those of the list"):
        wheel_files.main()
    assert "-meas_deblend/_data/config/hsc/survey.yaml" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["run", "rubin"])
def test_the_script_is_valid_bash_and_executable(name):
    script = FOLDER / name
    assert script.stat().st_mode & 0o111
    done = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, check=False)  # noqa: S603, S607
    assert done.returncode == 0, done.stderr


def test_compiled_code_of_the_same_sources_is_used_elsewhere(tmp_path):
    source = "import numba\n\n@numba.njit(cache=True)\ndef twice(x):\n    return 2 * x\n"
    call = (
        "import same, changed\n"
        "for twice in (same.twice, changed.twice): print(twice(3), sum(twice.stats.cache_hits.values()))"
    )
    for folder in ("installed", "checkout"):
        (tmp_path / folder / "inner").mkdir(parents=True)
        for name in ("same", "changed"):
            (tmp_path / folder / "inner" / f"{name}.py").write_text(source)
    (tmp_path / "checkout/inner/changed.py").write_text(source.replace("2 *", "4 *"))

    def called(folder):
        command = [sys.executable, "-c", call]
        place = {"cwd": tmp_path / folder / "inner", "env": {**os.environ, "NUMBA_CACHE_DIR": ""}}
        run = subprocess.run(command, **place, capture_output=True, text=True, check=True)  # noqa: S603
        return run.stdout.splitlines()

    assert called("installed") == ["6 0", "6 0"]
    assert keep_compiled.keep(tmp_path / "installed", tmp_path / "checkout") == 1
    assert called("checkout") == ["6 1", "12 0"]
