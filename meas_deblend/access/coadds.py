"""Finding the coadds of a run again, and making sure that they are the same."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exceptions import InputWarning, ModelError
from ..image import MultibandExposure, read_coadds
from ..products import file_sha256

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..products import RunInput, RunRecord

__all__ = ["reread_coadds"]


def reread_coadds(record: RunRecord, moved: Mapping[str, str | Path]) -> MultibandExposure:
    """Read the coadds of a run as the run did.

    Parameters
    ----------
    record : RunRecord
        Paths, checksums and options of the reader.
    moved : mapping of str to path
        Where the image files of some bands are now.

    Returns
    -------
    MultibandExposure
        What the reader finds wrong is in its ``warnings``, as in the run; it is not told again.

    Raises
    ------
    ModelError
        If a band came from no file, or a file is not there any more or has another content.
    """
    inputs = [_relocated(entry, moved) for entry in record.inputs]
    unknown = [band for band in moved if band not in {entry.band for entry in record.inputs}]
    if unknown:
        raise ModelError(f"the run has no band {', '.join(unknown)}; it has {', '.join(e.band for e in record.inputs)}")
    for entry in inputs:
        _verify(f"the coadd of band {entry.band}", entry.path, entry.sha256)
    for path, checksum in record.checksums.items():
        _verify("a file that the run read", path, checksum)
    options: dict[str, Any] = dict(record.read_options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        return read_coadds({entry.band: entry.spec() for entry in inputs}, **options)


def _relocated(entry: RunInput, moved: Mapping[str, str | Path]) -> RunInput:
    if entry.band not in moved:
        return entry
    path = str(Path(moved[entry.band]).expanduser().absolute())
    image = entry.planes.get("image")
    if not isinstance(image, str):
        return entry.model_copy(update={"path": path})
    selector = image[image.rindex("[") :] if image.endswith("]") else ""
    return entry.model_copy(update={"path": path, "planes": {**entry.planes, "image": path + selector}})


def _verify(what: str, path: str, checksum: str) -> None:
    if not path:
        raise ModelError(
            f"{what} was given as an array, not as a file, so it cannot be read again: "
            "give the exposure, open_run(folder, coadds=exposure)"
        )
    if not Path(path).is_file():
        raise ModelError(
            f"{what} is not at {path} any more: say where it is, open_run(folder, coadds={{band: path}}), "
            "or give the exposure, open_run(folder, coadds=exposure)"
        )
    found = file_sha256(Path(path))
    if found != checksum:
        raise ModelError(
            f"{what}, {path}, has changed since the run: its SHA-256 is {found[:12]}…, the run read {checksum[:12]}…; "
            "the models do not describe it"
        )
