"""Sphinx extension: the pictures of the documentation are drawn by code when it is built.

Every ``doc/figures/<name>.py`` is run with the folder ``doc/_generated`` as its argument and writes PNG files there.
A script is run again only when it, or the package, has changed since. Pictures of real data, which a build does not
have, are drawn by ``doc/figures_real/make.py`` and kept under version control.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx.errors import ExtensionError
from sphinx.util import logging

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOC = Path(__file__).resolve().parents[1]
GENERATED = DOC / "_generated"
log = logging.getLogger(__name__)


def draw_figures(_app: Sphinx) -> None:
    """Run the scripts whose pictures are out of date.

    Raises
    ------
    ExtensionError
        If a script fails; the message holds what it printed.
    """
    GENERATED.mkdir(exist_ok=True)
    package = _digest(sorted((DOC.parent / "meas_deblend").rglob("*.py")))
    for script in sorted((DOC / "figures").glob("*.py")):
        stamp = GENERATED / f"{script.stem}.stamp"
        state = f"{package} {_digest([script])}"
        if stamp.is_file() and stamp.read_text() == state:
            continue
        log.info("drawing figures: %s", script.name)
        # A process of its own: what a script loads or sets cannot change the build. Warnings are errors, as in tests.
        command = [sys.executable, "-W", "error", str(script), str(GENERATED)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own scripts
        if done.returncode:
            raise ExtensionError(f"{script} failed:\n{done.stdout}{done.stderr}")
        stamp.write_text(state)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to the build."""
    app.connect("builder-inited", draw_figures)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def _digest(files: list[Path]) -> str:
    total = hashlib.sha256()
    for file in files:
        total.update(file.read_bytes())
    return total.hexdigest()
