"""What became of a quantum, one task at one data ID, as a file beside the products: the manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from .._atomic import atomic_write
from ..exceptions import ModelError
from ._json_files import parse_json_file

__all__ = ["QUANTUM_REASONS", "Frame", "QuantumManifest", "read_manifest", "read_manifests", "write_manifest"]

_TYPE: Final = "meas_deblend.quantum"
_VERSION: Final = "1.0.0"

QUANTUM_REASONS: Final = {
    "ok": "It did what it was told.",
    "degraded": "Its outputs are there, but some parents were deblended in a simpler way than asked for.",
    "partial": "Its outputs are there, but some parents could not be processed.",
    "no_work": "There was nothing to do, such as no detection.",
    "bad_input": "A file or a value that was given cannot be used.",
    "bad_config": "A setting cannot be used.",
    "disk_full": "There was no room to write.",
    "out_of_memory": "Memory ran out, and the process was told so.",
    "worker_died": "The process that worked on it was ended from outside, for example because memory ran out.",
    "error": "Something else went wrong; the log says where.",
    "not_run": "What it needs was not made.",
}
"""Why a quantum ended as it did: the closed vocabulary of ``reason``, with the meaning of each word."""


class Frame(BaseModel):
    """Pixel grid of a patch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shape: tuple[int, int] = Field(description="Height and width, pixels.")
    wcs: str = Field(default="", description="World coordinates as a FITS header of 80-character cards; empty without.")


class QuantumManifest(BaseModel):
    """What ``manifest/<label>.json`` holds.

    The labels are those of the pipeline's tasks, and ``read`` and ``write`` for what comes before and after them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["meas_deblend.quantum"] = Field(default=_TYPE, description="Type of the file.")
    version: Literal["1.0.0"] = Field(default=_VERSION, description="Version of the file's layout.")
    label: str = Field(min_length=1, description="The task.")
    task_class: str = Field(default="", description="Its class; empty for read and write.")
    tract: int = Field(ge=0, description="Tract of the data ID.")
    patch: str = Field(min_length=1, description="Patch of the data ID.")
    config_hash: str = Field(description="Digest of its resolved settings, the same for all patches of a run.")
    inputs: dict[str, str] = Field(description="SHA-256 by absolute path of the files that the patch was read from.")
    versions: dict[str, str] = Field(description="Versions of the package and of the libraries that decide numbers.")
    ended: AwareDatetime = Field(description="When it ended, in UTC.")
    host: str = Field(description="Machine that it ran on.")
    process: int = Field(description="Process that it ran in.")
    attempt: int = Field(ge=1, description="How many times the patch was started, this one included.")
    outcome: str = Field(description="What became of it, one of framework.Outcome.")
    reason: str = Field(description="Why, one of QUANTUM_REASONS.")
    error: str = Field(default="", description="What went wrong, in words; empty if nothing did.")
    seconds: float = Field(ge=0, description="Elapsed time; 0 if it did not run.")
    cpu_seconds: float = Field(ge=0, description="Processor time; 0 if it did not run.")
    peak_memory_mb: float = Field(ge=0, description="Largest resident memory of the process up to its end, MiB.")
    counts: dict[str, int] = Field(default_factory=dict, description="What its outputs count.")
    frame: Frame | None = Field(default=None, description="Pixel grid; with the label read alone.")
    log: tuple[str, ...] = Field(default=(), description="What was logged while it ran.")


def write_manifest(folder: Path, manifest: QuantumManifest) -> Path:
    """Write a manifest into a folder, whole or not at all; return the file."""
    path = Path(folder) / f"{manifest.label}.json"
    with atomic_write(path, "w") as stream:
        stream.write(manifest.model_dump_json(indent=1) + "\n")
    return path


def read_manifest(path: Path) -> QuantumManifest:
    """Read a manifest.

    Raises
    ------
    ModelError
        If the file is missing, of a newer version, or lacks or garbles something; the message names it.
    """
    if not path.is_file():
        raise ModelError(f"there is no manifest {path}")
    return parse_json_file(path, QuantumManifest, (_TYPE, _VERSION))


def read_manifests(folder: Path, labels: tuple[str, ...]) -> tuple[QuantumManifest, ...]:
    """Read the manifests that are there, in the order of the labels."""
    paths = (Path(folder) / f"{label}.json" for label in labels)
    return tuple(read_manifest(path) for path in paths if path.is_file())
