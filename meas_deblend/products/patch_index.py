"""``patches.json``: which patches a run of many goes through, and with what, so that its folder is read as one run."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, field_validator

from .._atomic import atomic_write
from ._json_files import read_json_file
from .ids import PATCH_BITS, TRACT_BITS

__all__ = ["PATCH_INDEX", "PatchEntry", "PatchIndex", "read_patch_index", "write_patch_index"]

PATCH_INDEX: Final = "patches.json"

_TYPE: Final = "meas_deblend.patches"
_VERSION: Final = "1.0.0"


class PatchEntry(BaseModel):
    """One patch of a run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tract: int = Field(ge=0, lt=1 << TRACT_BITS, description="Tract that its identifiers are made from.")
    patch: str = Field(min_length=1, description="Name of the patch, as it was given.")
    number: int = Field(ge=0, lt=1 << PATCH_BITS, description="Number of the patch that its identifiers are made from.")
    folder: str = Field(min_length=1, description="Folder of its products, relative to that of the index.")
    inputs: dict[str, dict[str, str]] = Field(
        min_length=1, description="Files by band and plane, as they were given, with absolute paths."
    )
    inner: tuple[int, int, int, int] | None = Field(
        default=None,
        description="Inner region that was given: columns X0 to X1 - 1 of rows Y0 to Y1 - 1, counted from 0, as "
        "(X0, X1, Y0, Y1); null: it follows from the patches that overlap.",
    )

    @field_validator("folder")
    @classmethod
    def _stays_beneath(cls, folder: str) -> str:
        # Anyone may have edited the file: what it names is opened, and replaced by a later run.
        parts = PurePosixPath(folder)
        if parts.is_absolute() or ".." in parts.parts:
            raise ValueError(f"the folder of a patch lies beneath that of the index, {folder!r} does not")
        return folder

    @property
    def name(self) -> str:
        """What it is called in messages: ``9813/4,4``."""
        return f"{self.tract}/{self.patch}"


class PatchIndex(BaseModel):
    """What ``patches.json`` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["meas_deblend.patches"] = Field(default=_TYPE, description="Type of the file.")
    version: Literal["1.0.0"] = Field(default=_VERSION, description="Version of the file's layout.")
    created: AwareDatetime = Field(description="When the run was started first, in UTC.")
    command: tuple[str, ...] = Field(default=(), description="The command line of the last start.")
    identity: dict[str, str] = Field(
        description="Everything but the files that results depend on, by what people call it: settings, options of "
        "the reader, versions."
    )
    labels: tuple[str, ...] = Field(description="Labels of the quanta of each patch, in their order.")
    read_options: dict[str, JsonValue] = Field(default_factory=dict, description="Keyword arguments of the reader.")
    patches: tuple[PatchEntry, ...] = Field(min_length=1, description="All patches, by tract and number.")


def write_patch_index(folder: Path, index: PatchIndex) -> None:
    """Write ``patches.json``, whole or not at all."""
    with atomic_write(Path(folder) / PATCH_INDEX, "w") as stream:
        stream.write(index.model_dump_json(indent=1) + "\n")


def read_patch_index(folder: Path) -> PatchIndex:
    """Read ``patches.json``.

    Raises
    ------
    ModelError
        If the file is missing, of a newer version, or lacks or garbles something; the message names it.
    """
    missing = "not a folder that a run of many patches writes"
    return read_json_file(Path(folder) / PATCH_INDEX, PatchIndex, (_TYPE, _VERSION), missing)
