"""Finds the pipeline definitions and survey settings that are shipped with the package.

They live beside the package in a checkout (``tasks/pipelines``, ``config``) and travel inside it in a wheel
(``meas_deblend/_data``).
"""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .exceptions import ConfigError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = ["shipped_folder", "surveys"]

_BESIDE = {"pipelines": Path("tasks/pipelines"), "config": Path("config")}


def shipped_folder(kind: Literal["pipelines", "config"]) -> Traversable:
    """Folder with the shipped pipeline definitions or survey settings.

    The folder beside the package wins, but only in a checkout of this project (its ``pyproject.toml`` is there
    too): an edit counts at once, a copy that a build left in the package is never read by mistake, and a
    stranger's ``config/`` in site-packages is not taken for ours.

    Parameters
    ----------
    kind : {"pipelines", "config"}
        What is looked for.

    Returns
    -------
    importlib.resources.abc.Traversable
        A path, or its equivalent inside a zipped wheel.

    Raises
    ------
    ConfigError
        If neither place has it; the message names both.
    """
    checkout = Path(__file__).resolve().parent.parent
    beside = checkout / _BESIDE[kind]
    if _is_this_project(checkout / "pyproject.toml") and beside.is_dir():
        return beside
    packaged = files(__package__) / "_data" / kind
    if packaged.is_dir():
        return packaged
    raise ConfigError(
        f"no {kind} folder: looked beside the package, in {beside} (read only where this project's pyproject.toml is "
        f"in {checkout}), and inside it, in {packaged}; the installation is incomplete"
    )


def surveys() -> list[str]:
    """Names of the shipped surveys, sorted: the folders of ``config/`` that hold a ``survey.yaml``."""
    return sorted(entry.name for entry in shipped_folder("config").iterdir() if (entry / "survey.yaml").is_file())


def _is_this_project(pyproject: Path) -> bool:
    return pyproject.is_file() and re.search(r'^name\s*=\s*"meas_deblend"', pyproject.read_text(), re.M) is not None
