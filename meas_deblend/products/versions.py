"""The header of every Parquet product: type and version, as JSON in the file's metadata."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .._version import __version__
from ..exceptions import CorruptModelError, ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["HEADER_KEY", "check_header", "check_version", "header", "release", "version_numbers"]

HEADER_KEY = "meas_deblend"


def header(kind: str, version: str, **about: Any) -> dict[str, str]:
    """File metadata: one JSON text under the key ``meas_deblend`` with ``type``, ``version`` and whatever is given.

    ``written_by`` is the release that writes it: whoever cannot read the version is told which can.
    """
    text = {"type": kind, "version": version, "written_by": release(), **about}
    return {HEADER_KEY: json.dumps(text, allow_nan=False, sort_keys=True)}


def release() -> str:
    """Return the version of this package."""
    return __version__


def check_header(
    metadata: Mapping[bytes, bytes] | None, kind: str, versions: Sequence[str], where: str
) -> dict[str, Any]:
    """Read the header back.

    Parameters
    ----------
    metadata : mapping of bytes to bytes, optional
        The file's metadata, as pyarrow gives them.
    kind : str
        Type that is wanted.
    versions : sequence of str
        Versions that can be read, oldest first.
    where : str
        Path for messages.

    Raises
    ------
    ModelError
        If there is no header, or it is of another type or of a version that this release cannot read.
    """
    text = (metadata or {}).get(HEADER_KEY.encode())
    if text is None:
        raise ModelError(f"{where} was not written by meas_deblend: its metadata have no key {HEADER_KEY!r}")
    try:
        about = json.loads(text)
    except ValueError as error:
        raise CorruptModelError(f"{where} is damaged: its header is not JSON ({error})") from error
    if not isinstance(about, dict):
        raise CorruptModelError(f"{where} is damaged: its header is not a JSON object")
    check_version(about, kind, versions, where)
    return about


def check_version(about: Mapping[str, Any], kind: str, versions: Sequence[str], where: str) -> None:
    """Refuse another type, a newer version, and versions that never were.

    Raises
    ------
    ModelError
        The message says which version the file has, which can be read, and what to do.
    """
    if about.get("type") != kind:
        raise ModelError(f"{where} is of type {about.get('type')!r}, not {kind!r}")
    stored = str(about.get("version"))
    if stored in versions:
        return
    if version_numbers(stored) > version_numbers(versions[-1]):
        writer = about.get("written_by")
        reader = f"meas_deblend {writer}, which wrote it," if isinstance(writer, str) else "the release that wrote it"
        raise ModelError(
            f"{where} is of version {stored} of {kind}; this release of meas_deblend reads up to {versions[-1]}: "
            f"read it with {reader} or a newer one (pip install --upgrade meas_deblend)"
        )
    known = " and ".join(filter(None, (", ".join(versions[:-1]), versions[-1])))
    raise ModelError(f"{where} claims version {stored} of {kind}; there is only {known}")


def version_numbers(version: str) -> tuple[int, ...]:
    """Numbers of a version, in whose order versions are; nothing for what is no version."""
    parts = version.split(".")
    return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else ()
