"""What lies in an output folder, and which versions made it."""

import importlib.metadata
import json
import platform
import re
import shutil
import tomllib
from functools import cache
from pathlib import Path

from .._atomic import atomic_write
from .._version import __version__
from ..exceptions import InputError

__all__ = ["CHECKPOINT", "RUN_RECORD", "atomic_write", "prepare_output", "resume_output", "versions"]

RUN_RECORD = "run.json"
CHECKPOINT = "checkpoint"
"""Folder, in that of a run, of what it has done so far."""

_PACKAGE = "meas_deblend"


def prepare_output(folder: Path | str, overwrite: bool = False, record: str = RUN_RECORD) -> Path:
    """Make a folder for a run's files, or take one that is empty.

    With ``overwrite``, the record of an earlier run is removed before anything else, so that the folder is not
    taken for that of a complete run until the new one is. Then go the files that the record lists, so that none of
    them can be taken for one of the new run. Other files are left alone.

    Parameters
    ----------
    folder : path-like
        Where the run will write.
    overwrite : bool
        Whether files of an earlier run may be replaced.
    record : str
        Name of the JSON file that a run writes as its last; its ``files`` are paths relative to the folder.

    Returns
    -------
    Path
        The folder, which exists now.

    Raises
    ------
    InputError
        It is a file, or it is in use and ``overwrite`` is false.
    """
    path = Path(folder)
    if path.exists() and not path.is_dir():
        raise InputError(f"{path}: this is a file; a folder is needed for the output")
    path.mkdir(parents=True, exist_ok=True)
    used = sorted(entry.name for entry in path.iterdir())
    if used and not overwrite:
        shown = ", ".join(used[:3]) + (", ..." if len(used) > 3 else "")
        raise InputError(f"{path}: the output folder is in use, it holds {shown}; choose another, or say overwrite")
    if (path / record).is_file():
        listed = _listed_files(path / record)
        (path / record).unlink()
        for file in listed:
            file.unlink(missing_ok=True)
    return path


def resume_output(folder: Path | str, record: str = RUN_RECORD) -> Path:
    """Take the folder of a run that was stopped, or a new one; files that were being written then are removed.

    Parameters
    ----------
    folder : path-like
        Where the run wrote, and will write.
    record : str
        As for `prepare_output`.

    Returns
    -------
    Path
        The folder, which exists now.

    Raises
    ------
    InputError
        If the run there is complete, or the folder holds something but no checkpoint.
    """
    path = Path(folder)
    if (path / record).is_file():
        raise InputError(f"{path}: the run there is complete, and cannot be resumed; choose another, or say overwrite")
    if not (path / CHECKPOINT).is_dir():
        return prepare_output(path)
    for leftover in [*path.rglob(".*.tmp"), *path.glob(".*.parquet.*")]:
        if leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink(missing_ok=True)
    return path


def versions() -> dict[str, str]:
    """Return the versions of Python, of this package, and of what it depends on, by name."""
    return dict(_versions())


@cache
def _versions() -> dict[str, str]:
    # The standard library parses each name's metadata anew: a tenth of a second for all, several times per run.
    names = [re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0] for line in _required() if "extra ==" not in line]
    ours = {"python": platform.python_version(), _PACKAGE: __version__}
    return {**ours, **{name: importlib.metadata.version(name) for name in sorted(names, key=str.lower)}}


def _required() -> list[str]:
    """Return what the package requires: of its metadata, or of a checkout that is in Python's path and not installed.

    EUPS sets packages up in this way.
    """
    try:
        return importlib.metadata.requires(_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
        required: list[str] = project["project"]["dependencies"]
        return required


def _listed_files(record: Path) -> list[Path]:
    """Return the files that a record lists, none outside its folder: anyone may have edited it."""
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
    except ValueError:
        return []  # a damaged record is replaced; what it listed is no longer known, so nothing else is touched
    names = content.get("files") if isinstance(content, dict) else None
    folder = record.parent.resolve()
    files = [record.parent / name for name in (names if isinstance(names, list) else []) if isinstance(name, str)]
    return [file for file in files if file.resolve().is_relative_to(folder) and not file.is_dir()]
