"""Sphinx extension: the pictures of the documentation are drawn by code when it is built.

Every ``doc/figures/<name>.py`` is run with the folder ``doc/_generated`` as its argument and writes PNG files there,
several at a time. A script is run again only when it, a module that it loaded, or a setting has changed since. Pictures
of real data, which a build does not have, are drawn by ``doc/figures_real/make.py`` and kept under version control.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx.errors import ExtensionError
from sphinx.util import logging

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOC = Path(__file__).resolve().parents[1]
ROOT = DOC.parent
GENERATED = DOC / "_generated"
# Runs a script as its main program, and says which files of ours it has loaded.
RUNNER = """
import json, runpy, sys
from pathlib import Path
script, folder, loaded, root = sys.argv[1:]
sys.argv = [script, folder]
sys.path.insert(0, str(Path(script).parent))
runpy.run_path(script, run_name="__main__")
files = {str(Path(m.__file__).resolve()) for m in sys.modules.values() if getattr(m, "__file__", None)}
Path(loaded).write_text(json.dumps(sorted({script, *(f for f in files if f.startswith(root) and f.endswith(".py"))})))
"""
log = logging.getLogger(__name__)


def draw_figures(_app: Sphinx) -> None:
    """Run the scripts whose pictures are out of date.

    Raises
    ------
    ExtensionError
        If a script fails; the message holds what it printed.
    """
    GENERATED.mkdir(exist_ok=True)
    scripts = [script for script in sorted((DOC / "figures").glob("*.py")) if not _is_current(script)]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for failure in threads.map(_draw, scripts):
            if failure:
                raise ExtensionError(failure)


def _is_current(script: Path) -> bool:
    """Whether nothing has changed that the pictures of a script depend on."""
    stamp = GENERATED / f"{script.stem}.stamp"
    if not stamp.is_file():
        return False
    try:
        before = json.loads(stamp.read_text())
    except json.JSONDecodeError:
        # Written by an earlier state of this extension.
        return False
    return bool(before == _state([ROOT / name for name in before["files"]]))


def _state(files: list[Path]) -> dict[str, Any]:
    """Digests of code, and of all settings; a file that is no longer there has none."""
    settings = sorted([*(ROOT / "config").rglob("*.yaml"), *(ROOT / "tasks" / "pipelines").rglob("*.yaml")])
    found = {str(file.relative_to(ROOT)): _digest([file]) if file.is_file() else "" for file in files}
    return {"files": found, "settings": _digest(settings)}


def _draw(script: Path) -> str:
    """Run a script; return what is wrong, or nothing."""
    log.info("drawing figures: %s", script.name)
    loaded = GENERATED / f"{script.stem}.loaded"
    # A process of its own: what a script loads or sets cannot change the build. Warnings are errors, as in tests.
    command = [sys.executable, "-W", "error", "-c", RUNNER, *map(str, (script, GENERATED, loaded, ROOT))]
    # One thread each: there are as many scripts at a time as cores.
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | threads)  # noqa: S603 - our own scripts
    if done.returncode:
        return f"{script} failed:\n{done.stdout}{done.stderr}"
    files = [Path(name) for name in json.loads(loaded.read_text())]
    loaded.unlink()
    (GENERATED / f"{script.stem}.stamp").write_text(json.dumps(_state(files), indent=1))
    return ""


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to the build."""
    app.connect("builder-inited", draw_figures)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def _digest(files: list[Path]) -> str:
    total = hashlib.sha256()
    for file in files:
        total.update(file.read_bytes())
    return total.hexdigest()
