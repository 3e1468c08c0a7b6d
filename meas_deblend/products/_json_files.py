"""JSON files with a type and a version, read into their declarations."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from ..exceptions import ModelError
from .versions import check_version

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["parse_json_file", "read_json_file"]

M = TypeVar("M", bound=BaseModel)


def read_json_file(path: Path, model: type[M], layout: tuple[str, str], without: str) -> M:
    """Read a file.

    Parameters
    ----------
    path : Path
    model : subclass of BaseModel
        What the file holds.
    layout : tuple of str
        Type and version that can be read.
    without : str
        What a folder is that does not have the file, for the message.

    Raises
    ------
    ModelError
        If the file is missing, of a newer version, or lacks or garbles something; the message names it.
    """
    if not path.is_file():
        raise ModelError(f"there is no {path.name} in {path.parent}: {without}")
    return parse_json_file(path, model, layout)


def parse_json_file(path: Path, model: type[M], layout: tuple[str, str]) -> M:
    """Read a file that is there; parameters as in `read_json_file`.

    Raises
    ------
    ModelError
        If it is of a newer version, or lacks or garbles something; the message names it.
    """
    kind, version = layout
    text = path.read_bytes()
    try:
        about = _Header.model_validate_json(text)
        # Before all else: another version may have other fields.
        check_version({"type": about.type, "version": about.version}, kind, (version,), str(path))
        return model.model_validate_json(text)
    except ValidationError as error:
        where = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise ModelError(f"{path} is damaged: {where}") from error


class _Header(BaseModel):
    type: str
    version: str
