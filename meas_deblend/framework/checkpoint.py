"""What a run has done so far, on disk, so that a killed run goes on where it stopped."""

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from .._atomic import atomic_write
from ..exceptions import InputError

__all__ = ["Batches", "Checkpoint", "Codec"]

R = TypeVar("R")

_ABOUT = "checkpoint.json"
_TYPE, _VERSION = "meas_deblend.checkpoint", "1.0.0"

_BATCH = 256
_EVERY_SECONDS = 2.0
"""A file is written when so many results wait, or when the first of them has waited so long."""

_PAUSE, _LONGEST = 50.0, 10.0
"""It waits at least so many times as long as writing the last file took, since others wait for who writes; but not
more than so many times as long as usual."""

_SHOWN = 5


class Codec(Protocol[R]):
    """Writes results of units to files, and reads them back bit by bit."""

    @property
    def suffix(self) -> str:
        """What the files' names end in, with the dot."""
        ...

    def write(self, path: Path, results: Sequence[R]) -> None:
        """Write a file, whole or not at all."""
        ...

    def read(self, path: Path) -> Mapping[int, R]:
        """Read a file: results by the key of their unit."""
        ...


class Checkpoint:
    """A folder of results, and what they were made with; made by `open`.

    Parameters
    ----------
    folder : Path
        Exists, and is nobody else's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def open(cls, folder: Path, identity: Mapping[str, str], *, resume: bool = False) -> "Checkpoint":
        """Begin a checkpoint, or go on with one.

        Parameters
        ----------
        folder : Path
            Made if it is missing. What is in it is removed unless it is resumed.
        identity : mapping of str to str
            Everything that results depend on, by what people call it.
        resume : bool
            Whether results that are there are used.

        Raises
        ------
        InputError
            If what is there was made with something else; the message names what differs.
        """
        about = {"type": _TYPE, "version": _VERSION, "identity": dict(identity)}
        path = folder / _ABOUT
        if resume and path.is_file():
            _check(path, about)
            for leftover in folder.glob(".*"):  # of files that were being written
                _remove(leftover)
        else:
            _remove(folder)
            with atomic_write(path, "w") as stream:
                json.dump(about, stream, indent=1)
        return cls(folder)

    def batches(self, label: str, codec: Codec[R]) -> "Batches[R]":
        """Return the results of a task."""
        return Batches(self.folder, label, codec)

    def remove(self) -> None:
        """Remove everything: the run is complete."""
        _remove(self.folder)


class Batches(Generic[R]):
    """Results of the units of one task, in files of some hundred.

    Parameters
    ----------
    folder : Path
    label : str
        The task's; its files begin with it.
    codec : Codec
    """

    def __init__(self, folder: Path, label: str, codec: Codec[R]) -> None:
        self._folder, self._label, self._codec = folder, label, codec
        self._waiting: list[R] = []
        self._since, self._pause = 0.0, _EVERY_SECONDS

    def stored(self) -> dict[int, R]:
        """Read all results that are there, by key.

        Raises
        ------
        MeasDeblendError
            If a file is damaged; the message names it.
        """
        found: dict[int, R] = {}
        for path in self._files():
            found.update(self._codec.read(path))
        return found

    def add(self, result: R) -> None:
        """Keep a result; it may be lost until the next file is written."""
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append(result)
        if len(self._waiting) >= _BATCH or time.monotonic() - self._since >= self._pause:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if self._waiting:
            begun = time.monotonic()
            number = len(self._files())
            self._codec.write(self._folder / f"{self._label}-{number:06d}{self._codec.suffix}", self._waiting)
            self._waiting = []
            took = time.monotonic() - begun
            self._pause = min(max(_EVERY_SECONDS, _PAUSE * took), _LONGEST * _EVERY_SECONDS)

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob(f"{self._label}-??????{self._codec.suffix}"))


def _check(path: Path, about: Mapping[str, object]) -> None:
    """Refuse a checkpoint that was made with something else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        then = {str(key): str(value) for key, value in found["identity"].items()}
        header = found["type"], found["version"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is damaged ({error!r}): start anew, with --overwrite") from error
    if header != (_TYPE, _VERSION):
        raise InputError(f"{path} is a {header[0]} {header[1]}, not a {_TYPE} {_VERSION}: start anew, with --overwrite")
    now = about["identity"]
    if not isinstance(now, Mapping):
        raise TypeError("the identity is a mapping")
    differences = [
        f"{name} was {then.get(name, 'not there')}, is {now.get(name, 'not there')}"
        for name in dict.fromkeys([*then, *now])
        if then.get(name) != now.get(name)
    ]
    if differences:
        shown = "; ".join(differences[:_SHOWN])
        more = f"; and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
        raise InputError(
            f"{path.parent} was made with something else, and cannot be resumed: {shown}{more}; "
            "go back to what it was, or start anew with --overwrite"
        )


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
