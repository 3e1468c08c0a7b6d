"""The two files that hold such models, JSON and archive, as one kind of document."""

from __future__ import annotations

import json
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...exceptions import CorruptModelError, ModelError
from .node import Node, identifier

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Document", "open_document"]

_ABOUT = ("metadata", "version")
# An archive that was stored without compression is as large as what it holds, and JSON's digits shrink to a third. What
# claims to be hundreds of times its size was made to fill the memory.
_MAX_GROWTH = 200
_MAX_FREE = 1 << 26
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError, ValueError)


@dataclass(frozen=True)
class Document:
    """A file of models, read only as far as needed.

    Parameters
    ----------
    root : Node
        The JSON object; of an archive, its entries ``metadata`` and ``version``.
    archive : ZipFile, optional
        What holds blends and isolated sources, if not ``root``.
    """

    root: Node
    archive: zipfile.ZipFile | None = None

    @property
    def path(self) -> str:
        """The file, for messages."""
        return self.root.where.removesuffix(": ")

    def models(self) -> Iterator[tuple[int, Node]]:
        """Blends and isolated sources by identifier, one after the other."""
        if self.archive is not None:
            for entry in self.archive.infolist():
                if entry.filename not in _ABOUT:
                    node = _entry(self.archive, entry, self.path)
                    yield identifier(entry.filename, node), node
            return
        for group in ("blends", "isolated"):
            found = self.root.get(group)
            for key, node in found.items() if found is not None else ():
                yield identifier(key, node), node


@contextmanager
def open_document(path: Path) -> Iterator[Document]:
    """Open a file of models, JSON or archive, which its first bytes tell apart.

    Raises
    ------
    ModelError
        If the file is missing, or is neither.
    """
    if not path.is_file():
        raise ModelError(f"there is no file of models at {path}")
    with path.open("rb") as stream:
        archived = stream.read(2) == b"PK"
    if not archived:
        yield Document(_parsed(path.read_bytes(), f"{path}: "))
        return
    try:
        archive = zipfile.ZipFile(path)
    except _DAMAGE as error:
        raise CorruptModelError(f"{path} is a damaged archive: {error}") from error
    with archive:
        _check_entries(archive, path)
        about = {name: _entry(archive, archive.getinfo(name), str(path)).value for name in _names(archive) & {*_ABOUT}}
        yield Document(Node(about, f"{path}: "), archive)


def _names(archive: zipfile.ZipFile) -> set[str]:
    return set(archive.namelist())


def _check_entries(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse archives that are not of models, or would not fit into memory, before anything is unpacked."""
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    strange = sorted(name for name in names if name not in _ABOUT and not name.isdecimal())
    if strange:
        raise ModelError(f"{path} is not an archive of models: its entry {strange[0][:60]!r} is not an identifier")
    if len(set(names)) != len(names):
        twice = next(name for k, name in enumerate(names) if name in names[:k])
        raise CorruptModelError(f"{path} is damaged: it has two entries {twice!r}")
    claimed, allowed = sum(entry.file_size for entry in entries), _MAX_GROWTH * path.stat().st_size + _MAX_FREE
    if claimed > allowed:
        raise CorruptModelError(
            f"{path} would grow from {path.stat().st_size} to {claimed} bytes: no archive of models shrinks so much"
        )


def _entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: str) -> Node:
    where = f"{path}: {entry.filename}"
    try:
        with archive.open(entry) as stream:
            # One byte more than it claims shows that the claim was false; nothing beyond that is unpacked.
            content = stream.read(entry.file_size + 1)
    except _DAMAGE as error:
        raise CorruptModelError(f"{where} is damaged: {error}") from error
    if len(content) != entry.file_size:
        raise CorruptModelError(f"{where} is damaged: it has not the {entry.file_size} bytes that it claims")
    if entry.filename == "version" and content[:1] not in (b'"', b"n"):
        return Node(content.decode("ascii", "replace").strip(), where)
    return _parsed(content, where)


def _parsed(content: bytes, where: str) -> Node:
    try:
        return Node(json.loads(content, object_pairs_hook=_once), where)
    except (ValueError, RecursionError) as error:
        raise CorruptModelError(f"{where.removesuffix(': ')} is not JSON: {str(error)[:120]}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a JSON object, in which no key may stand twice: one of two blends would be lost in silence."""
    made = dict(pairs)
    if len(made) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for k, key in enumerate(keys) if key in keys[:k])
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return made
