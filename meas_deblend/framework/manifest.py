"""What lies in an output folder, and who made it."""

import hashlib
import importlib.metadata
import json
import platform
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from .._atomic import atomic_write
from ..exceptions import InputError

__all__ = ["MANIFEST_NAME", "atomic_write", "checksum", "prepare_output", "read_manifest", "versions", "write_manifest"]

MANIFEST_NAME = "manifest.json"
_PACKAGE = "meas_deblend"


def prepare_output(folder: Path | str, overwrite: bool = False) -> Path:
    """Make a folder for a run's files, or take one that is empty.

    With ``overwrite``, the files that an earlier run's manifest lists are removed, so that they cannot be taken
    for those of this run. Other files are left alone.

    Parameters
    ----------
    folder : path-like
        Where the run will write.
    overwrite : bool
        Whether files of an earlier run may be replaced.

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
    if (path / MANIFEST_NAME).is_file():
        _remove_listed(path)
    return path


def write_manifest(folder: Path, files: Iterable[str], content: Mapping[str, object]) -> Path:
    """Write the list of a run's files, as its last act: where it is, the run is complete.

    Parameters
    ----------
    folder : Path
        The output folder.
    files : iterable of str
        Names of the files in it.
    content : mapping
        What else is to be said, as JSON knows it: inputs, data ID, outcomes.

    Returns
    -------
    Path
        ``manifest.json``.
    """
    listed = {
        name: {"bytes": (folder / name).stat().st_size, "sha256": checksum(folder / name)} for name in sorted(files)
    }
    path = folder / MANIFEST_NAME
    with atomic_write(path, "w") as stream:
        json.dump({"versions": versions(), **content, "files": listed}, stream, indent=2)
        stream.write("\n")
    return path


def read_manifest(folder: Path) -> dict[str, object]:
    """Read what `write_manifest` wrote.

    Raises
    ------
    InputError
        There is none, so the folder is not that of a complete run, or it is not JSON.
    """
    path = folder / MANIFEST_NAME
    if not path.is_file():
        raise InputError(f"{folder}: there is no {MANIFEST_NAME}; this is not the output of a run that was completed")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: not a manifest: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("files"), dict):
        raise InputError(f"{path}: not a manifest: it lists no files")
    return content


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def versions() -> dict[str, str]:
    """Return the versions of Python, of this package, and of what it depends on, by name."""
    required = importlib.metadata.requires(_PACKAGE) or []
    names = [re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0] for line in required if "extra ==" not in line]
    return {
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in (_PACKAGE, *sorted(names, key=str.lower))},
    }


def _remove_listed(folder: Path) -> None:
    listed = read_manifest(folder)["files"]
    # The manifest goes first: a folder without one is not taken for a complete run.
    (folder / MANIFEST_NAME).unlink()
    for name in listed if isinstance(listed, dict) else ():
        file = folder / name
        # A manifest is a file that anyone may have edited: nothing outside the folder is removed on its word.
        if file.resolve().is_relative_to(folder.resolve()):
            file.unlink(missing_ok=True)
