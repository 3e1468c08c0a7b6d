"""``meas-deblend new-plugin``: an installable package with a deblender in it, to start from."""

from __future__ import annotations

import keyword
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from .._names import SNAKE_CASE, listing
from ..deblenders import deblender_names
from ..exceptions import InputError
from ._settings import say

if TYPE_CHECKING:
    import argparse

__all__ = ["new_plugin"]

_FILES = {
    "pyproject.toml": "pyproject.toml.txt",
    "README.md": "README.md.txt",
    "src/{name}/__init__.py": "deblender.py.txt",
    "tests/test_{name}.py": "test_deblender.py.txt",
}
"""Path in the package, and the template of its text."""


def new_plugin(options: argparse.Namespace) -> int:
    """Write the package, and say what to do with it.

    Raises
    ------
    InputError
        If the name cannot be that of a module or is taken, or the folder is there already.
    """
    name = _checked(options.name)
    folder = Path(options.out) / name
    if folder.exists():
        raise InputError(f"{folder} is there already: choose another name, or another folder with --out")
    words = {
        "name": name,
        "class_name": "".join(part.capitalize() for part in name.split("_")),
        "distribution": name.replace("_", "-"),
    }
    templates = files(__package__) / "plugin_template"
    for place, template in _FILES.items():
        path = folder / place.format(name=name)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = Template((templates / template).read_text(encoding="utf-8")).substitute(words)
        path.write_text(text, encoding="utf-8")
    say(f"{folder} is a deblender that works; change {folder / 'src' / name / '__init__.py'}")
    say(f"install and test it:  pip install -e '{folder}[test]' && pytest {folder}")
    say(f"run it:  meas-deblend run ... --pipeline any_deblender -c deblend:deblender.name={name}")
    return 0


def _checked(name: str) -> str:
    if not SNAKE_CASE.fullmatch(name) or keyword.iskeyword(name):
        raise InputError(f"{name!r} cannot name a deblender and its package: snake_case is needed, e.g. my_way")
    known = deblender_names()
    if name in known:
        raise InputError(f"there is a deblender '{name}' already; taken are {listing(known)}")
    return name
