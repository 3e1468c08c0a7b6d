"""``run.json``: what a run read, with what, and how it ended, so that its inputs can be found and checked again."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from .._atomic import atomic_write
from ..image.fits_io import checksum as file_sha256
from ._json_files import read_json_file

__all__ = ["RunInput", "RunRecord", "file_sha256", "read_run_record", "write_run_record"]

_TYPE: Final = "meas_deblend.run"
_VERSION: Final = "1.0.0"

Sha256 = Field(pattern=r"^([0-9a-f]{64})?$", description="SHA-256 of the file; empty for arrays from no file.")


class RunInput(BaseModel):
    """What a run read for one band."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    band: str = Field(min_length=1, description="Name of the band.")
    path: str = Field(description="Absolute path of the image file; empty for arrays that were never in a file.")
    sha256: str = Sha256
    planes: dict[str, str | float] = Field(
        default_factory=dict,
        description="What the reader was given for single planes: plane to absolute path (with [HDU]) or number.",
    )

    def spec(self) -> str | dict[str, str | float]:
        """Return what `image.read_coadds` takes for this band."""
        return {"image": self.path, **self.planes} if self.planes else self.path


class RunRecord(BaseModel):
    """What ``run.json`` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["meas_deblend.run"] = Field(default=_TYPE, description="Type of the file.")
    version: Literal["1.0.0"] = Field(default=_VERSION, description="Version of the file's layout.")
    created: AwareDatetime = Field(description="When the run ended, in UTC.")
    command: tuple[str, ...] = Field(default=(), description="The command line; empty for a run from Python.")
    versions: dict[str, str] = Field(description="Versions of the package and of the libraries that decide numbers.")
    inputs: tuple[RunInput, ...] = Field(min_length=1, description="What was read, one per band in their order.")
    read_options: dict[str, JsonValue] = Field(
        default_factory=dict, description="Keyword arguments of the reader, by which the same exposure is read again."
    )
    checksums: dict[str, str] = Field(
        default_factory=dict, description="SHA-256 by absolute path, for files of planes and PSFs beside the images."
    )
    outcome: str = Field(description="How the run as a whole ended.")
    counts: dict[str, int] = Field(default_factory=dict, description="How many parents, objects, and so on.")
    config: str = Field(description="Folder of the resolved configuration, relative to that of this file.")
    files: tuple[str, ...] = Field(
        default=(), description="Everything that the run wrote, relative to the folder of this file."
    )


def write_run_record(path: Path, record: RunRecord) -> None:
    """Write ``run.json``, whole or not at all."""
    with atomic_write(Path(path), "w") as stream:
        stream.write(record.model_dump_json(indent=2) + "\n")


def read_run_record(path: Path) -> RunRecord:
    """Read ``run.json``.

    Raises
    ------
    ModelError
        If the file is missing, of a newer version, or lacks or garbles something; the message names it.
    """
    missing = "not a folder that a run has written, or unfinished"
    return read_json_file(Path(path), RunRecord, (_TYPE, _VERSION), missing)
